"""How soon a fault is told by `dgmix watch`, and how often nothing is?

    python benchmarks/watch.py [--uav FOLDER] [-o benchmarks/results/watch.md]
    python benchmarks/watch.py [--detectors 5] [--hours 41] [--machine fan …] [--keep FOLDER]

With `--uav`, the folder `uav_propeller`: a detector learns from pieces of ten seconds of healthy
square flights; other flights are played through ffmpeg at twenty times real speed into a stream
source, whose clock runs as fast, and judged as `dgmix watch` judges them.

Simulated machines: of each type so many detectors learn from recordings of their own. Pools of
windows that a detector has judged, healthy ones and of faults, are drawn from at random for so many
hours, and go through the rule and the store by a clock of their own. Every 20 hours there is a
fault of half an hour. Draws are independent of each other: a real machine's windows are not.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.audio.io import read_audio
from dgmix.data.simulate.clips import PlannedClip, samples_of
from dgmix.detect.detector import Detector
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.judgement import Judgement
from dgmix.detect.recordings import Sounds
from dgmix.detect.sources import sounds
from dgmix.files import make_folder, write_text
from dgmix.progress import quiet
from dgmix.watch.checking import figures
from dgmix.watch.expected import MONTH, expected_raises, raises_per_window
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
SIMULATED_SECONDS = 2.0  # cheaper to make; one every `SECONDS`, too
LEARNED, POOL, FAULTS = 99, 400, 40
MACHINES = ["bearing", "fan", "gearbox", "slider", "valve"]
HEALTHY, FAULTY = 2, 3  # groups of dgmix.data.simulate.clips
FAULT_EVERY, FAULT_LASTS = 20 * 3600.0, 1800.0
START = 1_790_000_000.0
HEADING = """# A watch: delay and false alarms

