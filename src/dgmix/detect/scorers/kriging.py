"""How badly a clip is predicted from the healthy ones: the kriging variance.

The healthy clips are points of a random field with the variogram d², d² being the mean square of
the differences, and a nugget, by which two recordings differ even where they are alike. The
variance of the field at a point, predicted from all others (ordinary kriging: Matheron 1963;
Chilès, Delfiner 2012, section 3.4), is small amid them and grows with the distance from them, less
so in the directions in which they differ: it is a Mahalanobis distance whose covariance has a fixed
prior, so that few clips do not mislead it, and nothing but distances decides it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dgmix.config import DetectSettings
from dgmix.detect.scorers.knn import distances
from dgmix.detect.views import Vectors

NUGGET = 0.5
LEAST = 1e-9
Floats = NDArray[np.float64]
Groups = NDArray[np.int64]


class Kriging:
    """The kriging variance from the clips of other groups, as a distance; see `JointScorer`.

    `inverse` float64 (clip + 1, clip + 1) is that of the matrix [[−d² + nugget, 1], [1, 0]] of the
    healthy clips. When a clip joins them, with b its column and s its variance, the inverse changes
    by (inverse · b)(inverse · b)ᵀ / s; the variances of the clips of a group, from the clips of all
    other groups, are on the diagonal of the inverse of the group's block.
    """

    def __init__(
        self,
        settings: DetectSettings,  # noqa: ARG002 - one form for all
        view: Vectors,
        groupings: Sequence[Groups],
    ) -> None:
        self.values = view.values
        count = len(view.values)
        matrix = np.ones((count + 1, count + 1))
        matrix[:count, :count] = NUGGET * np.eye(count) - self._variogram(view.values)
        matrix[count, count] = 0
        self.inverse = np.linalg.inv(matrix)
        self.blocks = [Blocks(self.inverse[:count, :count], groups) for groups in groupings]
        self.left_out = [self._as_distance(blocks.alone) for blocks in self.blocks]

    def measure(self, queries: Vectors, count: int) -> tuple[Floats, list[Floats], Floats]:
        """Return the scores of queries, those of the healthy clips beside each, and distances."""
        between = self._variogram(queries.values)
        columns = np.concatenate([-between, np.ones((count, 1))], 1)
        solved = columns @ self.inverse
        variances = np.maximum(NUGGET - (columns * solved).sum(1), LEAST)
        healthy = [
            self._as_distance(
                each.beside(solved[:, :-1], variances)
                if each.several
                else 2 * (between + NUGGET)  # predicted from the query alone
            )
            for each in self.blocks
        ]
        return self._as_distance(variances), healthy, between

    def _variogram(self, vectors: NDArray[np.floating]) -> Floats:
        return np.asarray(distances(vectors, self.values) ** 2 / self.values.shape[1])

    def _as_distance(self, variances: Floats) -> Floats:
        return np.asarray(np.sqrt(np.maximum(variances, LEAST)))


class Blocks:
    """The blocks of an inverse (clip, clip) that belong to groups (clip,), inverted.

    `alone` (clip,): the variance of each clip from those of other groups, infinite where all are of
    one group.
    """

    def __init__(self, inverse: NDArray[np.floating], groups: Groups) -> None:
        self._inverse, self._groups = np.asarray(inverse, np.float64), groups
        count = len(np.unique(groups))
        self.several, self.singles = count > 1, count == len(groups) > 1
        if self.singles:
            self.alone = 1 / np.maximum(np.diag(self._inverse), LEAST)
        elif self.several:
            self.alone = np.diag(self.inverses).copy()
        else:
            self.alone = np.full(len(groups), np.inf)

    @cached_property
    def inverses(self) -> Floats:
        """The inverted blocks (clip, clip) in their places, zeros elsewhere."""
        if self.singles:
            return np.diag(self.alone)
        inverses = np.zeros_like(self._inverse)
        for name in np.unique(self._groups):
            block = np.ix_(*[np.flatnonzero(self._groups == name)] * 2)
            inverses[block] = np.linalg.inv(self._inverse[block])
        return inverses

    @cached_property
    def together(self) -> Floats:
        """1 for two clips (clip, clip) of a group, 0 for others."""
        return np.asarray(self._groups[:, None] == self._groups, np.float64)

    def beside(self, solved: Floats, variances: Floats) -> Floats:
        """Return the variances (query, clip) when each query joins the clips of several groups.

        `solved` (query, clip) are inverse · b, `variances` (query,) those of the queries.
        """
        if self.singles:
            return np.asarray(1 / (1 / self.alone + solved**2 / variances[:, None]))
        moved = solved @ self.inverses
        sums = (solved * moved) @ self.together
        return np.asarray(self.alone - moved**2 / (variances[:, None] + sums))
