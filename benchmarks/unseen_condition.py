"""What becomes of false alarms and finds under a condition that was not learned from?

    python benchmarks/unseen_condition.py [--machine fan …] [--uav FOLDER] [--recipe default]

Prints the tables of docs/decisions/0019-exact-verdicts.md: the part of recordings of a known and of
a new operating condition that is flagged under the promise for known conditions, before and after
`update` with a few healthy ones of the new condition, averaged over random choices of these;
healthy recordings (false alarms) and anomalies (finds). Simulated machines learn from the source
domain, and the target domain is new; with `--uav`, the folder `uav_propeller`, a detector learns
from healthy square flights, and figure-eight ones are new, and the other way round.

Two ways to update and to judge: the new recordings are given no name, so that all calibrate
together; or they are named as a condition, and others are judged by it (`--condition`). Recordings
are described once; a detector that was updated with some remembers these too.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from described import describe, detector_of, judged
from numpy.typing import NDArray

from dgmix.audio.bank import bank_of_signals
from dgmix.audio.io import read_audio, to_signal
from dgmix.config import Recipe, load_recipe
from dgmix.data.simulate import MACHINES
from dgmix.data.simulate.clips import PlannedClip, samples_of
from dgmix.detect.conformal import ROUNDING, groups_needed
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.resolve import recipe_at

RATE, SECONDS = 16_000, 10
# groups of dgmix.data.simulate.clips
SOURCE, TARGET, SOURCE_TEST, SOURCE_ANOMALY, TARGET_ANOMALY = 0, 1, 2, 3, 5
RATES = (0.05, 0.1, 0.2)
ADDED = (2, 5, 10)
KNOWN, NEW = "known", "new"
UNNAMED, NAMED = "not named", "named, judged by it"
RULES = {UNNAMED: None, NAMED: NEW}
Signals = list[NDArray[np.float32]]
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Column = str | int
Key = tuple[str, float, Column]


@dataclass(frozen=True)
class Case:
    """Recordings of a machine: healthy ones to learn from, then healthy ones and anomalies."""

    name: str
    known: Signals
    same: Signals
    new: Signals
    same_anomalies: Signals
    new_anomalies: Signals


@dataclass
class Flagged:
    """The part of healthy recordings and of anomalies that is flagged: by rule, rate and column.

    Columns are "same" and "new" before any update, then the number of recordings added, where the
    rate is supported and there are recordings to judge.
    """

    healthy: dict[Key, float]
    anomalies: dict[Key, float]

    def of(self, healthy: bool) -> dict[Key, float]:
        return self.healthy if healthy else self.anomalies


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--machine", nargs="*", choices=MACHINES, default=list(MACHINES))
    parser.add_argument("--uav", type=Path, help="the folder uav_propeller of real flights")
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--known", type=int, default=39, help="clips to learn from")
    parser.add_argument("--judged", type=int, default=40, help="clips of either condition")
    parser.add_argument("--choices", type=int, default=8, help="random choices of what is added")
    options = parser.parse_args(arguments)
    recipe = recipe_at(load_recipe(options.recipe), RATE)
    machines = {
        name: flagged(simulated(name, options), recipe, options.choices) for name in options.machine
    }
    if machines:
        heading(f"simulated, {len(machines)} machines, {options.known} clips learned from")
        table(list(machines.values()), options.judged)
        by_machine(machines)
    for case in flights(options.uav) if options.uav else ():
        heading(f"{case.name}, {len(case.known)} flights learned from")
        table([flagged(case, recipe, options.choices)], len(case.new))


def simulated(machine: str, options: argparse.Namespace) -> Case:
    """Return clips of one section of a simulated machine."""

    def clips(group: int, count: int) -> Signals:
        plans = (PlannedClip(machine, 0, group, i) for i in range(count))
        return [samples_of(plan, 0, SECONDS * RATE) for plan in plans]

    groups = (SOURCE_TEST, TARGET, SOURCE_ANOMALY, TARGET_ANOMALY)
    return Case(
        machine, clips(SOURCE, options.known), *(clips(group, options.judged) for group in groups)
    )


def flights(folder: Path) -> Iterator[Case]:
    """Yield the missions of the quadcopter, either one known and the other new."""

    def mission(label: str, name: str) -> Signals:
        return [read_audio(path).samples for path in sorted(folder.glob(f"{label}/*_{name}/*"))]

    missions = {"square": "square", "figure-eight": "f8"}
    for known, new in (("square", "figure-eight"), ("figure-eight", "square")):
        yield Case(
            f"UAV, {known} then {new}",
            mission("normal", missions[known]),
            [],
            mission("normal", missions[new]),
            mission("broken", missions[known]),
            mission("broken", missions[new]),
        )


def flagged(case: Case, recipe: Recipe, choices: int) -> Flagged:
    """Return which parts of the recordings of a case are flagged."""
    described, numbers = described_case(case, recipe)
    result = Flagged({}, {})
    detector = detector_of(described, numbers["known"])
    for healthy in (True, False):
        for column in ("same", "new"):
            those = numbers[column if healthy else f"{column}_anomalies"]
            for rule in RULES:
                for rate, part in parts(detector, described, those, None).items():
                    result.of(healthy)[rule, rate, column] = part
    rng = np.random.default_rng(0)
    for count in (each for each in ADDED if each < len(case.new)):
        orders = [rng.permutation(numbers["new"]) for _ in range(choices)]
        each = [after_update(described, numbers, order, count) for order in orders]
        for key in each[0]:
            rule, rate, healthy = key
            result.of(healthy)[rule, rate, count] = float(np.mean([flags[key] for flags in each]))
    return result


def described_case(case: Case, recipe: Recipe) -> tuple[FittedDetector, dict[str, Numbers]]:
    """Return a detector that remembers all recordings of a case, and the numbers of each kind."""
    names = ("known", "same", "new", "same_anomalies", "new_anomalies")
    signals: Signals = []
    numbers = {}
    for name in names:
        own = getattr(case, name)
        numbers[name] = np.arange(len(signals), len(signals) + len(own))
        signals += [to_signal(each, RATE, recipe.audio) for each in own]
    bank = bank_of_signals(signals, recipe.audio, recipe.features)
    conditions = [KNOWN] * len(signals)
    for number in numbers["new"].tolist():
        conditions[number] = NEW
    return describe(recipe, bank, conditions=conditions), numbers


def after_update(
    described: FittedDetector, numbers: Mapping[str, Numbers], order: Numbers, count: int
) -> dict[tuple[str, float, bool], float]:
    """Return the part of new recordings flagged by rule, rate, and whether they are healthy.

    The first `count` healthy ones in `order` are added, the others are judged.
    """
    added, rest = np.sort(order[:count]), np.sort(order[count:])
    detector = detector_of(described, np.concatenate([numbers["known"], added]))
    return {
        (rule, rate, healthy): part
        for rule, condition in RULES.items()
        for healthy, those in ((True, rest), (False, numbers["new_anomalies"]))
        for rate, part in parts(detector, described, those, condition).items()
    }


def parts(
    detector: FittedDetector, described: FittedDetector, those: Numbers, condition: str | None
) -> dict[float, float]:
    """Return the part of recordings that is flagged at each rate that is supported."""
    count = detector.count("known", (), condition)
    rates = [rate for rate in RATES if groups_needed(rate) <= count]
    if not (len(those) and rates):
        return {}
    values = judged(detector, described.memory.select(those).views, condition).p_known
    return {rate: float(np.mean(values <= rate + ROUNDING)) for rate in rates}


def heading(text: str) -> None:
    added = " | ".join(f"{count} added" for count in ADDED)
    print(f"\n{text}\n\n| | new recordings are | α | known condition | new | {added} |")
    print("|---|---|" + "--:|" * (3 + len(ADDED)))


def table(cases: Sequence[Flagged], count: int) -> None:
    """Print the mean over cases of each rule and rate, and its standard error.

    Of one case the error is the binomial one of the `count` recordings judged.
    """
    for what, rows in (
        ("false alarms", [case.healthy for case in cases]),
        ("found", [case.anomalies for case in cases]),
    ):
        for rule in RULES:
            for rate in RATES:
                cells = []
                for column in ("same", "new", *ADDED):
                    key = rule, rate, column
                    values = [row[key] for row in rows if key in row]
                    left = count - (column if isinstance(column, int) else 0)
                    cells.append(with_error(np.array(values), left))
                print(f"| {what} | {rule} | {rate:.0%} | " + " | ".join(cells) + " |", flush=True)


def with_error(values: Floats, count: int) -> str:
    """Return the mean of parts (case,) with its standard error, in per cent."""
    if not len(values):
        return "–"
    mean = values.mean()
    if len(values) > 1:
        error = values.std(ddof=1) / np.sqrt(len(values))
    else:
        error = np.sqrt(mean * (1 - mean) / count)
    return f"{100 * mean:.1f} ± {100 * error:.1f}"


def by_machine(machines: Mapping[str, Flagged], rate: float = 0.1) -> None:
    """Print what each machine does at one rate."""
    print(f"\n| α = {rate:.0%}, per cent | known condition | new | 10 not named | 10 named |")
    print("|---|--:|--:|--:|--:|")
    wanted = ((UNNAMED, "same"), (UNNAMED, "new"), (UNNAMED, 10), (NAMED, 10))
    for name, case in machines.items():
        rates = [case.healthy.get((rule, rate, column)) for rule, column in wanted]
        cells = ["–" if value is None else f"{100 * value:.1f}" for value in rates]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
