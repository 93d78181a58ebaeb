"""The tables of `benchmarks/quality.py`, and how they come into the README."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from quality_systems import DETECTOR, NAMES, OF_SECTIONS

from dgmix.detect.views import RAW_VIEWS
from dgmix.errors import InputError
from dgmix.evaluate.formats import markdown_table, shown
from dgmix.evaluate.intervals import Estimate, Resampled
from dgmix.evaluate.metrics import METRICS
from dgmix.evaluate.notes import METRIC_NAMES
from dgmix.files import explained, write_text

NOTHING = "–"
MEAN = "mean, sets with splits"


@dataclass(frozen=True)
class Judged:
    """A data set's metrics, and how long each system trained on it on average, in seconds."""

    metrics: Resampled
    seconds: Mapping[str, float] = field(default_factory=dict)
    several_sections: bool = True

    @property
    def systems(self) -> set[str]:
        return {unit.system for unit in self.metrics.cells}

    @property
    def best_raw(self) -> str | None:
        """The raw view with the highest Ω on these very test clips: no detector could know it."""
        views = [view for view in RAW_VIEWS if view in self.systems]
        omega = {view: self.metrics.estimate(view).value for view in views}
        return max(views, key=lambda view: omega[view], default=None)


Sets = Mapping[str, Judged]
Measure = Callable[[Judged, str], Estimate]


def page(sets: Sets) -> str:
    """Return all tables as Markdown: those of the README, then one for each single metric."""
    single = [
        f"{METRIC_NAMES[metric]}, official, in %:\n\n{table(sets, metric, measure_of([metric]))}"
        for metric in METRICS
    ]
    return "\n\n".join([readme_part(sets), *single]) + "\n"


def readme_part(sets: Sets) -> str:
    """Return Ω, the lead over the best raw view, and the seconds of training, as Markdown."""
    best = {name: judged.best_raw for name, judged in sets.items()}
    named = ", ".join(f"{NAMES[view]} on {name}" for name, view in best.items() if view)
    parts = [table(sets, "Ω, official", measure_of(METRICS))]
    if named:
        parts += [
            f"How far above the best raw view of each set ({named}; chosen by the test labels, so "
            "no detector could know), paired by clips, splits and seeds:",
            table(sets, "lead in Ω", lead),
        ]
    return "\n\n".join([*parts, "Seconds of one training, on one core:", seconds_table(sets)])


def measure_of(metrics: Sequence[str]) -> Measure:
    return lambda judged, system: judged.metrics.estimate(system, metrics)


def lead(judged: Judged, system: str) -> Estimate:
    """Return the Ω of a system above that of the best raw view."""
    if judged.best_raw is None:
        return Estimate(math.nan)
    return judged.metrics.difference(system, judged.best_raw)


def table(sets: Sets, title: str, measure: Measure) -> str:
    """Return a row a system and a column a data set; then the mean over those with splits."""
    split = [judged for judged in sets.values() if judged.metrics.several_repeats]
    header = [title, *sets, *([MEAN] if len(split) > 1 else [])]
    rows = []
    for system in systems_of(sets):
        row = [name_of(system), *(cell(judged, system, measure) for judged in sets.values())]
        if len(split) > 1:
            there = all(system in judged.systems for judged in split)
            row.append(mean_cell([measure(j, system) for j in split]) if there else NOTHING)
        rows.append(row)
    return markdown_table(header, rows)


def cell(judged: Judged, system: str, measure: Measure) -> str:
    if system not in judged.systems:
        alone = system in OF_SECTIONS and not judged.several_sections
        return "one section" if alone else NOTHING
    if measure is lead and system == judged.best_raw:
        return "the best"
    return shown(measure(judged, system))


def mean_cell(estimates: Sequence[Estimate]) -> str:
    """Return the mean over data sets with its standard error; the sets are independent."""
    mean = sum(each.value for each in estimates) / len(estimates)
    error = math.hypot(*(each.error for each in estimates)) / len(estimates)
    return shown(Estimate(mean, error=error))


def seconds_table(sets: Sets) -> str:
    """Return the seconds of the systems that train, a column a data set."""
    rows = [
        [name_of(system), *(seconds_cell(judged, system) for judged in sets.values())]
        for system in systems_of(sets)
    ]
    trained = [row for row in rows if set(row[1:]) != {NOTHING}]
    return markdown_table(["training, s", *sets], trained)


def seconds_cell(judged: Judged, system: str) -> str:
    seconds = judged.seconds.get(system, math.nan)
    return NOTHING if math.isnan(seconds) else f"{seconds:.3g}"


def systems_of(sets: Sets) -> list[str]:
    """Return the systems of all sets, in the order of `NAMES`."""
    there = set().union(*(judged.systems for judged in sets.values()))
    skipped = {s for s in OF_SECTIONS if any(s in judged.systems for judged in sets.values())}
    return [system for system in NAMES if system in there | skipped]


def name_of(system: str) -> str:
    return f"**{NAMES[system]}**" if system == DETECTOR else NAMES[system]


def write_between_markers(path: Path, text: str, name: str = "quality") -> None:
    """Replace what stands between the markers `<!-- name -->` and `<!-- /name -->` of a file.

    Raises `InputError` where the file does not have each of them once, in order.
    """
    with explained(path):
        whole = path.read_text("utf-8")
    write_text(path, written_between(whole, name, text, path))


def written_between(whole: str, name: str, text: str, path: Path) -> str:
    """Return the text of a page with another text between the markers of a name.

    Raises `InputError`, which names `path`, where it does not have each of them once, in order.
    """
    start, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, first, rest = whole.partition(start)
    _, last, after = rest.partition(end)
    if not (first and last) or start in rest or end in before + after:
        raise InputError(f"{path}: needs one line {start} and after it one line {end}")
    return f"{before}{start}\n{text}\n{end}{after}"
