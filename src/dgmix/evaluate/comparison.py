"""`dgmix compare`: systems side by side, with paired differences by machine.

The systems have to have scored the same clips; each resample then draws the same ones for all of
them, so that a difference has a far narrower interval than the numbers it is made of.
"""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from dgmix.errors import DgmixError, InputError, choices, first_few
from dgmix.evaluate.evaluation import CHOICES, chosen_system
from dgmix.evaluate.formats import in_order, percent, signed, text_table
from dgmix.evaluate.intervals import Estimate, Resampled, resample
from dgmix.evaluate.notes import notes
from dgmix.evaluate.rules import official_convention, refuse_mixture, year_of_scores
from dgmix.evaluate.scores import read_scores, shown_system, systems_of

ALL = "all machines"
Row = Mapping[str, Estimate | None]
PathLike = str | os.PathLike[str]


@dataclass(frozen=True)
class Comparison:
    """Ω of some systems, and how much each one's is above that of the first: fractions.

    `omegas` and `differences` are by machine, "all machines" last, then by system; a difference is
    None for the first system. `year` and `convention` are as in `dgmix.evaluate.Evaluation`.
    """

    systems: Sequence[str]
    convention: str
    year: int | None
    omegas: Mapping[str, Row]
    differences: Mapping[str, Row]
    notes: Sequence[str]

    def to_json(self) -> str:
        """Return everything as JSON: fractions, undefined as null."""
        data = asdict(self)
        for table in ("omegas", "differences"):
            data[table] = {
                machine: {system: _json(estimate) for system, estimate in row.items()}
                for machine, row in getattr(self, table).items()
            }
        return json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)

    def to_text(self) -> str:
        """Return a table for the terminal, in per cent, with the notes below it."""
        first, *others = self.systems
        header = ["Ω", *self.systems, *(f"{system} − {first}" for system in others)]
        lines = []
        for machine, omegas in self.omegas.items():
            differences = (self.differences[machine][system] for system in others)
            omega_cells = [percent((omegas[s] or _UNDEFINED).value) for s in self.systems]
            lines.append(
                [machine, *omega_cells, *(signed(each or _UNDEFINED) for each in differences)]
            )
        of_year = f" of DCASE {self.year}" if self.year and self.convention == "official" else ""
        head = f"{self.convention} metric{of_year}, in %"
        remarks = "\n".join(f"- {note}" for note in self.notes)
        return f"{head}\n\n{text_table(header, lines)}\n\n{remarks}"


def compare_scores(
    paths: Sequence[PathLike],
    convention: str = "official",
    ground_truth: PathLike | None = None,
    bootstrap: int = 1000,
    confidence: float = 0.95,
    system: str | None = None,
    year: int | None = None,
) -> Comparison:
    """Return how systems compare: runs of dgmix, or files or folders of scores of any system.

    Of each path its `system` is taken, dgmix by default, and called as its folder; of one path
    alone all its systems, the first of which is dgmix where it is there. Machines and sections that
    some system has not scored are left out, with a note. The other arguments are those of
    `dgmix.evaluate.evaluate_scores`.

    Raises `InputError` for bad files, and where the systems did not score the same clips.
    """
    if convention not in CHOICES:
        raise InputError(f"no convention '{convention}'{choices(convention, CHOICES)}")
    scores = _together(paths, ground_truth, system, year)
    order = list(dict.fromkeys(scores["system"].to_list()))
    scores, left_out = _common(scores, order)
    refuse_mixture(set(scores.select("machine", "section").unique().iter_rows()))
    known = year_of_scores(scores, year)
    chosen = official_convention(known) if convention == "official" else "same-domain"
    judged = resample(scores, chosen, bootstrap, confidence)
    machines = [*in_order(set(scores["machine"].unique())), None]
    return Comparison(
        systems=order,
        convention=convention,
        year=known.number if known else None,
        omegas={m or ALL: {s: judged.estimate(s, machine=m) for s in order} for m in machines},
        differences={m or ALL: _differences(judged, order, m) for m in machines},
        notes=[*left_out, *notes(judged, scores)],
    )


