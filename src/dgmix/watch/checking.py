"""`dgmix watch --check`: every detector, source and sink once, and what the rule lets through."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from dgmix.errors import DgmixError, InputError
from dgmix.plugins import contents_of
from dgmix.watch.clock import Clock, SystemClock
from dgmix.watch.expected import Expected, expected_raises
from dgmix.watch.hub import Hub
from dgmix.watch.judge import Judge, Load, judges
from dgmix.watch.messages import test_message
from dgmix.watch.rule import Rule
from dgmix.watch.settings import MOST_OF, MachineSettings, WatchSettings
from dgmix.watch.sinks.base import Sink
from dgmix.watch.sinks.opening import open_sinks
from dgmix.watch.sources.base import Source, State
from dgmix.watch.sources.folder import FolderSource
from dgmix.watch.sources.opening import stream_source
from dgmix.watch.sources.settings import FolderSettings
from dgmix.watch.wear import hours_between

SOURCE_SECONDS = 20.0
LEAST, MOST = 0.01, 1e6  # numbers that are shown


@dataclass(frozen=True)
class Trial:
    """What was tried, whether it did what it should, and what it did."""

    what: str
    good: bool
    text: str

    def __str__(self) -> str:
        return f"{'ok' if self.good else 'FAILED':<6}  {self.what}: {self.text}"


def check(
    settings: WatchSettings,
    clock: Clock | None = None,
    load: Load | None = None,
) -> Iterator[Trial]:
    """Yield what each detector, source and sink of settings does when it is tried once."""
    clock, load = clock or SystemClock(), load or judges(settings.plugins)[0]
    yield from _plugins(settings.plugins)
    for machine in settings.machines:
        judge = None
        try:
            judge = load(machine.detector, machine.rule.rate)
        except DgmixError as error:
            yield Trial(f"{machine.name} detector", False, str(error))
        else:
            yield Trial(f"{machine.name} detector", True, _detector(machine, judge))
            yield _rule(machine, judge)
        yield _source(machine, clock, judge.seconds if judge else 10.0)
    yield from check_sinks(settings, clock)


def check_sinks(settings: WatchSettings, clock: Clock | None = None) -> Iterator[Trial]:
    """Yield what each sink does with a test message."""
    clock = clock or SystemClock()
    try:
        sinks = open_sinks(settings, Hub(), {}, client_id=f"dgmix-{settings.site}-check")
    except DgmixError as error:
        yield Trial("sinks", False, str(error))
        return
    outgoing = test_message(settings.site, clock.now())
    for sink in sinks:
        yield _sink(sink, {"schema": 1, "id": outgoing.id, **outgoing.body})


def _sink(sink: Sink, body: dict[str, object]) -> Trial:
    try:
        sink.start()
        sink.deliver(body)
    except DgmixError as error:
        return Trial(f"sink {sink.name}", False, str(error))
    finally:
        sink.close()
    return Trial(f"sink {sink.name}", True, "acknowledged a test message")


def _plugins(files: Sequence[Path]) -> Iterator[Trial]:
    for file in files:
        try:
            contents = contents_of(str(file))
        except InputError as error:
            yield Trial("plugins", False, str(error))
        else:
            names = (f"{kind} {', '.join(each)}" for kind, each in contents.items() if each)
            yield Trial("plugins", True, f"{file.name} has {'; '.join(names)}")


def _detector(machine: MachineSettings, judge: Judge) -> str:
    seconds = machine.window.seconds or judge.seconds
    return (
        f"{judge.name}, windows of {seconds:.3g} s, false-alarm rate {judge.rate:.3g} of a window"
    )


def _rule(machine: MachineSettings, judge: Judge) -> Trial:
    try:
        return Trial(f"{machine.name} rule", True, _false_alarms(machine, judge))
    except DgmixError as error:
        return Trial(f"{machine.name} rule", False, str(error))


def _false_alarms(machine: MachineSettings, judge: Judge) -> str:
    """Return what the rule lets through; raises `InputError` where it can never be raised."""
    own = machine.rule
    every = machine.window.every or machine.window.seconds or judge.seconds
    named: list[str | None] = [*machine.condition.names] or [None]
    recordings = min(map(judge.recordings, named))

    def expected(windows: int, among: int) -> Expected:
        rule = Rule.of(windows, among, own.clear_after, judge.rate, own.clear_factor)
        return expected_raises(rule, judge.rate, every, recordings)

    raises = expected(own.windows, own.among)
    rows = ((k, expected(k, k).mean) for k in range(own.windows + 1, MOST_OF + 1))
    enough = next((each for each in rows if each[1] <= 1), None) if raises.mean > 1 else None
    hint = (
        f"; windows: {enough[0]} in a row would bring the mean to {figures(enough[1])}"
        if enough
        else ""
    )
    years = hours_between(own.wear_drift, own.wear_limit) / 24 / 365
    return (
        f"raised at {own.windows} of {own.among} windows, one every {every:.3g} s: "
        f"{figures(raises.mean)} false alarms a month on average over detectors of {recordings} "
        f"recordings if windows err independently (90 % of them {figures(raises.low)} to "
        f"{figures(raises.high)}), {figures(raises.at_most)} at most if they err together{hint}; "
        f"creeping wear: one in {figures(years)} years"
    )


def figures(number: float) -> str:
    """Return a number in two figures, as people write it."""
    if number > MOST:
        return "more than a million"
    return f"{float(f'{number:.2g}'):.7g}" if number >= LEAST else f"less than {LEAST}"


def _source(machine: MachineSettings, clock: Clock, seconds: float) -> Trial:
    what, settings = f"{machine.name} source", machine.source
    if isinstance(settings, FolderSettings):
        source: Source = FolderSource(settings, clock, seconds, {})
    elif settings.type == "stdin":
        return Trial(what, True, "standard input is not read by a check")
    else:
        source = stream_source(settings, clock)
    try:
        return _listen(what, source, clock)
    finally:
        source.close()


def _listen(what: str, source: Source, clock: Clock) -> Trial:
    end, never, received = clock.monotonic() + SOURCE_SECONDS, threading.Event(), 0.0
    while clock.monotonic() < end:
        step = source.step()
        received += sum(block.seconds for block in step.blocks)
        state, detail = source.status.state, source.status.detail
        if state in (State.LOST, State.FAILED):
            return Trial(what, False, f"{state.value}: {detail}")
        if state == State.LISTENING and (received > 1 or not source.live):
            text = f"{received:.1f} s of sound" if source.live else "the folder can be read"
            return Trial(what, True, text)
        clock.wait(step.wait, never)
    state, detail = source.status.state, source.status.detail
    return Trial(what, False, f"{state.value} after {SOURCE_SECONDS:g} s {detail}".strip())
