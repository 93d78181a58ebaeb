"""How soon a fault is told by `dgmix watch`, and how often nothing is?

    python benchmarks/watch.py [--uav FOLDER] [--hours 200] [--machine fan …]

Prints the tables of docs/decisions/0024-watching.md.

With `--uav`, the folder `uav_propeller`: a detector learns from pieces of ten seconds of healthy
square flights; other flights are played through ffmpeg at twenty times real speed into a stream
source, whose clock runs as fast, and judged as `dgmix watch` judges them.

Simulated machines: pools of windows that a detector has judged, healthy ones and of faults, are
drawn from at random for so many hours a machine, and go through the rule and the store by a clock
of their own. Every 20 hours there is a fault of half an hour. Draws are independent of each other:
a real machine's windows are not.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dgmix.audio.io import read_audio
from dgmix.data.simulate.clips import PlannedClip, samples_of
from dgmix.detect.detector import Detector
from dgmix.progress import quiet
from dgmix.watch.expected import expected_raises
from dgmix.watch.hub import Hub
from dgmix.watch.judge import DetectorJudge, WindowJudgement
from dgmix.watch.machine import Machine, Surroundings
from dgmix.watch.rule import Rule
from dgmix.watch.settings import WatchSettings, parse_settings
from dgmix.watch.sound import Block, Samples
from dgmix.watch.sources.base import State, StreamSource
from dgmix.watch.sources.pipe import Decoder, program_stream
from dgmix.watch.store import queries
from dgmix.watch.store.clips import Clips
from dgmix.watch.store.store import Store
from dgmix.watch.windows import Window, Windower

RATE, SECONDS, SPEED = 16_000, 10.0, 20
LEARNED, POOL = 99, 200
HEALTHY, FAULTY = 2, 3  # groups of dgmix.data.simulate.clips
FAULT_EVERY, FAULT_LASTS = 20 * 3600.0, 1800.0
START = 1_790_000_000.0


class FastClock:
    """A clock that runs `SPEED` times as fast as the computer's."""

    def __init__(self) -> None:
        self._begin = time.monotonic()

    def monotonic(self) -> float:
        return (time.monotonic() - self._begin) * SPEED

    def now(self) -> float:
        return START + self.monotonic()

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        return stop.wait(seconds / SPEED)


class TurnedClock:
    """A clock that is set."""

    at = START

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        self.at += seconds
        return stop.is_set()


@dataclass
class Drawn:
    """Judges the window that is drawn next; the sound it is given is not listened to."""

    rate: float
    seconds: float = SECONDS
    name: str = "pool"
    p_value: float = 1.0
    most_rate: float = 1.0

    def judge(self, signal: Samples, sample_rate: int, condition: str | None) -> WindowJudgement:
        verdict = "ANOMALY" if self.p_value <= self.rate else "normal"
        return WindowJudgement(0.0, self.p_value, None, verdict)  # type: ignore[arg-type]


def settings() -> WatchSettings:
    machine = {"name": "m", "detector": "d", "source": {"type": "folder", "path": "."}}
    storage = {"healthy_per_day": 0, "before": 0, "windows_days": 3650}
    return parse_settings({"machines": [machine], "storage": storage}, "benchmark")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--uav", type=Path, help="the folder uav_propeller of real flights")
    parser.add_argument("--hours", type=float, default=200, help="simulated, of each machine")
    parser.add_argument(
        "--machine", nargs="*", default=["bearing", "fan", "gearbox", "slider", "valve"]
    )
    chosen = parser.parse_args(arguments)
    if chosen.uav:
        show(flights_table(chosen.uav))
    if chosen.machine:
        show(month_table(chosen.machine, chosen.hours))


def show(lines: Iterator[str]) -> None:
    for line in lines:
        print(line, flush=True)


def flights_table(folder: Path) -> Iterator[str]:
    known = sorted((folder / "normal").glob("*_square/*.flac"))
    learned, held = known[::2] + known[1::4], known[3::4]
    with tempfile.TemporaryDirectory() as temporary, quiet():
        pieces = [piece for flight in learned for piece in cut(flight)]
        path = Path(temporary) / "uav.dgmix"
        Detector().fit(pieces, sample_rate=RATE).save(path)
        judge = DetectorJudge(path)
        counts = f"{len(learned)} flights learned, {len(pieces)} pieces, rate {judge.rate:.3g}"
        yield f"UAV flights x {SPEED}: {counts}\n"
        yield "| flights | number | windows | anomalies | raised | windows until raised |"
        yield "|---|--:|--:|--:|--:|---|"
        for name, flights in (
            ("healthy, square (known mission)", held),
            ("broken, square", sorted((folder / "broken" / "cw_square").glob("*.flac"))),
            ("broken, figure eight", sorted((folder / "broken" / "cw_f8").glob("*.flac"))),
            ("healthy, figure eight (never heard)", sorted((folder / "normal").glob("*_f8/*"))),
        ):
            found = [played(flight, judge) for flight in flights]
            delays = [str(delay) if delay else "never" for _, _, delay in found]
            windows, anomalies = (sum(each[i] for each in found) for i in (0, 1))
            raised = sum(delay is not None for _, _, delay in found)
            yield (
                f"| {name} | {len(found)} | {windows} | {anomalies} | {raised} | "
                f"{', '.join(delays)} |"
            )


