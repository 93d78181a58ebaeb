"""One score from those of several views, without labels.

Each view's score is told in units of the healthy clips: how many standard deviations its logarithm
lies above their mean, where a healthy clip's own score is that against the others. A clip's score
is the largest over the views. A fault shows in some view, and which one is not known beforehand:
the mean over views would drown it in those that do not hear it. Distances are positive and skewed,
their logarithms are not: hence the logarithm.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_SPREAD = 0.02
TINY = 1e-12
Floats = NDArray[np.float64]


def fused(scores: Floats, healthy: Floats) -> Floats:
    """Return the scores (clip,) of clips with `scores` (view, clip).

    `healthy` (view, reference) are the scores of the healthy clips, each against the others.
    The scores of a single view are left as they are.
    """
    if len(scores) == 1:
        return np.asarray(scores[0])
    mean, spread = units(healthy)
    return _largest(scores, mean[:, None], spread[:, None])


def fused_left_out(healthy: Floats, recordings: NDArray[np.int64]) -> Floats:
    """Return the fused scores (reference,) of the healthy clips themselves.

    The units of a clip are those of the clips of other `recordings` (reference,): among few, its
    own score would hide it.
    """
    if len(healthy) == 1:
        return np.asarray(healthy[0])
    sums = _sums(healthy)
    group = np.unique(recordings, return_inverse=True)[1]
    rows = sums.reshape(-1, sums.shape[2])
    own = np.array([np.bincount(group, row)[group] for row in rows]).reshape(sums.shape)
    return _largest(healthy, *_moments(sums.sum(2, keepdims=True) - own))


def units(healthy: Floats) -> tuple[Floats, Floats]:
    """Return mean and standard deviation (view,) of the logarithms of scores (view, reference).

    Infinite ones, of a clip that there is no other for, do not count.
    """
    return _moments(_sums(healthy).sum(2))


def _largest(scores: Floats, mean: Floats, spread: Floats) -> Floats:
    return np.asarray(((_logarithms(scores) - mean) / spread).max(0), np.float64)


def _logarithms(scores: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(scores, TINY)), np.float64)


def _sums(healthy: Floats) -> Floats:
    """Return what moments are made of, number, value and square, (3, view, reference)."""
    logs, finite = _logarithms(healthy), np.isfinite(healthy)
    logs = np.where(finite, logs, 0)
    return np.stack([finite, logs, logs**2])


def _moments(sums: Floats) -> tuple[Floats, Floats]:
    """Return mean and deviation of sums (3, …); a deviation is never below `LEAST_SPREAD`."""
    count, total, squares = sums
    count = np.maximum(count, 1)
    mean = total / count
    return mean, np.sqrt(np.maximum(squares / count - mean**2, LEAST_SPREAD**2))
