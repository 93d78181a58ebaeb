"""Decisions, normal or anomalous, in DCASE submission form, and how good they are.

A file `decision_result_<machine>_section_<nn>_test.csv` lies beside each file of anomaly scores
(`decision_result_<machine>_id_<nn>.csv` for the ids of 2020), a line `file name,0` or `file name,1`
for each clip. The threshold comes from healthy recordings alone. Precision, recall and F1 of a
domain are of its own normal and anomalous clips, as in the organisers' evaluators from 2021 on.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dgmix.errors import InputError
from dgmix.evaluate.score_lines import score_lines
from dgmix.evaluate.scores import submission_files
from dgmix.files import make_folder, write_text

RATE = 0.1
"""The part of healthy clips above the threshold: the organisers' baseline takes this one too."""
_FILE = re.compile(
    r"decision_result_(?P<machine>.+?)_(?:section_(?P<section>.+?)|(?P<id>id_\d+))"
    r"(?:_(?:source|target))?(?:_test)?\.csv"
)


class Decisions(NamedTuple):
    """How good the decisions of a section and domain are; fractions, NaN where undefined."""

    machine: str
    section: str
    domain: str
    precision: float
    recall: float
    f1: float


def healthy_threshold(scores: NDArray[np.float64], rate: float = RATE) -> float:
    """Return the score that of healthy clips like these at most a part `rate` is above.

    It is the k-th smallest of the n `scores` (clip,), k = ⌈(n + 1)(1 − rate)⌉, or the largest where
    n is too small for the rate. `ValueError` when there is none.
    """
    if not len(scores):
        raise ValueError("no healthy scores")
    rank = min(len(scores), math.ceil((len(scores) + 1) * (1 - rate)))
    return float(np.sort(scores)[rank - 1])


def decide(
    scores: pl.DataFrame, healthy: NDArray[np.float64], sections: Sequence[str]
) -> pl.DataFrame:
    """Return a table of scores with 1.0 in place of the scores above the threshold, else 0.0.

    `healthy` (clip,) are scores of the healthy clips, left out of what they are compared with, and
    `sections` is the section of each. A section without healthy clips has the threshold of all.
    """
    where = np.array(sections, object)
    thresholds = {
        section: healthy_threshold(healthy[where == section] if section in sections else healthy)
        for section in scores["section"].unique()
    }
    limit = pl.col("section").replace_strict(thresholds, return_dtype=pl.Float64)
    return scores.with_columns(score=(pl.col("score") > limit).cast(pl.Float64))


def write_decisions(folder: Path, decided: pl.DataFrame) -> list[Path]:
    """Write the decisions of `decide` in submission form to a folder and return the paths."""
    made = make_folder(folder)
    written = []
    for name, text in submission_files(decided).items():
        path = made / name.replace("anomaly_score_", "decision_result_", 1)
        write_text(path, re.sub(r",([01])\.0$", r",\1", text, flags=re.MULTILINE))
        written.append(path)
    return written


def read_decisions(folder: Path, scores: pl.DataFrame, system: str) -> list[Decisions]:
    """Return how good a system's decisions below a folder are, sorted; nothing without decisions.

    They are all there are of "dgmix", and those in a folder with its name of another system.
    `scores` of the same clips tell domain and label. Of several seeds or splits it is the mean.
    Raises `InputError`, naming file and line, for what is no decision, and for a clip that has no
    score.
    """
    labels = {
        (row["machine"], row["section"], Path(row["path"]).name): (row["domain"], row["label"])
        for row in scores.iter_rows(named=True)
    }
    groups: dict[tuple[str, str, str], list[tuple[float, float, float]]] = {}
    for path in sorted(folder.rglob("decision_result_*.csv")):
        form = _FILE.fullmatch(path.name)
        if form and system in ("dgmix", path.absolute().parent.name):
            machine, section = form["machine"], form["section"] or form["id"]
            for domain, counts in _counts(path, machine, section, labels).items():
                groups.setdefault((machine, section, domain), []).append(_rates(*counts))
    return [Decisions(*group, *np.mean(rates, axis=0)) for group, rates in sorted(groups.items())]


def _counts(
    path: Path,
    machine: str,
    section: str,
    labels: Mapping[tuple[str, str, str], tuple[str, str]],
) -> dict[str, tuple[int, int, int]]:
    """Return hits, false alarms and misses of a file, by domain."""
    counts: dict[str, tuple[int, int, int]] = {}
    for number, cells in score_lines(path).lines:
        if len(cells) != 2 or cells[1].strip() not in ("0", "1"):
            raise InputError(f"{path}, line {number}: expected a file name and 0 or 1")
        clip = (machine, section, Path(cells[0]).name)
        if clip not in labels:
            raise InputError(f"{path}, line {number}: '{cells[0]}' has no anomaly score")
        domain, label = labels[clip]
        if label == "unknown" or domain == "unknown":
            continue
        alarm, anomaly = cells[1].strip() == "1", label == "anomaly"
        hits, false_alarms, misses = counts.get(domain, (0, 0, 0))
        counts[domain] = (
            hits + (alarm and anomaly),
            false_alarms + (alarm and not anomaly),
            misses + (anomaly and not alarm),
        )
    return counts


def _rates(hits: int, false_alarms: int, misses: int) -> tuple[float, float, float]:
    """Return precision, recall and F1; 0 where nothing was flagged or nothing was to be flagged."""
    precision = hits / max(hits + false_alarms, 1)
    recall = hits / max(hits + misses, 1)
    f1 = 2 * hits / max(2 * hits + false_alarms + misses, 1)
    return precision, recall, f1
