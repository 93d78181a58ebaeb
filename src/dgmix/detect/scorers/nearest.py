"""Distance to the nearest healthy clips, for a clip and for the healthy ones beside it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dgmix.config import DetectSettings
from dgmix.detect.scorers.knn import METRICS, KNearest, mean_of_nearest
from dgmix.detect.scorers.pooling import pool
from dgmix.detect.scorers.protocols import Measured
from dgmix.detect.views import Vectors

ROWS = 256
Floats = NDArray[np.float64]
Groups = NDArray[np.int64]


class Nearest:
    """Mean distance to the k nearest vectors of other groups; see `JointScorer`.

    `neighbours`, for each grouping: the distances (vector, k) of each vector of a healthy clip to
    its k nearest of other groups, infinite where there are fewer. `estimating` is the scorer that
    takes its place where more than distances decides.
    """

    estimating = KNearest

    def __init__(
        self, settings: DetectSettings, view: Vectors, groupings: Sequence[Groups]
    ) -> None:
        self.settings, self.view = settings, view
        self._distances = METRICS[settings.metric]
        self.count = len(groupings[0])
        self.neighbours = [self._neighbours(groups[view.clips]) for groups in groupings]
        self.left_out = [
            self._pooled(mean_of_nearest(nearest, nearest.shape[1])) for nearest in self.neighbours
        ]

    def measure(self, queries: Vectors, count: int) -> Measured:
        """Return the scores of queries and of the healthy clips beside each; see `Measured`."""
        between = self._distances(queries.values, self.view.values)
        near = mean_of_nearest(between, self.settings.neighbors)
        own = pool(self.settings.pool, near, queries.clips, count)
        healthy = [np.empty((count, self.count)) for _ in self.neighbours]
        closest = np.empty((count, self.count))
        firsts = np.searchsorted(self.view.clips, np.arange(self.count))
        for query in range(count):
            rows = between[queries.clips == query]
            closest[query] = np.minimum.reduceat(rows.min(0), firsts)
            for values, nearest in zip(healthy, self.neighbours, strict=True):
                values[query] = self._joined(nearest, rows)
        return Measured(own, healthy, closest)

    def _joined(self, nearest: Floats, rows: Floats) -> Floats:
        """Return the scores (clip,) of the healthy clips when a clip joins their references.

        `rows` (vector of the clip, vector) are its distances to their vectors.
        """
        k = nearest.shape[1]
        if k == 1:
            return self._pooled(np.minimum(nearest[:, 0], rows.min(0)))
        return self._pooled(mean_of_nearest(np.concatenate([nearest, rows.T], 1), k))

    def _neighbours(self, groups: Groups) -> Floats:
        values, k = self.view.values, self.settings.neighbors
        nearest = np.full((len(values), k), np.inf)
        few = min(k, len(values))
        for first in range(0, len(values), ROWS):
            rows = slice(first, first + ROWS)
            between = self._distances(values[rows], values)
            between[groups[rows, None] == groups] = np.inf
            nearest[rows, :few] = np.sort(np.partition(between, few - 1, 1)[:, :few], 1)
        return nearest

    def _pooled(self, values: Floats) -> Floats:
        return pool(self.settings.pool, values, self.view.clips, self.count)
