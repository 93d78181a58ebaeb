"""Is the promise for new conditions kept, on machines whose conditions are left out one by one?

    python benchmarks/new_conditions.py PROTOCOLS [--uav FOLDER] [--simulated FOLDER] [--json]

PROTOCOLS is the folder of `bldc_propeller.csv` (condition: motor and speed), `adi_cbm.csv` (speed
and load) and `pronostia.csv` (bearing); `uav_propeller` (mission) beside it is taken too. A
simulated set has the attributes of its names as conditions.

For each condition in turn a detector knows the healthy clips of all others, and judges the healthy
clips and the anomalies of that one. Prints which part of either is flagged under the promise for
new conditions, at the smallest rate that the other conditions support and at 20 %: means over
conditions, which are the unit of the standard error; and of the healthy ones which part the promise
for known conditions flags. Beside the detector stands each raw view alone, judged alike.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from described import describe, detector_of, judged
from numpy.typing import NDArray

from dgmix.audio.cache import FeatureStore, default_folder
from dgmix.audio.mel_scale import REFERENCE_RATE
from dgmix.config import Recipe, load_recipe
from dgmix.data import load_manifest
from dgmix.detect.conformal import ROUNDING, groups_needed, smallest_rate
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.resolve import recipe_at
from dgmix.detect.views import RAW_VIEWS
from dgmix.evaluate.tables import markdown_table

RATE = 0.2
DETECTOR = "detector"
PATTERNS = {
    "bldc_propeller": r"(?P<recording>\w+_(?P<condition>M\d_\d+rpm))_\d",
    "adi_cbm": r"(?P<recording>(?P<speed>\d+)_\w+_(?P<load>\d+lb))_p\d",
    "pronostia": r"(?P<recording>(?P<condition>B\d_\d)_\w+)",
}
UAV = r"(?P<recording>normal/(?P<condition>\w+)/\w+|broken/(?P<anomalous>\w+)/\w+)"
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Part:
    """Clips that are compared with each other, and nothing else: one section of a machine.

    `conditions`, `recordings` and `anomalous` are one for each of `paths`; a condition that has the
    same name in several parts of a set is one unit where `shared`.
    """

    name: str
    paths: tuple[Path, ...]
    recordings: tuple[str, ...]
    conditions: tuple[str, ...]
    anomalous: NDArray[np.bool_]
    shared: bool = True


@dataclass(frozen=True)
class Unit:
    """What one condition, left out, gave: parts flagged by system, at a rate.

    `healthy` is None of a condition without healthy clips, `anomalies` of one without anomalies.
    """

    rate: float
    healthy: float | None
    anomalies: float | None
    known: float | None


Rows = list[dict[str, object]]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("protocols", type=Path, help="the folder of the tables")
    parser.add_argument("--uav", type=Path, help="the flights; by default beside PROTOCOLS")
    parser.add_argument("--simulated", type=Path, help="a set of `dgmix simulate`")
    parser.add_argument("--recipe", default="default", help="one without the view dgmix")
    parser.add_argument("--cache", type=Path, default=None)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    recipe = recipe_at(load_recipe(options.recipe), REFERENCE_RATE)
    cache = options.cache or default_folder()
    rows: Rows = []
    for name, parts in sets_of(options):
        rows += rows_of(name, list(parts), recipe, cache)
    print(json.dumps(rows) if options.json else table(rows))


# Recordings


def sets_of(options: argparse.Namespace) -> Iterator[tuple[str, Iterable[Part]]]:
    """Yield the name of each set, and its parts."""
    for name in PATTERNS:
        table_of = options.protocols / f"{name}.csv"
        if table_of.is_file():
            yield name, protocol(table_of, PATTERNS[name])
    uav = options.uav or options.protocols.parent / "uav_propeller"
    if uav.is_dir():
        yield "uav_propeller", [flights(uav)]
    if options.simulated:
        yield "simulated", simulated(options.simulated)


def protocol(path: Path, pattern: str) -> Iterator[Part]:
    """Yield the sections of a table of repeated splits, each file once."""
    clips = load_manifest(path)
    for section in clips.values("section"):
        own = {clip.path: clip for clip in clips.select(section=section)}
        anomalous = [clip.label == "anomaly" for clip in own.values()]
        yield part_of(section, list(own), [file.stem for file in own], anomalous, pattern)


def flights(folder: Path) -> Part:
    """Return the flights of the quadcopter, whose condition is the mission."""
    paths = sorted(folder.glob("*/*/*.flac"))
    names = [path.relative_to(folder).with_suffix("").as_posix() for path in paths]
    return part_of("", paths, names, [name.startswith("broken") for name in names], UAV)


def part_of(
    name: str, paths: Sequence[Path], names: Sequence[str], anomalous: Sequence[bool], pattern: str
) -> Part:
    """Return the part of files whose recording and condition a pattern finds in their names."""
    matches = [match for each in names if (match := re.match(pattern, each))]
    groups = [match.groupdict() for match in matches]
    recordings = tuple(each.pop("recording") for each in groups)
    conditions = tuple(" ".join(value for value in each.values() if value) for each in groups)
    return Part(name, tuple(paths), recordings, conditions, np.array(anomalous, bool))


def simulated(folder: Path) -> Iterator[Part]:
    """Yield the sections of a simulated set, whose conditions are theirs alone."""
    clips = load_manifest(folder)
    for machine in clips.values("machine"):
        for section in clips.select(machine=machine).values("section"):
            own = clips.select(machine=machine, section=section)
            yield Part(
                f"{machine} {section}",
                tuple(clip.path for clip in own),
                tuple(clip.path.stem for clip in own),
                tuple(clip.operating_condition for clip in own),
                np.array([clip.label == "anomaly" for clip in own]),
                shared=False,
            )


# Conditions left out


def rows_of(name: str, parts: Sequence[Part], recipe: Recipe, cache: Path) -> Rows:
    """Return the rows of a set: one at the smallest rate, and one at `RATE` where supported."""
    units: dict[str, dict[str, list[Unit]]] = defaultdict(lambda: defaultdict(list))
    at_rate: dict[str, dict[str, list[Unit]]] = defaultdict(lambda: defaultdict(list))
    for part in parts:
        for condition, system, smallest, wanted in left_out(part, recipe, cache):
            key = condition if part.shared else f"{part.name} {condition}"
            units[system][key].append(smallest)
            if wanted:
                at_rate[system][key].append(wanted)
    return [row(name, each) for each in (units, at_rate) if each]


def left_out(
    part: Part, recipe: Recipe, cache: Path
) -> Iterator[tuple[str, str, Unit, Unit | None]]:
    """Yield condition, system, and what it gives at the smallest rate and at `RATE`."""
    described = described_part(part, recipe, cache)
    conditions = np.array(part.conditions)
    systems = {DETECTOR: recipe.detect.views} | {view: [view] for view in RAW_VIEWS}
    for condition in sorted(set(part.conditions)):
        own = conditions == condition
        known = np.flatnonzero(~own & ~part.anomalous)
        groups = len(set(conditions[known]))
        for system, views in systems.items():
            detector = described.with_views(views)
            clips = detector.memory.select(np.flatnonzero(own)).views
            scores = judged(detector_of(detector, known), clips)
            values = scores.p_known, scores.p_new, part.anomalous[own]
            smallest = unit_of(*values, smallest_rate(groups))
            wanted = unit_of(*values, RATE) if groups_needed(RATE) <= groups else None
            yield condition, system, smallest, wanted


def described_part(part: Part, recipe: Recipe, cache: Path) -> FittedDetector:
    """Return a detector that remembers all clips of a part, healthy or not, in all raw views."""
    store = FeatureStore(cache, recipe.audio, recipe.features)
    store.add(list(part.paths))
    views = list(dict.fromkeys([*recipe.detect.views, *RAW_VIEWS]))
    settings = recipe.detect.model_copy(update={"views": views})
    every = recipe.model_copy(update={"detect": settings})
    bank = store.open(list(part.paths))
    return describe(every, bank, part.recordings, part.conditions)


def unit_of(
    p_known: NDArray[np.float64],
    p_new: NDArray[np.float64],
    anomalous: NDArray[np.bool_],
    rate: float,
) -> Unit:
    """Return which parts of the clips (clip,) of a condition are flagged at a rate."""

    def flagged(p: NDArray[np.float64], of: NDArray[np.bool_]) -> float | None:
        return float((p[of] <= rate + ROUNDING).mean()) if of.any() else None

    return Unit(rate, flagged(p_new, ~anomalous), flagged(p_new, anomalous),
                flagged(p_known, ~anomalous))  # fmt: skip


def row(name: str, units: Mapping[str, Mapping[str, Sequence[Unit]]]) -> dict[str, object]:
    """Return a row of the results, the detector's figures first, then those of each raw view."""
    figures = {system: figures_of(of) for system, of in units.items()}
    return {"set": name, **figures.pop(DETECTOR), "raw": figures}


