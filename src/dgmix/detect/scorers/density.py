"""Distance to a reference in units of how far that reference is from its own neighbours.

Wilkinghoff, Yang, Ebbers, Germain, Wichern, Le Roux, "Local Density-Based Anomaly Score
Normalization for Domain Generalization", arXiv 2509.10951.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dgmix.config import DetectSettings
from dgmix.detect.scorers.knn import METRICS

ROWS = 512
LEAST_RADIUS = 1e-6
Floats = NDArray[np.float64]


class LocalDensity:
    """min over references y of d(x, y) / r(y), r(y) being the mean distance of y to its K nearest.

    Neighbours are those of y itself; a query is never one of them.
    """

    def __init__(self, settings: DetectSettings) -> None:
        self.neighbors, self._metric = settings.local_neighbors, METRICS[settings.metric]

    def fit(self, references: NDArray[np.floating]) -> LocalDensity:
        """Keep the references (reference, dim) and the radius of each."""
        self._references = np.asarray(references, np.float64)
        self._radii = self._typical_distances()
        return self

    def score(self, queries: NDArray[np.floating]) -> Floats:
        """Return the least distance (query,) in units of radii."""
        parts = [queries[start : start + ROWS] for start in range(0, len(queries), ROWS)]
        scores = [(self._distances(part) / self._radii).min(1) for part in parts]
        return np.concatenate([np.zeros(0), *scores])

    def _typical_distances(self) -> Floats:
        """Return the mean distance (reference,) of each reference to its K nearest others.

        Copies have the least radius that differs from none; without any spread all have 1.
        """
        total = len(self._references)
        few = min(self.neighbors, total - 1)
        if few < 1:
            return np.ones(total)
        radii = np.empty(total)
        for start in range(0, total, ROWS):
            rows = np.arange(start, min(start + ROWS, total))
            between = self._distances(self._references[rows])
            between[np.arange(len(rows)), rows] = np.inf
            radii[rows] = np.partition(between, few - 1, axis=1)[:, :few].mean(1)
        typical = radii.mean()
        return np.maximum(radii, LEAST_RADIUS * typical) if typical else np.ones(total)

    def _distances(self, queries: NDArray[np.floating]) -> Floats:
        return self._metric(queries, self._references)
