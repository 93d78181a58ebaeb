"""`dgmix watch --check`: every detector, source and sink once, and what the rule lets through."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from dgmix.errors import DgmixError
from dgmix.watch.clock import Clock, SystemClock
from dgmix.watch.expected import expected_raises
from dgmix.watch.hub import Hub
from dgmix.watch.judge import Judge, load_judge
from dgmix.watch.messages import test_message
from dgmix.watch.rule import Rule
from dgmix.watch.settings import MachineSettings, WatchSettings
from dgmix.watch.sinks.base import Sink
from dgmix.watch.sinks.opening import open_sinks
from dgmix.watch.sources.base import Source, State
from dgmix.watch.sources.folder import FolderSource
from dgmix.watch.sources.opening import stream_source
from dgmix.watch.sources.settings import FolderSettings
from dgmix.watch.wear import hours_between

SOURCE_SECONDS = 20.0
MOST_WINDOWS = 8


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
    load: Callable[[Path, float | None], Judge] = load_judge,
) -> Iterator[Trial]:
    """Yield what each detector, source and sink of settings does when it is tried once."""
    clock = clock or SystemClock()
    for machine in settings.machines:
        judge = None
        try:
            judge = load(machine.detector, machine.rule.rate)
            yield Trial(f"{machine.name} detector", True, _detector(machine, judge))
            yield Trial(f"{machine.name} rule", True, _rule(machine, judge))
        except DgmixError as error:
            yield Trial(f"{machine.name} detector", False, str(error))
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


def _detector(machine: MachineSettings, judge: Judge) -> str:
    seconds = machine.window.seconds or judge.seconds
    return (
        f"{judge.name}, windows of {seconds:.3g} s, false-alarm rate {judge.rate:.3g} of a window"
    )


def _rule(machine: MachineSettings, judge: Judge) -> str:
    own = machine.rule
    every = machine.window.every or machine.window.seconds or judge.seconds

    def expected(windows: int, among: int) -> float:
        rule = Rule.of(windows, among, own.clear_after, judge.rate, own.clear_factor)
        return expected_raises(rule, judge.rate, every).independent

    rule = Rule.of(own.windows, own.among, own.clear_after, judge.rate, own.clear_factor)
    both = expected_raises(rule, judge.rate, every)
    worse = Rule.of(own.windows, own.among, own.clear_after, judge.most_rate, own.clear_factor)
    worst = expected_raises(worse, judge.most_rate, every).independent
    enough = next((k for k in range(1, MOST_WINDOWS + 1) if expected(k, k) <= 1), None)
    hint = ""
    if both.independent > 1 and enough is not None:
        hint = f"; windows: {enough} in a row would bring it to {expected(enough, enough):.2g}"
    years = hours_between(own.wear_drift, own.wear_limit) / 24 / 365
    return (
        f"raised at {own.windows} of {own.among} windows, one every {every:.3g} s: "
        f"{both.independent:.2g} false alarms a month if windows err independently, "
        f"{worst:.2g} if this detector's rate is {judge.most_rate:.1%} in truth, as it may be, "
        f"{both.at_most:.2g} at most if they err together{hint}; creeping wear: one in "
        f"{years:.2g} years"
    )


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
