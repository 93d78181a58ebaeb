"""`dgmix evaluate`: the metrics of one system's score files, as data, as text and as JSON."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from dgmix.errors import InputError, choices
from dgmix.evaluate.completeness import missing_clips
from dgmix.evaluate.decisions import Decisions, read_decisions
from dgmix.evaluate.formats import in_order, percent, shown, text_table
from dgmix.evaluate.intervals import Estimate, Resampled, resample
from dgmix.evaluate.metrics import arithmetic_mean
from dgmix.evaluate.notes import METRIC_NAMES, notes
from dgmix.evaluate.rules import (
    blocks,
    first_shot_notes,
    official_convention,
    refuse_mixture,
    year_notes,
    year_of_scores,
)
from dgmix.evaluate.scores import read_scores, shown_system, systems_of
from dgmix.tables import html_table, pandas_frame, polars_frame

if TYPE_CHECKING:
    import pandas
    import polars

Numbers = Mapping[str, float | None]
Row = Mapping[str, str | float | None]
Means = Mapping[str, Numbers]
CHOICES = ("official", "same-domain")


@dataclass(frozen=True, repr=False)
class Evaluation:
    """The metrics of one system's scores: fractions in [0, 1], None where undefined.

    `convention` is "official" or "same-domain", `year` the year of DCASE Task 2 that the clips are
    of and whose rule is the official one (None: not certain, the rule of 2022 on). `omega` is that
    year's aggregate, over machines, sections and metrics (see `dgmix.evaluate.metrics`), with its
    bootstrap interval or, over several train/test splits, its standard error; `blocks` has it of
    the development ("dev") and of the evaluation set ("eval") where both are there. `rows` has
    machine, section and the metrics of each section, averaged over seeds and splits. `means` has
    the "arithmetic" and the "harmonic" mean of each metric over everything, `machines` those over
    each machine's sections; the one that the year's rule takes has "omega" too. `decisions` has
    precision, recall and F1 of each section and domain where decisions lie beside the scores.
    `notes` tells how all this was made and what was left out.
    """

    system: str
    convention: str
    year: int | None
    omega: float | None
    omega_interval: tuple[float, float] | None
    omega_error: float | None
    blocks: Numbers
    rows: Sequence[Row]
    means: Means
    machines: Mapping[str, Means]
    decisions: Sequence[Row]
    notes: Sequence[str]

    def __repr__(self) -> str:
        return self.to_text()

    def _repr_html_(self) -> str:
        lines = [list(row.values()) for row in self.rows]
        caption = self.to_text().partition("\n")[0].replace(", in %", ", as fractions")
        return html_table(list(self.rows[0]) if self.rows else [], lines, caption)

    def to_polars(self) -> polars.DataFrame:
        """Return the metrics of each machine and section as a polars data frame."""
        return polars_frame(self.rows)

    def to_pandas(self) -> pandas.DataFrame:
        """Return the metrics of each machine and section as a pandas data frame."""
        return pandas_frame(self.rows)

    def to_json(self) -> str:
        """Return everything as JSON: fractions, undefined as null."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False, allow_nan=False)

    def to_text(self) -> str:
        """Return a table for the terminal, in per cent, with the notes below it."""
        metrics = [name for name in self.means["arithmetic"] if name != "omega"]
        lines = []
        for machine, means in self.machines.items():
            of_machine = [row for row in self.rows if row["machine"] == machine]
            lines += [[machine, str(row["section"]), *_shown(row, metrics)] for row in of_machine]
            lines += [[machine, f"{kind} mean", *_shown(means[kind], metrics)] for kind in means]
        lines += [
            ["all", f"{kind} mean", *_shown(self.means[kind], metrics)] for kind in self.means
        ]
        table = text_table(["machine", "section", *(METRIC_NAMES[m] for m in metrics)], lines)
        omega = Estimate(
            _number(self.omega),
            *(self.omega_interval or (math.nan, math.nan)),
            _number(self.omega_error),
        )
        parts = "".join(f", {name} {percent(_number(v))}" for name, v in self.blocks.items())
        of_year = f" of DCASE {self.year}" if self.year and self.convention == "official" else ""
        head = f"{shown_system(self.system)}, {self.convention} metric{of_year}, in %"
        remarks = "\n".join(f"- {note}" for note in self.notes)
        decisions = self._decisions_text()
        return "\n\n".join([head, table, *decisions, f"Ω {shown(omega)}{parts}", remarks])

    def _decisions_text(self) -> list[str]:
        """Return the table of decisions, if there are any."""
        numbers = ("precision", "recall", "f1")
        lines = [
            [str(row["machine"]), str(row["section"]), str(row["domain"]), *_shown(row, numbers)]
            for row in self.decisions
        ]
        header = ["machine", "section", "domain", "precision", "recall", "F1"]
        return [f"Decisions, in %\n\n{text_table(header, lines)}"] if lines else []


