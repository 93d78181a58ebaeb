"""How well scores tell anomalies from normal clips: pure functions of arrays.

A higher score means more anomalous. Every metric is a fraction in [0, 1], and NaN where it is not
defined because one of the two classes has no clip; means leave NaN out.

Conventions, never mixed:

- `official` (DCASE Task 2, 2022 on): the AUC of a domain is of its normal clips against **all**
  anomalies of the section, the pAUC is over the whole section;
- `same-domain`: the AUC of a domain is of its normal clips against the anomalies of that domain,
  the pAUC is over the whole section;
- `by-domain` (2021): AUC and pAUC of each domain, of its own normal clips and anomalies;
- `by-id` (2020): AUC and pAUC of each machine id (section), whatever the domain.

The aggregate Ω over machines and sections is the harmonic mean of all these numbers; for `by-id` it
is the arithmetic mean over machines of the mean over their ids of AUC and pAUC. Sources: the
organisers' evaluators (y-kawagu/dcase2020_task2_evaluator, y-kawagu/dcase2021_task2_evaluator,
Kota-Dohi/dcase2022_evaluator) and Kawaguchi et al., arXiv 2106.04492.
"""

from __future__ import annotations

import sys
from typing import Literal, NamedTuple, get_args

import numpy as np
import numpy.typing as npt

Convention = Literal["official", "same-domain", "by-domain", "by-id"]
CONVENTIONS: tuple[Convention, ...] = get_args(Convention)
METRICS = ("auc_source", "auc_target", "pauc")
METRICS_OF: dict[Convention, tuple[str, ...]] = {
    "official": METRICS,
    "same-domain": METRICS,
    "by-domain": ("auc_source", "auc_target", "pauc_source", "pauc_target"),
    "by-id": ("auc", "pauc"),
}
MAX_FPR = 0.1
EPSILON = sys.float_info.epsilon

Floats = npt.NDArray[np.float64]


class SectionScores(NamedTuple):
    """Scores of a section's labelled test clips, float64 (clip,); their order numbers the group."""

    source_normal: Floats
    source_anomaly: Floats
    target_normal: Floats
    target_anomaly: Floats


class SectionMetrics(NamedTuple):
    """The three numbers of a section, as fractions; NaN where undefined (2022 on)."""

    auc_source: float
    auc_target: float
    pauc: float


def auc(normal: npt.ArrayLike, anomaly: npt.ArrayLike) -> float:
    """Return the area under the ROC curve: P(anomaly > normal) + P(equal) / 2.

    `normal` and `anomaly` are scores (clip,). NaN when either is empty.
    """
    return float(auc_of_counts(*_two_class_counts(normal, anomaly)))


def pauc(normal: npt.ArrayLike, anomaly: npt.ArrayLike, max_fpr: float = MAX_FPR) -> float:
    """Return the area up to a false-positive rate, standardised so that chance is 0.5.

    The standardisation is McClish's (Medical Decision Making 9, 1989), as in scikit-learn's
    `roc_auc_score(max_fpr=...)`. NaN when either class is empty; `ValueError` unless
    0 < max_fpr <= 1.
    """
    if not 0 < max_fpr <= 1:
        raise ValueError(f"max_fpr must be in (0, 1], not {max_fpr}")
    return float(pauc_of_counts(*_two_class_counts(normal, anomaly), max_fpr))


def harmonic_mean(values: npt.ArrayLike, axis: int | tuple[int, ...] | None = None) -> Floats:
    """Return the harmonic mean over `axis` (all, by default) of the values that are not NaN.

    Values are raised to the float epsilon (2.22e-16) first, as the organisers' code does, so that
    an AUC of 0 gives a mean near 0 instead of an error. NaN where nothing is defined.
    """
    numbers = np.asarray(values, dtype=np.float64)
    defined = ~np.isnan(numbers)
    inverse = np.where(defined, 1 / np.maximum(np.where(defined, numbers, 1), EPSILON), 0)
    return _divide(defined.sum(axis=axis), inverse.sum(axis=axis))


def arithmetic_mean(values: npt.ArrayLike, axis: int | tuple[int, ...] | None = None) -> Floats:
    """Return the mean over `axis` of the values that are not NaN, or NaN where there is none."""
    numbers = np.asarray(values, dtype=np.float64)
    defined = ~np.isnan(numbers)
    return _divide(np.where(defined, numbers, 0).sum(axis=axis), defined.sum(axis=axis))