def figures_of(conditions: Mapping[str, Sequence[Unit]]) -> dict[str, float]:
    """Return the means over conditions of what their units, one for each part, gave."""

    def means(column: str) -> NDArray[np.float64]:
        given = ([getattr(unit, column) for unit in units] for units in conditions.values())
        there = ([value for value in values if value is not None] for values in given)
        return np.array([np.mean(values) for values in there if values])

    healthy, anomalies, known = means("healthy"), means("anomalies"), means("known")
    return {
        "rate": float(means("rate").mean()),
        "false_alarms": float(healthy.mean()),
        "standard_error": float(healthy.std(ddof=1) / np.sqrt(len(healthy))),
        "found": float(anomalies.mean()) if len(anomalies) else float("nan"),
        "conditions": len(healthy),
        "known_promise_false_alarms": float(known.mean()),
    }


def table(rows: Rows) -> str:
    """Return the rows as Markdown, in %."""
    header = ["set", "α", "conditions", "system", "false alarms", "found", "known promise"]
    lines = []
    for each in rows:
        raw: Mapping[str, Mapping[str, float]] = each["raw"]  # type: ignore[assignment]
        for system, figures in {DETECTOR: each, **raw}.items():
            values = {key: 100 * float(value) for key, value in figures.items() if key in NUMBERS}  # type: ignore[arg-type]
            lines.append(
                [
                    str(each["set"]),
                    f"{values['rate']:.3g}",
                    str(figures["conditions"]),
                    f"**{system}**" if system == DETECTOR else system,
                    f"{values['false_alarms']:.1f} ± {values['standard_error']:.1f}",
                    f"{values['found']:.1f}",
                    f"{values['known_promise_false_alarms']:.1f}",
                ]
            )
    return markdown_table(header, lines)


NUMBERS = ("rate", "false_alarms", "standard_error", "found", "known_promise_false_alarms")

if __name__ == "__main__":
    main()