def evaluate_scores(
    path: str | os.PathLike[str],
    convention: str = "official",
    ground_truth: str | os.PathLike[str] | None = None,
    bootstrap: int = 1000,
    confidence: float = 0.95,
    system: str | None = None,
    year: int | None = None,
) -> Evaluation:
    """Return the metrics of the scores in a file or folder, of dgmix or of any other system.

    `path` and `ground_truth` are as in `dgmix.evaluate.scores.read_scores`; `convention` is
    "official", by the rule of the `year` of DCASE Task 2 that the scores are of (without a number
    the names of machines, sections and clips tell), or "same-domain"; `bootstrap` is the number of
    resamples and `confidence` the part of them that the interval covers. Where scores of several
    systems lie there, `system` names the one that is meant; dgmix, by default. With a `year`,
    anonymous evaluation clips get the labels that dgmix knows for them.

    Raises `InputError` for bad files, an unknown convention, a system that is not there, and scores
    of several years or of another one than `year`.
    """
    if convention not in CHOICES:
        raise InputError(f"no convention '{convention}'{choices(convention, CHOICES)}")
    scores = read_scores(path, ground_truth, year)
    system = chosen_system(systems_of(scores), system, path)
    scores = scores.filter(system=system)
    refuse_mixture(set(scores.select("machine", "section").unique().iter_rows()))
    known = year_of_scores(scores, year)
    chosen = official_convention(known) if convention == "official" else "same-domain"
    judged = resample(scores, chosen, bootstrap, confidence)
    omega = judged.estimate(system)
    machines = in_order({machine for machine, _ in judged.places(system)})
    folder = Path(path)
    decisions = read_decisions(folder, scores, system) if folder.is_dir() else []
    return Evaluation(
        system=system,
        convention=convention,
        year=known.number if known else None,
        omega=_defined(omega.value),
        omega_interval=None if math.isnan(omega.low) else (omega.low, omega.high),
        omega_error=_defined(omega.error),
        blocks=_blocks(judged, system),
        rows=[row for machine in machines for row in _rows(judged, machine)],
        means=_means(judged, system, None),
        machines={machine: _means(judged, system, machine) for machine in machines},
        decisions=[_decision_row(each) for each in decisions],
        notes=[
            *notes(judged, scores),
            *missing_clips(scores),
            *year_notes(scores, year),
            *first_shot_notes(folder, known),
        ],
    )


def _blocks(judged: Resampled, system: str) -> Numbers:
    """Return Ω of the development and of the evaluation set, where both are there."""
    parts = blocks(judged.places(system))
    return {
        name: _defined(judged.estimate(system, places=places).value)
        for name, places in parts.items()
        if places is not None
    }


def _decision_row(decisions: Decisions) -> Row:
    row = decisions._asdict()
    return {name: v if isinstance(v, str) else _defined(v) for name, v in row.items()}


def chosen_system(systems: Sequence[str], wanted: str | None, path: str | os.PathLike[str]) -> str:
    """Return the system that is `wanted`, or the only one, or dgmix; `InputError` if there is none.

    `systems` are those whose scores lie at `path`.
    """
    if wanted is None and (len(systems) == 1 or "dgmix" in systems):
        return systems[0]
    if wanted in systems:
        return str(wanted)
    there = ", ".join(systems)
    if wanted is None:
        raise InputError(f"{path}: scores of several systems ({there}); choose the folder of one")
    raise InputError(f"{path}: no scores of a system '{wanted}'{choices(wanted, systems)}")


def _rows(judged: Resampled, machine: str) -> list[Row]:
    sections = sorted({unit.section for unit in judged.cells if unit.machine == machine})
    return [{"machine": machine, "section": s, **_average(judged, machine, s)} for s in sections]


def _average(judged: Resampled, machine: str | None, section: str | None = None) -> Numbers:
    """Return the arithmetic mean of each metric over sections, seeds and repeats."""
    cells = [
        values[0]
        for unit, values in judged.cells.items()
        if machine in (None, unit.machine) and section in (None, unit.section)
    ]
    means = map(_defined, arithmetic_mean(cells, axis=0))
    return dict(zip(judged.metrics, means, strict=True))


def _means(judged: Resampled, system: str, machine: str | None) -> Means:
    """Return both means; that which the convention takes for Ω has it, and Ω itself."""
    wanted: dict[str, Sequence[str]] = {metric: [metric] for metric in judged.metrics}
    official = {
        name: _defined(judged.estimate(system, metrics, machine).value)
        for name, metrics in {**wanted, "omega": judged.metrics}.items()
    }
    if judged.convention == "by-id":
        return {"arithmetic": official}
    return {"arithmetic": _average(judged, machine), "harmonic": official}


def _shown(numbers: Mapping[str, str | float | None], metrics: Sequence[str]) -> list[str]:
    return [percent(_number(numbers[metric])) for metric in metrics]


def _defined(number: float) -> float | None:
    return None if math.isnan(number) else float(number)


def _number(value: str | float | None) -> float:
    return math.nan if value is None else float(value)
