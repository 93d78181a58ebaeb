"""Distance to a reference in units of how far that reference is from its own neighbours.

Wilkinghoff, Yang, Ebbers, Germain, Wichern, Le Roux, "Local Density-Based Anomaly Score
Normalization for Domain Generalization", arXiv 2509.10951. One more reference can raise the score
of a clip (it makes its neighbours denser), so that p-values are only approximately valid
(docs/scorers.md).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dgmix.config import DetectSettings

ROWS = 512
LEAST_RADIUS = 1e-6
Floats = NDArray[np.float64]


class LocalDensity:
    """min over references y of d(x, y) / r(y), r(y) being the mean distance of y to its K nearest.

    Neighbours are those of y itself; a query is never one of them.
    """

    def __init__(self, settings: DetectSettings) -> None:
        self.neighbors = settings.local_neighbors

    def fit(self, references: NDArray[np.floating]) -> LocalDensity:
        """Keep the references (reference, dim) and the radius of each."""
        self._references = np.asarray(references, np.float64)
        distances, _ = self._nearest(self.neighbors)
        self._radii = self._radii_of(distances, np.ones(distances.shape, bool))
        return self

    def score(self, queries: NDArray[np.floating]) -> Floats:
        """Return the least distance (query,) in units of radii."""
        parts = [queries[start : start + ROWS] for start in range(0, len(queries), ROWS)]
        found = [(self._distances(part) / self._radii).min(1) for part in parts]
        return np.concatenate([np.zeros(0), *found])

    def score_references(self, groups: NDArray[np.int64]) -> Floats:
        """Return the score (reference,) of each, its own group being neighbour to none.

        The group is left out both of the search and of the radii: exactly a fit without it, from
        one search with enough neighbours to look past a group.
        """
        of = np.unique(groups, return_inverse=True)[1]
        distances, indices = self._nearest(self.neighbors + int(np.bincount(of).max()))
        neighbour_of = of[indices]
        scores = np.full(len(of), np.inf)
        for group in range(of.max() + 1):
            own = np.flatnonzero(of == group)
            others = of != group
            if others.any():
                radii = self._radii_of(distances[others], neighbour_of[others] != group)
                for part in np.array_split(own, -(-len(own) // ROWS)):
                    between = self._distances(self._references[part])[:, others]
                    scores[part] = (between / radii).min(1)
        return scores

    def _radii_of(self, distances: Floats, kept: NDArray[np.bool_]) -> Floats:
        """Return the mean (reference,) of the K first distances (reference, near) that are kept.

        Copies have the least radius that is told from none; without any spread all have 1.
        """
        first = kept & (np.cumsum(kept, axis=1) <= self.neighbors)
        radii = np.where(first, distances, 0).sum(1) / np.maximum(first.sum(1), 1)
        typical = radii.mean()
        return np.maximum(radii, LEAST_RADIUS * typical) if typical else np.ones(len(radii))

    def _nearest(self, count: int) -> tuple[Floats, NDArray[np.int64]]:
        """Return distances and indices (reference, near) of the `count` nearest others, or all."""
        total = len(self._references)
        count = min(count, total - 1)
        distances, indices = np.empty((total, count)), np.empty((total, count), np.int64)
        for start in range(0, total, ROWS):
            rows = np.arange(start, min(start + ROWS, total))
            found = self._distances(self._references[rows])
            found[np.arange(len(rows)), rows] = np.inf
            indices[rows] = np.argsort(found, axis=1, kind="stable")[:, :count]
            distances[rows] = np.take_along_axis(found, indices[rows], axis=1)
        return distances, indices

    def _distances(self, queries: NDArray[np.floating]) -> Floats:
        """Return the distance (query, reference) of each query to each reference."""
        from scipy.spatial.distance import cdist  # type: ignore[import-untyped]

        return np.asarray(cdist(queries, self._references), np.float64)
