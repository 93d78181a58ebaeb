"""One score from the distances of several views, without labels.

A view's distance, as a logarithm, is expressed in standard deviations from the mean of the healthy
ones. The score is the largest of these over the views: a fault shows in some view, and which one is
not known beforehand; the mean over views would drown it (docs/decisions/0012-views.md).

For a p-value the recording in question joins those that mean and deviation are made of, so that it
and the healthy ones are treated alike (docs/decisions/0019-exact-verdicts.md). The variance is
drawn to a fixed one, which decides where there are few recordings.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

TINY = 1e-12
PRIOR_DEVIATION = 0.3  # of the logarithm of a distance
PRIOR_COUNT = 3.0
Floats = NDArray[np.float64]


def logarithms(distances: Floats) -> Floats:
    """Return the natural logarithm of distances, of the same shape; of infinity, infinity."""
    return np.asarray(np.log(np.maximum(distances, TINY)), np.float64)


def joint_scores(own: Floats, healthy: Floats, votes: Floats) -> tuple[Floats, Floats]:
    """Return the scores of queries (query,) and of the healthy pieces beside each (query, piece).

    `own` (view, query) are the distances of queries; `healthy` (view, query, piece) those of the
    healthy pieces, each measured as if the query were one of the healthy; `votes` (piece,). Mean
    and deviation are of the query, with one vote, and the healthy pieces.
    """
    mine, others = logarithms(own), logarithms(healthy)
    total = votes.sum() + 1
    mean = (others @ votes + mine) / total
    squares = ((others - mean[..., None]) ** 2) @ votes + (mine - mean) ** 2
    deviation = _deviation(squares, total)
    scores = ((mine - mean) / deviation).max(0)
    return scores, ((others - mean[..., None]) / deviation[..., None]).max(0)


class Units:
    """Mean and deviation (view,) of the logarithms of healthy distances (view, piece).

    Distances that are infinite, of a piece that there is no other for, do not count.
    """

    def __init__(self, healthy: Floats, votes: Floats) -> None:
        self._logs = logarithms(healthy)
        self._finite = np.isfinite(self._logs)
        self._votes = self._finite * votes
        self._logs = np.where(self._finite, self._logs, 0)
        self.mean, self.deviation = self._moments(self._votes.sum(1), self._sums(self._votes))

    def deviations(self, distances: Floats) -> Floats:
        """Return distances (view, query) in these units, (view, query)."""
        return (logarithms(distances) - self.mean[:, None]) / self.deviation[:, None]

    def left_out(self, groups: Sequence[str]) -> Floats:
        """Return the score (piece,) of each healthy piece in units made without its group."""
        scores = np.empty(self._logs.shape[1])
        of = np.unique(np.array(groups, str), return_inverse=True)[1]
        for group in range(of.max(initial=-1) + 1):
            own = of == group
            kept = self._votes * ~own
            mean, deviation = self._moments(kept.sum(1), self._sums(kept))
            found = (self._logs[:, own] - mean[:, None]) / deviation[:, None]
            scores[own] = np.where(self._finite[:, own], found, np.inf).max(0)
        return scores

    def _sums(self, votes: Floats) -> tuple[Floats, Floats]:
        return (self._logs * votes).sum(1), (self._logs**2 * votes).sum(1)

    @staticmethod
    def _moments(total: Floats, sums: tuple[Floats, Floats]) -> tuple[Floats, Floats]:
        mean = sums[0] / np.maximum(total, TINY)
        return mean, _deviation(np.maximum(sums[1] - total * mean**2, 0), total)


def _deviation(squares: Floats, total: Floats | float) -> Floats:
    """Return the deviation of `total` values with this sum of squares, drawn to the prior one."""
    prior = PRIOR_COUNT * PRIOR_DEVIATION**2
    return np.asarray(np.sqrt((squares + prior) / (total + PRIOR_COUNT)), np.float64)