Written by `benchmarks/watch.py`; the promise: [watching.md](../../docs/watching.md#when-it-raises).
"""


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

    def judge(self, signal: Samples, sample_rate: int, condition: str | None) -> WindowJudgement:
        verdict = "ANOMALY" if self.p_value <= self.rate else "normal"
        return WindowJudgement(0.0, self.p_value, None, verdict)  # type: ignore[arg-type]

    def recordings(self, _condition: str | None) -> int:
        return LEARNED


def settings() -> WatchSettings:
    machine = {"name": "m", "detector": "d", "source": {"type": "folder", "path": "."}}
    storage = {"healthy_per_day": 0, "before": 0, "windows_days": 3650}
    return parse_settings({"machines": [machine], "storage": storage}, "benchmark")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--uav", type=Path, help="the folder uav_propeller of real flights")
    parser.add_argument("--detectors", type=int, default=5, help="of each machine type")
    parser.add_argument("--hours", type=float, default=41, help="simulated, of each detector")
    parser.add_argument("--machine", nargs="*", default=MACHINES)
    parser.add_argument("--keep", type=Path, default=Path("runs/watch"), help="of each machine")
    parser.add_argument("-o", "--output", type=Path, help="the page to write")
    chosen = parser.parse_args(arguments)
    lines = [HEADING]
    if chosen.uav:
        lines += shown(flights_table(chosen.uav))
    if chosen.machine:
        lines += shown(month_table(chosen.machine, chosen.detectors, chosen.hours, chosen.keep))
    if chosen.output:
        write_text(chosen.output, "\n".join([*lines, ""]))


def shown(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        print(line, flush=True)
        yield line


def flights_table(folder: Path) -> Iterator[str]:
    known = sorted((folder / "normal").glob("*_square/*.flac"))
    learned, held = known[::2] + known[1::4], known[3::4]
    with tempfile.TemporaryDirectory() as temporary, quiet():
        pieces = [piece for flight in learned for piece in cut(flight)]
        path = Path(temporary) / "uav.dgmix"
        Detector().fit(pieces, sample_rate=RATE).save(path)
        judge = DetectorJudge(path)
        counts = f"{len(learned)} flights learned, {len(pieces)} pieces, rate {judge.rate:.3g}"
        yield f"## UAV flights at {SPEED} times real speed\n\n{counts}.\n"
        yield "| flights | number | windows | anomalies | raised | windows until raised |"
        yield "|---|--:|--:|--:|--:|---|"
        for name, flights in (
            ("healthy, square (known mission)", held),
            ("broken, square", sorted((folder / "broken" / "cw_square").glob("*.flac"))),
            ("broken, figure eight", sorted((folder / "broken" / "cw_f8").glob("*.flac"))),
            ("healthy, figure eight (never learned)", sorted((folder / "normal").glob("*_f8/*"))),
        ):
            played_flights = [played(flight, judge) for flight in flights]
            delays = [str(delay) if delay else "never" for _, _, delay in played_flights]
            windows, anomalies = (sum(each[i] for each in played_flights) for i in (0, 1))
            raised = sum(delay is not None for _, _, delay in played_flights)
            yield (
                f"| {name} | {len(played_flights)} | {windows} | {anomalies} | {raised} | "
                f"{', '.join(delays)} |"
            )
        yield ""


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


@dataclass(frozen=True)
class Pools:
    """p-values of windows that one detector judged, healthy ones and of faults."""

    rate: float
    healthy: list[float]
    faulty: list[float]

    @property
    def realised(self) -> float:
        return float(np.mean(np.array(self.healthy) <= self.rate))


@dataclass(frozen=True)
class Month:
    """What one detector did: false raises, faults, and at which window those raised were."""

    rate: float
    realised: float
    hours: float
    false: int
    faults: int
    delays: list[float]

    @property
    def monthly(self) -> float:
        return self.false * MONTH / (3600 * self.hours - self.faults * FAULT_LASTS)


def judged_pools(name: str, detectors: int) -> Iterator[Pools]:
    """Yield what detectors of one machine, each of recordings of its own, say of one pool."""

    def clip(group: int, number: int) -> Samples:
        return samples_of(PlannedClip(name, 0, group, number), 0, round(RATE * SIMULATED_SECONDS))

    pools = [
        sounds([clip(group, number) for number in range(size)], RATE)
        for group, size in ((HEALTHY, POOL), (FAULTY, FAULTS))
    ]
    banks = []
    for first in range(0, detectors * LEARNED, LEARNED):
        learned = [clip(0, first + number) for number in range(LEARNED)]
        fitted = Detector().fit(learned, sample_rate=RATE).fitted_
        banks = banks or [list(pool.readable_banks(fitted.recipe)) for pool in pools]
        healthy, faulty = (
            [judged.p_known for part, bank in each for judged in judge(fitted, part, bank)]
            for each in banks
        )
        yield Pools(fitted.rate(), healthy, faulty)


def judge(fitted: FittedDetector, part: Sounds, bank: MelBank) -> list[Judgement]:
    return fitted.judge(bank, part.names, part.sections)


def months_of(name: str, detectors: int, hours: float, keep: Path) -> list[Month]:
    """Return what detectors of one machine did, from the file where that is kept if there is one.

    A machine takes less than a minute.
    """
    path = keep / f"{name}-{detectors}-{hours:g}.json"
    if path.exists():
        return [Month(**each) for each in json.loads(path.read_text())]
    with quiet():
        months = [
            run_month(pools, hours, seed)
            for seed, pools in enumerate(judged_pools(name, detectors))
        ]
    make_folder(keep)
    write_text(path, json.dumps([asdict(month) for month in months]))
    return months


def month_table(machines: Sequence[str], detectors: int, hours: float, keep: Path) -> Iterator[str]:
    yield "## Simulated machines\n"
    yield (
        f"Of each machine {detectors} detectors of {LEARNED} recordings, {hours:g} h each "
        f"({len(machines) * detectors * hours:.0f} machine-hours), a window of "
        f"{SIMULATED_SECONDS:g} s every {SECONDS:g} s, raised at 3 in a row. False alarms are in "
        "30 days, mean ± standard error over detectors; beside them those that the rule is "
        "expected to raise at the rates that the detectors realise.\n"
    )
    yield (
        "| machine | anomalies of healthy windows, least to most | false alarms | least to most | "
        "by the realised rates | hours between | faults raised | at window, median |"
    )
    yield "|---|--:|--:|--:|--:|--:|--:|--:|"
    every = []
    for name in machines:
        months = months_of(name, detectors, hours, keep)
        yield month_row(name, months)
        every += months
    yield month_row("all", every)
    rule, rate = own_rule(every[0].rate), every[0].rate
    raises = expected_raises(rule, rate, SECONDS, LEARNED)
    yield (
        f"\nPromised by `dgmix watch --check`: {figures(raises.mean)} on average, of 90 % of "
        f"detectors {figures(raises.low)} to {figures(raises.high)}. One that errs in exactly "
        f"{rate:.0%} of windows: {figures(monthly_at(rate, [rate])[0])}.\n"
    )


def month_row(name: str, months: Sequence[Month]) -> str:
    rates = [month.realised for month in months]
    monthly = np.array([month.monthly for month in months])
    error = np.std(monthly, ddof=1) / len(monthly) ** 0.5 if len(monthly) > 1 else float("nan")
    mean = monthly.mean()
    between = f"{MONTH / 3600 / mean:.0f}" if mean else "–"
    delays = [delay for month in months for delay in month.delays]
    median = f"{np.median(delays):.0f}" if delays else "–"
    return (
        f"| {name} | {np.mean(rates):.1%}, {min(rates):.1%} to {max(rates):.1%} | {mean:.1f} ± "
        f"{error:.1f} | {monthly.min():.0f} to {monthly.max():.0f} | "
        f"{monthly_at(months[0].rate, rates).mean():.1f} | {between} | "
        f"{len(delays)} of {sum(month.faults for month in months)} | {median} |"
    )


def own_rule(rate: float) -> Rule:
    own = settings().machines[0].rule
    return Rule.of(own.windows, own.among, own.clear_after, rate, own.clear_factor)


def monthly_at(rate: float, realised: Sequence[float]) -> NDArray[np.float64]:
    return MONTH / SECONDS * raises_per_window(own_rule(rate), rate, realised)


def run_month(pools: Pools, hours: float, seed: int = 0, every: float = FAULT_EVERY) -> Month:
    """Return what a watch raises in so many hours, with a fault every `every` seconds."""
    clock, judge, rng = TurnedClock(), Drawn(pools.rate), np.random.default_rng(seed)
    silent = np.zeros(1, np.float32)
    false, faults = 0, int(hours * 3600 // every)
    delays: dict[int, float] = {}
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder), clock) as store:
        own = settings()
        around = Surroundings("s", store, Clips(store, own.storage), Hub(), clock, own.storage)
        machine = Machine(own.machines[0], judge, around)
        number = 0
        while (at := number * SECONDS) < hours * 3600:
            fault = int(at // every) if at % every >= every - FAULT_LASTS else -1
            pool = pools.healthy if fault < 0 else pools.faulty
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
            fault = int(since // every)
            begin = (fault + 1) * every - FAULT_LASTS
            if since >= begin:
                delays.setdefault(fault, 0.0)
                delays[fault] = (since - begin) / SECONDS + 1
            else:
                false += 1
    return Month(pools.rate, pools.realised, hours, false, faults, list(delays.values()))


if __name__ == "__main__":
    main()
