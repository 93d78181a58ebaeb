"""Kriging variances of clips when the nearest of the others are left out as well.

Recordings are often nearer to some of the others than a new one will be: they are of one session,
one run, one hour, and nobody says so. What a clip would score, were its own session not learned
from, is seen by leaving out its nearest neighbours too; in a view in which scores rise a lot by
that, a high score says little (docs/decisions/0034-neighbours-left-out.md).

All n + 1 clips are treated alike: the one in question can be among the nearest of a healthy one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dgmix.detect.scorers.inverses import Inverses

NEIGHBOURS = 4
LEFT = 2  # clips that a clip is still predicted from
ROWS = 64
TIE = 1e-9
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


class Neighbourhoods:
    """The variance of each clip from the clips that are not among its nearest.

    `values` (clip, dim) are the healthy clips, three at least, `roots` (clip, rank) those of
    `Kriging`. Where the last of the nearest is as far as the next one, none is left out. `reach`
    float64 (clip, 3) are the distances of the last one's predecessor, the last, and the next.
    """

    def __init__(self, values: NDArray[np.floating], roots: Floats) -> None:
        self.count = neighbours(len(values) + 1)
        numbers, reach = nearest_of(values, self.count + 1)
        self.reach = np.pad(reach, [(0, 0), (1, 0)])[:, -3:]
        own = np.arange(len(values))[:, None]
        self.members = np.concatenate([own, numbers[:, : self.count]], 1)
        self.inverses = Inverses(roots, self.members)
        self.alone = self.inverses.diagonal[:, 0]
        self.fewer = Inverses(roots, self.members[:, :-1]).diagonal[:, 0]
        self.roots = roots

    def left_out(self, near: Floats) -> Floats:
        """Return the variance (clip,) of each clip among the healthy ones.

        `near` (clip,) are those from all others.
        """
        count = neighbours(len(near))
        if not count:
            return near
        whole = count == self.count
        before, last, following = self.reach.T
        tie = tied(last, following) if whole else tied(before, last)
        return np.where(tie, near, self.alone if whole else self.fewer)

    def beside(self, between: Floats, weights: Floats, variances: Floats, near: Floats) -> Floats:
        """Return the variances (query, point) of the healthy clips and, last, of each query.

        `between` (query, clip) are the distances; `weights` (query, clip) predict the queries from
        all healthy clips, `variances` (query,) are theirs then, and `near` (query, clip) those of
        the healthy clips.
        """
        own = self._own(between, weights, variances)
        return np.concatenate([self._healthy(between, weights, variances, near), own[:, None]], 1)

    def _healthy(self, between: Floats, weights: Floats, variances: Floats, near: Floats) -> Floats:
        """Return the variances (query, clip) of the healthy clips when a query joins them."""
        columns = weights.T[self.members]
        moved = self.inverses.times(columns)
        total = variances + (columns * moved).sum(1)
        apart = (self.alone[:, None] - moved[:, 0] ** 2 / total).T
        before, last, following = self.reach.T
        apart = np.where(between < last, self.fewer, apart)
        tie = tied(np.clip(between, before, last), np.clip(between, last, following))
        return np.where(tie, near, apart)

    def _own(self, between: Floats, weights: Floats, variances: Floats) -> Floats:
        """Return the variances (query,) of the queries."""
        nearest = np.argpartition(between, [self.count - 1, self.count], 1)[:, : self.count + 1]
        reach = np.take_along_axis(between, nearest[:, -2:], 1)
        nearest = nearest[:, :-1]
        columns = np.take_along_axis(weights, nearest, 1)[..., None]
        moved = Inverses(self.roots, nearest).times(columns)
        return np.where(tied(*reach.T), variances, variances + (columns * moved).sum((1, 2)))


def neighbours(count: int) -> int:
    """Return how many of the nearest are left out of so many clips, so that two are left."""
    return max(0, min(NEIGHBOURS, count - 1 - LEFT))


def tied(first: Floats, second: Floats) -> NDArray[np.bool_]:
    """Return where the second distance is no larger than the first, but for rounding."""
    return np.asarray(second <= first * (1 + TIE))


def nearest_of(values: NDArray[np.floating], count: int) -> tuple[Numbers, Floats]:
    """Return the numbers of each clip's nearest others and their distances, both (clip, count)."""
    exact = values.astype(np.float64)
    centred = exact - exact.mean(0)
    squares = (centred**2).sum(1)
    numbers = np.empty((len(values), count), np.int64)
    reach = np.empty((len(values), count))
    candidates = min(2 * count, len(values) - 1)
    for first in range(0, len(values), ROWS):
        rows = np.arange(first, min(first + ROWS, len(values)))
        between = squares - 2 * centred[rows] @ centred.T
        between[np.arange(len(rows)), rows] = np.inf
        chosen = np.argpartition(between, candidates - 1, 1)[:, :candidates]
        away = np.sqrt(((exact[rows, None] - exact[chosen]) ** 2).sum(2))
        order = away.argsort(1)[:, :count]
        numbers[rows] = np.take_along_axis(chosen, order, 1)
        reach[rows] = np.take_along_axis(away, order, 1)
    return numbers, reach
