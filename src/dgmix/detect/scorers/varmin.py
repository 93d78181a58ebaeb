"""Distance to a reference less what the sparseness of its surroundings explains of it.

Matsumoto, Fujimura, Huang, Toda, "Adjusting Bias in Anomaly Scores via Variance Minimization for
Domain-Generalized Discriminative Anomalous Sound Detection", DCASE Workshop 2025.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dgmix.config import DetectSettings
from dgmix.detect.scorers.knn import METRICS, mean_of_nearest

ROWS = 512
LEAST_SPREAD = 1e-9
Floats = NDArray[np.float64]


class VarianceMinimum:
    """min over references y of d(x, y) − α b(y) + c, b(y) the mean distance of y to its K nearest.

    α = Cov(d, b) / Var(b) over the references, d being the distance of each to its nearest other
    and b that one's: with it the healthy scores vary least. It is 0 where all b are alike. The
    constant c, the largest α b, changes no order; with it no score is negative.
    """

    def __init__(self, settings: DetectSettings) -> None:
        self.neighbors, self._distances = settings.local_neighbors, METRICS[settings.metric]

    def fit(self, references: NDArray[np.floating]) -> VarianceMinimum:
        """Keep the references (reference, dim) and what is taken off for each."""
        self._references = np.asarray(references, np.float64)
        nearest, closest, sparseness = self._surroundings()
        correction = _slope(nearest, sparseness[closest]) * sparseness
        self._added = correction.max() - correction
        return self

    def score(self, queries: NDArray[np.floating]) -> Floats:
        """Return the scores (query,) of queries (query, dim)."""
        parts = [queries[start : start + ROWS] for start in range(0, len(queries), ROWS)]
        scores = [(self._distances(p, self._references) + self._added).min(1) for p in parts]
        return np.concatenate([np.zeros(0), *scores])

    def _surroundings(self) -> tuple[Floats, NDArray[np.int64], Floats]:
        """Return the distance of each reference (reference,) to its nearest other, which that is,
        and its mean distance to its K nearest others; zeros where there are no others."""
        total = len(self._references)
        nearest, sparseness = np.zeros(total), np.zeros(total)
        closest = np.zeros(total, np.int64)
        for start in range(0, total if total > 1 else 0, ROWS):
            rows = np.arange(start, min(start + ROWS, total))
            between = self._distances(self._references[rows], self._references)
            between[np.arange(len(rows)), rows] = np.inf
            nearest[rows], closest[rows] = between.min(1), between.argmin(1)
            sparseness[rows] = mean_of_nearest(between, self.neighbors)
        return nearest, closest, sparseness


def _slope(values: Floats, by: Floats) -> float:
    """Return Cov(values, by) / Var(by), 0 where `by` hardly varies."""
    centred = by - by.mean()
    variance = float(np.mean(centred**2))
    if variance <= (LEAST_SPREAD * float(np.abs(by).max())) ** 2:
        return 0.0
    return float(np.mean(centred * (values - values.mean()))) / variance
