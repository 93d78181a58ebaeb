"""What becomes of the false-alarm rate under a condition that was not learned from?

    python benchmarks/unseen_condition.py [--machine fan …] [--uav FOLDER] [--recipe default]

Prints the tables of docs/decisions/0005-verdicts.md: the part of healthy recordings of a new
operating condition that is flagged, before and after `update` with a few others of that condition,
averaged over random choices of these. Simulated machines learn from the source domain and are asked
about the target domain; with `--uav`, the folder `uav_propeller`, a detector learns from healthy
square flights and is asked about healthy figure-eight ones, and the other way round.

Three ways to update and ask: the new recordings are given no name, so all calibrate together; they
are given a name and asked about under it (`--domain`); or named, and asked about without.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.io import read_audio
from dgmix.config import Recipe, load_recipe
from dgmix.data.simulate import MACHINES
from dgmix.data.simulate.clips import PlannedClip, samples_of
from dgmix.detect.detector import Detector

RATE, SECONDS = 16_000, 10
SOURCE, TARGET, SOURCE_TEST = 0, 1, 2  # groups of dgmix.data.simulate.clips
RATES = (0.05, 0.1, 0.2)
ADDED = (2, 5, 10)
NEW = "new"
UNNAMED, NAMED, UNTOLD = "not named", "named, asked with it", "named, asked without"
RULES = (UNNAMED, NAMED, UNTOLD)
Signals = list[NDArray[np.float32]]
Floats = NDArray[np.float64]
Column = str | int
Found = dict[tuple[str, float, Column], float]


@dataclass(frozen=True)
class Case:
    """Healthy recordings of a machine: to learn from, of the same condition, and of a new one."""

    name: str
    known: Signals
    same: Signals
    new: Signals


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--machine", nargs="*", choices=MACHINES, default=list(MACHINES))
    parser.add_argument("--uav", type=Path, help="the folder uav_propeller of real flights")
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--known", type=int, default=39, help="clips to learn from")
    parser.add_argument("--asked", type=int, default=40, help="clips of either condition")
    parser.add_argument("--choices", type=int, default=8, help="random choices of what is added")
    options = parser.parse_args(arguments)
    recipe = load_recipe(options.recipe)
    machines = {
        name: realised(simulated(name, options), recipe, options.choices)
        for name in options.machine
    }
    if machines:
        heading(f"simulated, {len(machines)} machines, {options.known} clips learned from")
        table(list(machines.values()), options.asked)
        by_machine(machines)
    for case in flights(options.uav) if options.uav else ():
        heading(f"{case.name}, {len(case.known)} flights learned from")
        table([realised(case, recipe, options.choices)], len(case.new))


def simulated(machine: str, options: argparse.Namespace) -> Case:
    """Return clips of one section of a simulated machine."""
    groups = {SOURCE: options.known, SOURCE_TEST: options.asked, TARGET: options.asked}
    known, same, new = (
        [samples_of(PlannedClip(machine, 0, group, i), 0, SECONDS * RATE) for i in range(count)]
        for group, count in groups.items()
    )
    return Case(machine, known, same, new)


def flights(folder: Path) -> Iterator[Case]:
    """Yield the missions of the quadcopter, either one known and the other new."""
    missions = {
        name: [read_audio(path).samples for path in sorted(folder.glob(f"normal/*_{end}/*"))]
        for name, end in {"square": "square", "figure-eight": "f8"}.items()
    }
    for known, new in (("square", "figure-eight"), ("figure-eight", "square")):
        yield Case(f"UAV, {known} then {new}", missions[known], [], missions[new])


def realised(case: Case, recipe: Recipe, choices: int) -> Found:
    """Return the part of healthy recordings that is flagged: by rule, rate and column.

    Columns are "same" and "new" before any update, then the number of recordings added, where the
    rate is supported and at least one recording is left to ask about.
    """
    detector = Detector(recipe).fit(case.known, sample_rate=RATE)
    found: Found = {}
    for column, asked in {"same": case.same, "new": case.new}.items():
        if asked:
            values = detector.p_values(asked, sample_rate=RATE)
            for rate in supported(detector, None):
                found |= {(rule, rate, column): float(np.mean(values <= rate)) for rule in RULES}
    rng = np.random.default_rng(0)
    for count in (each for each in ADDED if each < len(case.new)):
        orders = [rng.permutation(len(case.new)) for _ in range(choices)]
        parts = [after_update(detector, case.new, order, count) for order in orders]
        for key in parts[0]:
            found[*key, count] = float(np.mean([part[key] for part in parts]))
    return found


def after_update(
    detector: Detector, new: Signals, order: NDArray[np.int64], count: int
) -> dict[tuple[str, float], float]:
    """Return the part flagged by rule and rate, the first `count` recordings in `order` added."""
    added, asked = ([new[i] for i in part] for part in (order[:count], order[count:]))
    unnamed = deepcopy(detector).update(added, sample_rate=RATE)
    named = deepcopy(detector).update(added, sample_rate=RATE, domains=[NEW] * count)
    found = {}
    for rule, updated, domain in (
        (UNNAMED, unnamed, None),
        (NAMED, named, NEW),
        (UNTOLD, named, None),
    ):
        values = updated.p_values(asked, sample_rate=RATE, domains=[domain] * len(asked))
        for rate in supported(updated, domain):
            found[rule, rate] = float(np.mean(values <= rate))
    return found


def supported(detector: Detector, domain: str | None) -> list[float]:
    """Return the rates that the detector's recordings are enough for."""
    return [rate for rate in RATES if rate >= detector.smallest_rate(None, [domain]) - 1e-12]


def heading(text: str) -> None:
    added = " | ".join(f"{count} added" for count in ADDED)
    print(f"\n{text}\n\n| new recordings are | α | known condition | new | {added} |")
    print("|---|" + "--:|" * (3 + len(ADDED)))


def table(rows: Sequence[Found], asked: int) -> None:
    """Print the mean over cases of each rule and rate, and its standard error.

    Of one case the error is the binomial one of the recordings asked about.
    """
    for rule in RULES:
        for rate in RATES:
            cells = []
            for column in ("same", "new", *ADDED):
                values = [row[rule, rate, column] for row in rows if (rule, rate, column) in row]
                left = asked - (column if isinstance(column, int) else 0)
                cells.append(with_error(np.array(values), left))
            print(f"| {rule} | {rate:.0%} | " + " | ".join(cells) + " |", flush=True)


def with_error(values: Floats, asked: int) -> str:
    """Return the mean of parts (case,) with its standard error, in per cent."""
    if not len(values):
        return "–"
    mean = values.mean()
    if len(values) > 1:
        error = values.std(ddof=1) / np.sqrt(len(values))
    else:
        error = np.sqrt(mean * (1 - mean) / asked)
    return f"{100 * mean:.1f} ± {100 * error:.1f}"


def by_machine(machines: Mapping[str, Found], rate: float = 0.1) -> None:
    """Print what each machine does at one rate."""
    print(f"\n| α = {rate:.0%}, per cent | known condition | new | 10 not named | 10 named |")
    print("|---|--:|--:|--:|--:|")
    wanted = ((UNNAMED, "same"), (UNNAMED, "new"), (UNNAMED, 10), (NAMED, 10))
    for name, row in machines.items():
        found = [row.get((rule, rate, column)) for rule, column in wanted]
        cells = ["–" if value is None else f"{100 * value:.1f}" for value in found]
        print(f"| {name} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
