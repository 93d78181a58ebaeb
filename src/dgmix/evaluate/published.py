"""Figures that others have published, to stand beside a run's own.

`FIGURES` is data: the official score in % of the development and of the evaluation set, by year.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

ASDKIT = "ASDKit, four seeds (Fujimura et al., arXiv 2507.10264, docs/results.png)"
TASK_2026 = "organisers' baseline (Nishida et al., arXiv 2606.01578)"
EVALUATOR_2023 = "README of nttcslab/dcase2023_task2_evaluator"
Score = tuple[float | None, float | None]
"""Ω in % of the development and of the evaluation set; None where it is not published."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What one system reached."""

    system: str
    source: str
    scores: Mapping[int, Score]


def _asdkit(system: str, *scores: Score) -> Figures:
    return Figures(system, ASDKIT, dict(zip(range(2020, 2025), scores, strict=True)))


FIGURES = (
    _asdkit(
        "autoencoder",
        *((65.33, 67.18), (56.46, 54.89), (53.84, 53.46), (54.82, 57.80), (55.02, 56.71)),
    ),
    _asdkit(
        "raw spectrogram, kNN",
        *((64.81, 62.22), (55.92, 54.92), (58.15, 55.32), (54.75, 59.99), (54.16, 54.04)),
    ),
    _asdkit(
        "frozen BEATs, kNN",
        *((70.24, 71.15), (62.85, 58.12), (61.86, 57.08), (60.11, 62.40), (56.11, 57.62)),
    ),
    _asdkit(
        "frozen EAT, kNN",
        *((66.04, 68.36), (57.80, 57.90), (58.35, 57.09), (56.74, 59.81), (54.87, 56.30)),
    ),
    _asdkit(
        "spectrum, SCAC",
        *((90.57, 91.96), (69.14, 65.36), (71.62, 67.74), (64.40, 66.14), (61.58, 56.84)),
    ),
    _asdkit(
        "multi-resolution spectrum, SCAC",
        *((91.65, 92.84), (69.80, 67.13), (71.74, 68.99), (66.08, 68.60), (63.05, 56.73)),
    ),
    _asdkit(
        "BEATs LoRA, SCAC",
        *((90.63, 93.52), (73.06, 67.62), (73.24, 68.87), (62.66, 71.46), (59.53, 61.72)),
    ),
    _asdkit(
        "EAT LoRA, SCAC",
        *((90.41, 93.46), (72.91, 67.57), (73.88, 69.85), (63.98, 72.04), (59.93, 61.47)),
    ),
    Figures(
        "challenge baseline",
        ASDKIT,
        {2021: (None, 56.38), 2022: (None, 54.02), 2023: (None, 61.05), 2024: (None, 56.51)},
    ),
    Figures(
        "challenge winner",
        ASDKIT,
        {2021: (None, 66.80), 2022: (None, 70.97), 2023: (None, 66.97), 2024: (None, 66.24)},
    ),
    Figures("challenge baseline, MSE", EVALUATOR_2023, {2023: (None, 59.25)}),
    Figures(
        "frozen BEATs, LDN, DACo",
        "Mkrtchian, arXiv 2607.04526; after the challenge, training-free",
        {2025: (None, 61.05)},
    ),
    Figures("challenge baseline, MSE", TASK_2026, {2026: (56.66, 59.80)}),
    Figures("challenge baseline, Mahalanobis", TASK_2026, {2026: (57.66, 54.76)}),
    Figures(
        "challenge winner, NA-BEATs ensemble",
        "Fujimura et al. (MERL), arXiv 2608.00447",
        {2026: (66.20, 70.24)},
    ),
)


def figures_of(year: int) -> list[tuple[str, Score, str]]:
    """Return what is published of a year: system, scores in %, source."""
    return [
        (each.system, each.scores[year], each.source) for each in FIGURES if year in each.scores
    ]
