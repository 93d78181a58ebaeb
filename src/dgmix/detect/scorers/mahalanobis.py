"""Mahalanobis distance to the mean, with a shrunken covariance.

Mahalanobis 1936; covariance by Ledoit, Wolf 2004 ("A well-conditioned estimator for
large-dimensional covariance matrices").
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dgmix.config import DetectSettings
from dgmix.detect.scorers.whitening import RESOLUTION, shrunken_covariance


class Mahalanobis:
    """sqrt((x − m)ᵀ Σ⁻¹ (x − m)), with m and Σ of the healthy references."""

    def __init__(self, settings: DetectSettings) -> None:
        self.settings = settings

    def fit(self, references: NDArray[np.floating]) -> Mahalanobis:
        """Learn mean and covariance of the references (reference, dim)."""
        self._centre = references.mean(0, dtype=np.float64)
        limit = RESOLUTION * float(np.abs(references).max(initial=0))
        self._factor = np.linalg.cholesky(shrunken_covariance(references - self._centre, limit))
        return self

    def score(self, queries: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the distances (query,) of queries (query, dim) to the mean."""
        from scipy.linalg import solve_triangular  # type: ignore[import-untyped]

        white = solve_triangular(self._factor, (queries - self._centre).T, lower=True)
        return np.asarray(np.sqrt((white**2).sum(0)), np.float64)
