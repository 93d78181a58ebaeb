"""How badly a clip is predicted from the healthy ones: the kriging variance.

The healthy clips are points of a random field with the variogram d², d² being the mean square of
the differences, and a nugget, by which two recordings differ even where they are alike. The
variance of the field at a point, predicted from all others (ordinary kriging: Matheron 1963;
Chilès, Delfiner 2012, section 3.4), is small amid them and grows with the distance from them, less
so in the directions in which they differ: it is a Mahalanobis distance whose covariance has a fixed
prior, so that few clips do not mislead it, and nothing but distances decides it.

The variogram d² is that of a linear function of the vectors with random slopes. So the matrix of
the healthy clips differs from a multiple of the identity by one whose rank is at most the length of
a vector, and is inverted in that form (Woodbury 1950): memory grows in proportion to the clips.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dgmix.config import DetectSettings
from dgmix.detect.scorers.inverses import NUGGET, Inverses
from dgmix.detect.scorers.knn import distances
from dgmix.detect.scorers.neighbourhoods import LEFT, Neighbourhoods
from dgmix.detect.scorers.protocols import Measured
from dgmix.detect.views import Vectors

LEAST = 1e-9
Floats = NDArray[np.float64]
Groups = NDArray[np.int64]


class Kriging:
    """The kriging variance from the clips of other groups, as a distance; see `JointScorer`.

    The inverse of the matrix [[−d² + nugget, 1], [1, 0]] of the healthy clips is, without its last
    row and column, (1 − roots · rootsᵀ) / nugget, `roots` float64 (clip, rank). When a clip joins
    them, with w the weights that predict it and s its variance, the inverse changes by w · wᵀ / s;
    the variances of the clips of a group, from the clips of all other groups, are on the diagonal
    of the inverse of the group's block.
    """

    def __init__(
        self,
        settings: DetectSettings,  # noqa: ARG002 - one form for all
        view: Vectors,
        groupings: Sequence[Groups],
    ) -> None:
        self.values = view.values
        count = len(view.values)
        points = self.points(view.values)
        self.centre = points.mean(0)
        rotated, sizes, self.axes = np.linalg.svd(points - self.centre, full_matrices=False)
        self.spreads = np.sqrt(sizes**2 + NUGGET / 2)
        ones = np.full((count, 1), count**-0.5)
        self.roots = np.concatenate([ones, rotated * (sizes / self.spreads)], 1)
        self.blocks = [Blocks(self.roots, groups) for groups in groupings]
        self.left_out = [self._as_distance(blocks.alone) for blocks in self.blocks]
        self.neighbourhoods = (
            Neighbourhoods(view.values, self.roots)
            if count > LEFT and any(blocks.singles for blocks in self.blocks)
            else None
        )
        self.left_out_apart = [
            self._as_distance(near.left_out(blocks.alone)) if near else None
            for near, blocks in zip(self._neighbourhoods(), self.blocks, strict=True)
        ]

    def _neighbourhoods(self) -> list[Neighbourhoods | None]:
        """The neighbourhoods for each grouping: where clips have groups, these are left out."""
        return [self.neighbourhoods if blocks.singles else None for blocks in self.blocks]

    def measure(self, queries: Vectors, count: int) -> Measured:  # noqa: ARG002 - one form for all
        """Return the scores of queries and of the healthy clips beside each; see `Measured`."""
        away = distances(queries.values, self.values)
        between = away**2 / self.values.shape[1]
        weights, variances = self._predicted(queries.values)
        healthy = [
            each.beside(weights, variances)
            if each.several
            else 2 * (between + NUGGET)  # predicted from the query alone
            for each in self.blocks
        ]
        apart = [
            self._as_distance(near.beside(away, weights, variances, each)) if near else None
            for near, each in zip(self._neighbourhoods(), healthy, strict=True)
        ]
        own, *healthy = map(self._as_distance, (variances, *healthy))
        return Measured(own, healthy, between, apart)

    def _predicted(self, vectors: NDArray[np.floating]) -> tuple[Floats, Floats]:
        """Return the weights (query, clip) that predict vectors, and the variances (query,)."""
        points = self.points(vectors) - self.centre
        along = points @ self.axes.T
        beyond = np.maximum((points**2).sum(1) - (along**2).sum(1), 0)
        scaled = along / self.spreads
        ones = np.full((len(points), 1), len(self.values) ** -0.5)
        weights = np.concatenate([ones, scaled], 1) @ self.roots.T
        size = 1 + 1 / len(self.values) + (scaled**2).sum(1)
        return weights, np.maximum(NUGGET * size + 2 * beyond, LEAST)

    def points(self, vectors: NDArray[np.floating]) -> Floats:
        """Return vectors as points whose squared distance is d²."""
        return np.asarray(vectors.astype(np.float64) / np.sqrt(vectors.shape[1]))

    def _as_distance(self, variances: Floats) -> Floats:
        return np.asarray(np.sqrt(np.maximum(variances, LEAST)))


class Blocks:
    """The blocks of the inverse that belong to groups (clip,), inverted.

    `roots` (clip, rank) are those of `Kriging`. `alone` (clip,): the variance of each clip from
    those of other groups, infinite where all are of one group; `several` says that they are not,
    `singles` that each clip is one; `inverses` are of the groups, those of a size together.
    """

    def __init__(self, roots: Floats, groups: Groups) -> None:
        sizes = np.bincount(groups)
        self.several = len(sizes) > 1
        self.singles = self.several and len(sizes) == len(groups)
        self.alone = np.full(len(groups), np.inf)
        self.inverses: list[Inverses] = []
        if self.singles:
            self.alone = NUGGET / np.maximum(1 - (roots**2).sum(1), NUGGET * LEAST)
        elif self.several:
            order = np.argsort(groups, kind="stable")
            for size in np.unique(sizes).tolist():
                members = order[sizes[groups[order]] == size].reshape(-1, size)
                self.inverses.append(Inverses(roots, members))
                self.alone[members] = self.inverses[-1].diagonal

    def beside(self, weights: Floats, variances: Floats) -> Floats:
        """Return the variances (query, clip) when each query joins the clips of several groups.

        `weights` (query, clip) predict the queries, `variances` (query,) are theirs.
        """
        if self.singles:
            return np.asarray(1 / (1 / self.alone + weights**2 / variances[:, None]))
        joined = np.empty_like(weights.T)
        for each in self.inverses:
            own = weights.T[each.members]
            moved = each.times(own)
            total = variances + (own * moved).sum(1, keepdims=True)
            joined[each.members] = self.alone[each.members][..., None] - moved**2 / total
        return np.asarray(joined.T)
