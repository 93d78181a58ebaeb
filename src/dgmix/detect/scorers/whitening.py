"""References and queries in a space where the healthy ones differ alike in every direction.

There the Euclidean distance of two clips is their Mahalanobis distance (Mahalanobis 1936): what
healthy clips do all the time counts little, what they never do counts much.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from dgmix.detect.scorers.protocols import Scorer

LEAST_SHRINKAGE = 1e-6
RESOLUTION = 1e-14
Floats = NDArray[np.float64]


class Whitening:
    """Centre, divide each number by its deviation, and rotate so that the covariance is one.

    The deviation of a number is drawn half-way to that of all, var = ½ varᵢ + ½ mean(var), and the
    covariance by Ledoit, Wolf 2004 to a multiple of the identity: a dozen clips do not tell the
    deviation of a single band. `scale` (dim,), `centre` (dim,) and `factor` (dim, dim), lower
    triangular, map x to factor⁻¹ (x / scale − centre).
    """

    def __init__(self, references: NDArray[np.floating]) -> None:
        variances = references.var(0, dtype=np.float64)
        usual = variances.mean()
        magnitude = float(np.abs(references).max(initial=0))
        alike = usual <= (RESOLUTION * magnitude) ** 2
        self.scale = np.sqrt((variances + usual) / 2) if not alike else np.ones(len(variances))
        scaled = references / self.scale
        self.centre = scaled.mean(0)
        limit = RESOLUTION * float(np.abs(scaled).max(initial=0))
        self.factor = np.linalg.cholesky(shrunken_covariance(scaled - self.centre, limit))

    def __call__(self, values: NDArray[np.floating]) -> Floats:
        """Return values (value, dim) in the white space, float64."""
        from scipy.linalg import solve_triangular  # type: ignore[import-untyped]

        deviations = values / self.scale - self.centre
        return np.asarray(solve_triangular(self.factor, deviations.T, lower=True).T, np.float64)


class Whitened:
    """Another scorer, in the white space of the references."""

    def __init__(self, build: Callable[[], Scorer]) -> None:
        self.build = build

    def fit(self, references: NDArray[np.floating]) -> Whitened:
        """Learn the space, and the scorer in it, of references (reference, dim)."""
        self.whitening = Whitening(references)
        self.scorer = self.build().fit(self.whitening(references))
        return self

    def score(self, queries: NDArray[np.floating]) -> Floats:
        """Return the scores (query,) of queries (query, dim)."""
        return self.scorer.score(self.whitening(queries))


def shrunken_covariance(deviations: Floats, limit: float) -> Floats:
    """Return the covariance (dim, dim) of deviations (reference, dim) from a mean (Ledoit, Wolf
    2004); the identity where no deviation exceeds `limit`."""
    from sklearn.covariance import ledoit_wolf

    dim = deviations.shape[1]
    spread = np.mean(deviations**2)
    if spread <= limit**2:
        return np.eye(dim)
    covariance, shrinkage = ledoit_wolf(deviations, assume_centered=True)
    ridge = max(LEAST_SHRINKAGE - shrinkage, 0) * spread
    return np.asarray(np.reshape(covariance, (dim, dim)) + ridge * np.eye(dim))