def cut(flight: Path) -> list[Samples]:
    samples = read_audio(flight).samples
    return np.array_split(samples, max(1, round(len(samples) / RATE / SECONDS)))


def played(flight: Path, judge: DetectorJudge) -> tuple[int, int, int | None]:
    """Return windows, anomalies, and at which window an event was raised, of a flight."""
    command = ["ffmpeg", "-nostdin", "-loglevel", "error", "-readrate", str(SPEED)]
    command += ["-i", str(flight), "-f", "f32le", "-ac", "1", "-ar", str(RATE), "pipe:1"]
    clock, windower = FastClock(), Windower(SECONDS, None, 0.0)
    source = StreamSource(
        lambda: program_stream(command, Decoder("f32le", 1), RATE, str),
        clock,
        timeout=600,
        silence=60,
        again=False,
    )
    count = anomalies = 0
    raised = None
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder), clock) as store:
        own = settings()
        around = Surroundings("s", store, Clips(store, own.storage), Hub(), clock, own.storage)
        machine = Machine(own.machines[0], judge, around)
        while source.status.state != State.LOST:
            for block in source.step().blocks:
                for window in windower.push(block):
                    count += 1
                    anomalies += machine.take(window).verdict == "ANOMALY"
                    if raised is None and "anomaly" in around.hub.values("m")["events"]:
                        raised = count
    source.close()
    return count, anomalies, raised


def month_table(machines: Sequence[str], hours: float) -> Iterator[str]:
    yield f"\nSimulated, {len(machines)} x {hours:g} h, windows of {SECONDS:g} s, 3 in a row\n"
    yield (
        "| machine | promise | anomalies of healthy windows | false alarms in 30 days "
        "| promised | hours between | faults raised | windows until raised, median |"
    )
    yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    for name in machines:
        yield month_row(name, hours)


def month_row(name: str, hours: float) -> str:
    def clip(group: int, number: int) -> Samples:
        return samples_of(PlannedClip(name, 0, group, number), 0, round(RATE * SECONDS))

    with quiet(), tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.dgmix"
        learned = [clip(0, number) for number in range(LEARNED)]
        Detector().fit(learned, sample_rate=RATE).save(path)
        judge = DetectorJudge(path)
    pools = {
        group: [judge.judge(clip(group, n), RATE, None).p_value or 1.0 for n in range(POOL)]
        for group in (HEALTHY, FAULTY)
    }
    flagged = float(np.mean(np.array(pools[HEALTHY]) <= judge.rate))
    raises, faults, delays = run_month(pools, judge.rate, hours)
    days = hours / 24 - faults * FAULT_LASTS / 86_400
    rule = settings().machines[0].rule

    own = Rule.of(rule.windows, rule.among, rule.clear_after, judge.rate, rule.clear_factor)
    promised = expected_raises(own, judge.rate, SECONDS).independent
    between = f"{days * 24 / raises:.0f}" if raises else f"over {days * 24:.0f}"
    median = f"{np.median(delays):.0f}" if delays else "–"
    return (
        f"| {name} | {judge.rate:.0%} | {flagged:.1%} | {raises * 30 / days:.1f} | "
        f"{promised:.1f} | {between} | {len(delays)} of {faults} | {median} |"
    )


def run_month(
    pools: dict[int, list[float]], rate: float, hours: float
) -> tuple[int, int, list[float]]:
    """Return false raises, faults, and how many windows it took to raise those that were."""
    clock, judge, rng = TurnedClock(), Drawn(rate), np.random.default_rng(0)
    silent = np.zeros(1, np.float32)
    false, faults = 0, int(hours * 3600 // FAULT_EVERY)
    delays: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder), clock) as store:
        own = settings()
        around = Surroundings("s", store, Clips(store, own.storage), Hub(), clock, own.storage)
        machine = Machine(own.machines[0], judge, around)
        number = 0
        while (at := number * SECONDS) < hours * 3600:
            fault = int(at // FAULT_EVERY) if at % FAULT_EVERY >= FAULT_EVERY - FAULT_LASTS else -1
            pool = pools[HEALTHY if fault < 0 else FAULTY]
            judge.p_value = pool[rng.integers(len(pool))]
            clock.at = START + at
            machine.take(Window(Block(silent, RATE, clock.at), SECONDS))
            number += 1
            if number % 1000 == 0:
                store.flush()
        store.flush()
        for event in store.read(queries.events, "m", 0.0, 10**6):
            if event["kind"] != "anomaly":
                continue
            since = event["raised"] - START
            fault = int(since // FAULT_EVERY)
            begin = (fault + 1) * FAULT_EVERY - FAULT_LASTS
            if since >= begin:
                delays.setdefault(fault, 0.0)
                delays[fault] = (since - begin) / SECONDS + 1
            else:
                false += 1
    return false, faults, list(delays.values())


if __name__ == "__main__":
    main()
