"""`dgmix evaluate`: the metrics of one system's score files, as data, as text and as JSON."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from dgmix.errors import InputError
from dgmix.evaluate.completeness import missing_clips
from dgmix.evaluate.intervals import Estimate, Resampled, resample
from dgmix.evaluate.metrics import CONVENTIONS, METRICS, arithmetic_mean
from dgmix.evaluate.scores import read_scores, shown_system, systems_of
from dgmix.evaluate.tables import METRIC_NAMES, in_order, notes, percent, shown, text_table

Numbers = Mapping[str, float | None]
Row = Mapping[str, str | float | None]
Means = Mapping[str, Numbers]


@dataclass(frozen=True)
class Evaluation:
    """The metrics of one system's scores: fractions in [0, 1], None where undefined.

    `convention` says which AUC of a domain this is (see `dgmix.evaluate.metrics`). `omega` is the
    harmonic mean over machines, sections and the three metrics, with its bootstrap interval or,
    over several train/test splits, its standard error. `rows` has machine, section and the three
    metrics of each section, averaged over seeds and splits. `means` has the "arithmetic" and the
    "harmonic" mean of each metric over everything, `machines` those over each machine's sections;
    a harmonic mean has "omega" too. `notes` tells how all this was made and what was left out.
    """

    system: str
    convention: str
    omega: float | None
    omega_interval: tuple[float, float] | None
    omega_error: float | None
    rows: Sequence[Row]
    means: Means
    machines: Mapping[str, Means]
    notes: Sequence[str]

    def to_json(self) -> str:
        """Return everything as JSON: fractions, undefined as null."""
        return json.dumps(asdict(self), indent=2, allow_nan=False)

    def to_text(self) -> str:
        """Return a table for the terminal, in per cent, with the notes below it."""
        lines = []
        for machine, means in self.machines.items():
            of_machine = [row for row in self.rows if row["machine"] == machine]
            lines += [[machine, str(row["section"]), *_shown(row)] for row in of_machine]
            lines += [[machine, f"{kind} mean", *_shown(means[kind])] for kind in means]
        lines += [["all", f"{kind} mean", *_shown(self.means[kind])] for kind in self.means]
        table = text_table(["machine", "section", *METRIC_NAMES.values()], lines)
        omega = Estimate(
            _number(self.omega),
            *(self.omega_interval or (math.nan, math.nan)),
            _number(self.omega_error),
        )
        head = f"{shown_system(self.system)}, {self.convention} metric, in %"
        remarks = "\n".join(f"- {note}" for note in self.notes)
        return f"{head}\n\n{table}\n\nΩ {shown(omega)}\n\n{remarks}"


def evaluate_scores(
    path: str | os.PathLike[str],
    convention: str = "official",
    ground_truth: str | os.PathLike[str] | None = None,
    bootstrap: int = 1000,
    confidence: float = 0.95,
    system: str | None = None,
) -> Evaluation:
    """Return the metrics of the scores in a file or folder, of dgmix or of any other system.

    `path` and `ground_truth` are as in `dgmix.evaluate.scores.read_scores`; `convention` is
    "official" or "same-domain"; `bootstrap` is the number of resamples and `confidence` the part of
    them that the interval covers. Where scores of several systems lie there, `system` names the one
    that is meant; dgmix, by default.

    Raises `InputError` for bad files, an unknown convention and a system that is not there.
    """
    chosen = next((name for name in CONVENTIONS if name == convention), None)
    if chosen is None:
        raise InputError(f"convention '{convention}': choose one of {', '.join(CONVENTIONS)}")
    scores = read_scores(path, ground_truth)
    system = _chosen(systems_of(scores), system, path)
    scores = scores.filter(system=system)
    judged = resample(scores, chosen, bootstrap, confidence)
    omega = judged.estimate(system)
    machines = in_order({machine for machine, _ in judged.places(system)})
    return Evaluation(
        system=system,
        convention=chosen,
        omega=_defined(omega.value),
        omega_interval=None if math.isnan(omega.low) else (omega.low, omega.high),
        omega_error=_defined(omega.error),
        rows=[row for machine in machines for row in _rows(judged, machine)],
        means=_means(judged, system, None),
        machines={machine: _means(judged, system, machine) for machine in machines},
        notes=[*notes(judged, scores), *missing_clips(scores)],
    )


def _chosen(systems: Sequence[str], wanted: str | None, path: str | os.PathLike[str]) -> str:
    if wanted is None and (len(systems) == 1 or "dgmix" in systems):
        return systems[0]
    if wanted in systems:
        return str(wanted)
    there = ", ".join(systems)
    if wanted is None:
        raise InputError(f"{path}: scores of several systems ({there}); choose the folder of one")
    raise InputError(f"{path}: no scores of a system '{wanted}'; there are {there}")


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
    return dict(zip(METRICS, map(_defined, arithmetic_mean(cells, axis=0)), strict=True))


def _means(judged: Resampled, system: str, machine: str | None) -> Means:
    wanted = {**{metric: [metric] for metric in METRICS}, "omega": METRICS}
    harmonic = {
        name: _defined(judged.estimate(system, metrics, machine).value)
        for name, metrics in wanted.items()
    }
    return {"arithmetic": _average(judged, machine), "harmonic": harmonic}


def _shown(numbers: Mapping[str, str | float | None]) -> list[str]:
    return [percent(_number(numbers[metric])) for metric in METRICS]


def _defined(number: float) -> float | None:
    return None if math.isnan(number) else float(number)


def _number(value: str | float | None) -> float:
    return math.nan if value is None else float(value)
