"""One score, and one verdict, from the scores of several views, without labels.

Each view's score is told in units of the healthy clips: how many standard deviations its logarithm
lies above their mean, where a healthy clip's own score is that against the others. A clip's score
is the largest over the views. A fault shows in some view, and which one is not known beforehand:
the mean over views would drown it in those that do not hear it. Distances are positive and skewed,
their logarithms are less so.

For a verdict the clip itself joins those that the units are made of: then it and the healthy clips
are treated alike, which is what a conformal p-value rests on (docs/decisions/0012-views.md).
`weights` (reference,) are one over the number of pieces of a healthy clip's recording.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_SPREAD = 0.02
TINY = 1e-12
Floats = NDArray[np.float64]


def fused(scores: Floats, healthy: Floats, weights: Floats) -> Floats:
    """Return the scores (clip,) of clips with `scores` (view, clip).

    `healthy` (view, reference) are the scores of the healthy clips, each against the others.
    The scores of a single view are left as they are.
    """
    found = scores if len(scores) == 1 else deviations(scores, healthy, weights)
    return np.asarray(found.max(0))


def most_unusual(scores: Floats, healthy: Floats, weights: Floats) -> NDArray[np.int64]:
    """Return the view (clip,), by its number, that gives each clip its fused score."""
    return np.asarray(deviations(scores, healthy, weights).argmax(0))


def left_out(healthy: Floats, weights: Floats) -> Floats:
    """Return the score (reference,) of each healthy clip, if it were not among the healthy.

    The moments of n values without one that lies a deviations above their mean give it the score
    a · √(n / (n − 1)) / √(1 − a² / (n − 1)).
    """
    if len(healthy) == 1:
        return np.asarray(healthy[0])
    total = weights.sum()
    own = deviations(healthy, healthy, weights).max(0)
    return _unbounded(own * np.sqrt(total / max(total - 1, TINY)), total)


def excused(healthy: Floats, weights: Floats) -> Floats:
    """Return the score (reference,) up to which each healthy clip may excuse another clip.

    A clip of a higher score is less usual than this one, whatever its views. (One that differs in
    several views, or in the same as the healthy clip, may be less usual with a lower score.)
    `as_unusual` compares u, the healthy clip, and s, the other one's score, in different views as
    √((n + 1) / n) · (u − d / (n + 1)) / √(1 + d² / (n + 1)) and √(n / (n + 1)) · s /
    √(1 + s² / (n + 1)); the former is largest for d = −1 / u.
    """
    if len(healthy) == 1:
        return np.asarray(healthy[0])
    total = weights.sum()
    own = np.maximum(deviations(healthy, healthy, weights).max(0), 0)
    return _unbounded((total + 1) / total * np.sqrt(own**2 + 1 / (total + 1)), total + 1)


def _unbounded(values: Floats, limit: float) -> Floats:
    """Return s for values s / √(1 + s² / limit): infinity for what no s reaches."""
    rest = 1 - values**2 / max(limit, TINY)
    return np.where(rest > 0, values / np.sqrt(np.where(rest > 0, rest, 1)), np.inf)


def as_unusual(scores: Floats, healthy: Floats, weights: Floats) -> NDArray[np.bool_]:
    """Return which healthy clips (clip, reference) are at least as unusual as each clip.

    `scores` (view, clip) and `healthy` (view, reference). The units are made of the healthy clips
    and the one clip: of the n + 1 values in a view, the mean in units of the n others' deviation
    is d / (n + 1) and the variance n / (n + 1) · (1 + d² / (n + 1)), for a clip d above their mean.
    """
    if len(healthy) == 1:
        return np.asarray(healthy[0] >= scores[0][:, None])
    total = weights.sum()
    theirs = deviations(healthy, healthy, weights)
    asked = deviations(scores, healthy, weights)
    mean = asked / (total + 1)
    spread = np.sqrt(total / (total + 1) * (1 + asked * mean))
    own = ((asked - mean) / spread).max(0)
    reached = np.zeros((scores.shape[1], healthy.shape[1]), bool)
    for view, middle, unit in zip(theirs, mean, spread, strict=True):
        reached |= view >= (middle + unit * own)[:, None]
    return reached


def deviations(scores: Floats, healthy: Floats, weights: Floats) -> Floats:
    """Return scores (view, clip) in units of the healthy ones, float64 (view, clip)."""
    mean, spread = units(healthy, weights)
    return np.asarray((_logarithms(scores) - mean[:, None]) / spread[:, None], np.float64)


def units(healthy: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Return mean and standard deviation (view,) of the logarithms of scores (view, reference).

    Infinite ones, of a clip that there is no other for, do not count.
    """
    finite = np.isfinite(healthy)
    logs = np.where(finite, _logarithms(healthy), 0)
    count = np.maximum((finite * weights).sum(1), TINY)
    mean = (logs * weights).sum(1) / count
    variance = (finite * weights * (logs - mean[:, None]) ** 2).sum(1) / count
    return mean, np.sqrt(np.maximum(variance, LEAST_SPREAD**2))


def _logarithms(scores: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(scores, TINY)), np.float64)
