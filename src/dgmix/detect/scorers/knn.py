"""Distance to the nearest healthy embeddings (Ramaswamy, Rastogi, Shim, SIGMOD 2000)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dgmix.config import DetectSettings


class KNearest:
    """Mean Euclidean distance to the k nearest references; k = 1 is the published score.

    Distances are computed in float64 of values centred on the references: the expanded square
    in float32 makes spurious ties.
    """

    def __init__(self, settings: DetectSettings) -> None:
        self.neighbors = settings.neighbors

    def fit(self, references: NDArray[np.floating]) -> KNearest:
        """Keep the references (reference, dim)."""
        from sklearn.neighbors import NearestNeighbors

        self._centre = references.mean(0, dtype=np.float64)
        self._references = references - self._centre
        self._search = NearestNeighbors(algorithm="brute").fit(self._references)
        return self

    def score(self, queries: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the mean distance (query,) to the k nearest, or to all where there are fewer."""
        if not len(queries):
            return np.zeros(0)
        k = min(self.neighbors, len(self._references))
        distances, _ = self._search.kneighbors(queries - self._centre, k)
        return np.asarray(distances.mean(1), np.float64)

    def score_references(self, groups: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return the mean distance (reference,) to the k nearest references of other groups.

        One search with enough neighbours to look past a reference's own group.
        """
        count = len(self._references)
        largest = int(np.bincount(groups).max())
        k = min(count, self.neighbors + largest)
        distances, indices = self._search.kneighbors(self._references, k)
        distances = np.where(groups[indices] == groups[:, None], np.inf, distances)
        nearest = np.sort(distances, axis=1)[:, : self.neighbors]
        known = np.isfinite(nearest)
        total = np.where(known, nearest, 0).sum(1)
        return np.where(known.any(1), total / np.maximum(known.sum(1), 1), np.inf)