def _together(
    paths: Sequence[PathLike], truth: PathLike | None, system: str | None, year: int | None
) -> pl.DataFrame:
    """Return the scores of all paths as one table, a system for each, in their order."""
    if not paths:
        raise InputError("nothing to compare; give runs, or files or folders of scores")
    tables = [read_scores(path, truth, year) for path in paths]
    if len(paths) == 1:
        order = systems_of(tables[0])
        if len(order) < 2:
            raise InputError(f"{paths[0]}: scores of one system; give another one to compare with")
        parts = [
            tables[0].filter(system=name).with_columns(system=pl.lit(shown_system(name)))
            for name in order
        ]
        return pl.concat(parts)
    parts = []
    for path, table, label in zip(paths, tables, _labels(paths), strict=True):
        chosen = chosen_system(systems_of(table), system, path)
        parts.append(table.filter(system=chosen).with_columns(system=pl.lit(label)))
    return pl.concat(parts)


def _labels(paths: Sequence[PathLike]) -> list[str]:
    """Return a name for each path: its last part, or all of it where that is not unique."""
    names = [Path(os.path.abspath(path)).name for path in paths]  # noqa: PTH100 - links count
    labels = [
        name if Counter(names)[name] == 1 else os.fspath(path)
        for name, path in zip(names, paths, strict=True)
    ]
    for label, number in Counter(labels).items():
        if number > 1:
            raise InputError(f"{label}: given {number} times; give each run or system once")
    return labels


def _common(scores: pl.DataFrame, systems: Sequence[str]) -> tuple[pl.DataFrame, list[str]]:
    """Return the test clips of the sections that all systems scored, by file name, and notes.

    Raises `InputError` where there is no such section, or where clips of one differ.
    """
    place = ["machine", "section"]
    test = scores.filter(pl.col("split") == "test").with_columns(_by_name())
    of = {s: set(test.filter(system=s).select(place).unique().iter_rows()) for s in systems}
    shared = set.intersection(*of.values())
    if not shared:
        raise InputError(f"{' and '.join(systems)}: no machine and section that all have scored")
    for machine, section in sorted(shared):
        clips = test.filter(machine=machine, section=section)
        sets = {s: set(clips.filter(system=s)["path"]) for s in systems}
        _refuse_other_clips(f"{machine} {section}", sets)
    missing = sorted(set.union(*of.values()) - shared)
    named = first_few([" ".join(each) for each in missing])
    note = [f"Left out, for not every system has scored it: {named}."] if missing else []
    kept = pl.DataFrame(sorted(shared), schema=place, orient="row")
    return test.join(kept, on=place, how="semi", maintain_order="left"), note


def _by_name() -> pl.Expr:
    """Return clips by their file names, or by their paths where names are not unique."""
    name = pl.col("path").str.split("/").list.last()
    unit = ["system", "repeat", "seed", "machine", "section"]
    return (
        pl.when(name.is_unique().over(unit).all().over(["machine", "section"]))
        .then(name)
        .otherwise("path")
        .alias("path")
    )


def _refuse_other_clips(where: str, clips: Mapping[str, set[str]]) -> None:
    (first, wanted), *others = clips.items()
    for system, there in others:
        if different := sorted(wanted ^ there):
            raise InputError(
                f"{first} and {system} did not score the same clips of {where}: "
                f"{first_few(different, 2)} {'is' if len(different) == 1 else 'are'} in one alone; "
                "compare systems that scored the same clips"
            )


def _differences(judged: Resampled, systems: Sequence[str], machine: str | None) -> Row:
    first, *others = systems
    row: dict[str, Estimate | None] = {first: None}
    for system in others:
        try:
            row[system] = judged.difference(system, first, machine=machine)
        except DgmixError:  # seeds and splits in common have other clips
            row[system] = _UNDEFINED
    return row


_UNDEFINED = Estimate(math.nan)


def _json(estimate: Estimate | None) -> dict[str, float | None] | None:
    if estimate is None:
        return None
    numbers = estimate._asdict().items()
    return {name: None if math.isnan(value) else value for name, value in numbers}
