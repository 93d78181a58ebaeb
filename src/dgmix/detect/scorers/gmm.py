"""How unlikely a clip is under a mixture of Gaussians fitted by expectation maximisation.

Dempster, Laird, Rubin 1977; for anomalies: Bishop, "Novelty detection and neural network
validation", 1994.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dgmix.config import DetectSettings

RIDGE = 0.1
LEAST_SCALE = 0.01
Floats = NDArray[np.float64]


class GaussianMixture:
    """sqrt(2 (log p₀ − log p(x))), where log p₀ bounds the density of the mixture.

    Covariances are diagonal; each component's variances get a tenth of the variance of all
    references. With one component the score is its Mahalanobis distance.
    """

    def __init__(self, settings: DetectSettings) -> None:
        self.settings = settings

    def fit(self, references: NDArray[np.floating]) -> GaussianMixture:
        """Fit the mixture to references (reference, dim), at least two a component."""
        values = np.asarray(references[np.lexsort(references.T)], np.float64)
        self._centre, self._scale = values.mean(0), _scale(values)
        mixture = _fitted((values - self._centre) / self._scale, self.settings.components)
        self._means, self._variances = mixture.means_, mixture.covariances_
        self._heights = np.log(mixture.weights_) - np.log(self._variances).sum(1) / 2
        return self

    def score(self, queries: NDArray[np.floating]) -> Floats:
        """Return the scores (query,) of queries (query, dim)."""
        from scipy.special import logsumexp  # type: ignore[import-untyped]

        values = (queries - self._centre) / self._scale
        parts = zip(self._means, self._variances, strict=True)
        squares = np.stack([((values - mean) ** 2 / var).sum(1) for mean, var in parts], axis=1)
        depth = logsumexp(self._heights) - logsumexp(self._heights - squares / 2, axis=1)
        return np.asarray(np.sqrt(2 * np.maximum(depth, 0)), np.float64)


def _scale(values: Floats) -> Floats:
    """Return the spread (dim,), at least a hundredth of the usual one; 1 where there is none."""
    spread = values.std(0)
    usual = np.sqrt(np.mean(spread**2))
    return np.maximum(spread, LEAST_SCALE * usual) if usual else np.ones(len(spread))


def _fitted(values: Floats, components: int) -> Any:
    """Return scikit-learn's mixture of at most `components`, fitted to values (reference, dim)."""
    from sklearn import mixture
    from sklearn.exceptions import ConvergenceWarning

    distinct = len(np.unique(values, axis=0))
    model = mixture.GaussianMixture(
        max(1, min(components, len(values) // 2, distinct)),
        covariance_type="diag",
        reg_covar=RIDGE,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(values if len(values) > 1 else np.repeat(values, 2, axis=0))