def section_metrics(scores: SectionScores, convention: Convention) -> SectionMetrics:
    """Return AUC source, AUC target and pAUC (p = 0.1) of one section.

    `convention` is "official" or "same-domain", whose metrics these are.
    """
    groups = np.repeat(np.arange(len(scores)), [len(group) for group in scores])
    values, level = levels(np.concatenate(scores))
    counts = np.zeros((len(scores), values))
    np.add.at(counts, (groups, level), 1)
    return SectionMetrics(*(float(number) for number in metrics_of_counts(counts, convention)))


def levels(scores: Floats) -> tuple[int, npt.NDArray[np.intp]]:
    """Return how many distinct scores there are, and each clip's rank among them, highest 0."""
    distinct, level = np.unique(-scores, return_inverse=True)
    return len(distinct), level


def metrics_of_counts(counts: Floats, convention: Convention) -> Floats:
    """Return the metrics (..., metric) of clips counted by group and level of score.

    They are those of `METRICS_OF[convention]`, in that order.

    `counts` (group, ..., level) says how many clips of each group of `SectionScores` have each
    distinct score, the highest score first; the axes between are kept (resamples, for example).
    """
    source_normal, source_anomaly, target_normal, target_anomaly = counts
    normal, anomaly = source_normal + target_normal, source_anomaly + target_anomaly
    by_name: dict[str, tuple[Floats, Floats]] = {
        "": (normal, anomaly),
        "source": (source_normal, anomaly if convention == "official" else source_anomaly),
        "target": (target_normal, anomaly if convention == "official" else target_anomaly),
    }
    numbers = []
    for metric in METRICS_OF[convention]:
        kind, _, domain = metric.partition("_")
        pair = by_name[domain]
        numbers.append(auc_of_counts(*pair) if kind == "auc" else pauc_of_counts(*pair, MAX_FPR))
    return np.stack(numbers, axis=-1)


def auc_of_counts(normal: Floats, anomaly: Floats) -> Floats:
    """Return the AUC (...) of clips counted by level of score (..., level), highest first."""
    above_or_half = np.cumsum(anomaly, axis=-1) - anomaly / 2
    pairs = normal.sum(axis=-1) * anomaly.sum(axis=-1)
    return _divide(np.einsum("...l,...l->...", normal, above_or_half), pairs)


def pauc_of_counts(normal: Floats, anomaly: Floats, max_fpr: float) -> Floats:
    """Return the McClish pAUC (...) of clips counted by level of score (..., level).

    Each level is one straight piece of the ROC curve. Those that begin at or beyond `max_fpr` are
    left out, and the last of the others is cut there.
    """
    normals, anomalies = normal.sum(axis=-1), anomaly.sum(axis=-1)
    limit = max_fpr * normals[..., None]
    begin = np.cumsum(normal, axis=-1) - normal
    needed = np.count_nonzero((begin < limit).any(axis=tuple(range(normal.ndim - 1))))
    begin, normal, anomaly = (each[..., :needed] for each in (begin, normal, anomaly))
    width = np.clip(limit - begin, 0, normal)
    cut = width / np.maximum(normal, 1)
    height = np.cumsum(anomaly, axis=-1) - anomaly * (1 - cut / 2)
    area = _divide(np.einsum("...l,...l->...", width, height), normals * anomalies)
    chance = max_fpr**2 / 2
    return np.asarray(0.5 * (1 + (area - chance) / (max_fpr - chance)))


def _two_class_counts(normal: npt.ArrayLike, anomaly: npt.ArrayLike) -> tuple[Floats, Floats]:
    normal, anomaly = (np.asarray(x, dtype=np.float64).ravel() for x in (normal, anomaly))
    count, level = levels(np.concatenate([normal, anomaly]))
    below, above = (
        np.bincount(each, minlength=count).astype(np.float64)
        for each in (level[: len(normal)], level[len(normal) :])
    )
    return below, above


def _divide(numerator: npt.ArrayLike, denominator: npt.ArrayLike) -> Floats:
    numerator, denominator = np.asarray(numerator, np.float64), np.asarray(denominator)
    blank = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    quotient: Floats = np.divide(numerator, denominator, out=blank, where=denominator != 0)
    return quotient
