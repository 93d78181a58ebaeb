"""The white space against scikit-learn's covariance."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.covariance import LedoitWolf

from dgmix.config import DetectSettings
from dgmix.detect.scorers import build_scorer
from dgmix.detect.scorers.whitening import Whitening

Floats = NDArray[np.float64]


def correlated(count: int, dim: int, seed: int = 0) -> Floats:
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(dim, dim)) * rng.uniform(0.1, 5, dim)
    return np.asarray(rng.normal(size=(count, dim)) @ mixing + 7)


def distances(queries: Floats, references: Floats) -> Floats:
    """Return Mahalanobis distances (query, reference), each number scaled half-way."""
    variances = references.var(0)
    scale = np.sqrt(0.5 * variances + 0.5 * variances.mean())
    precision = LedoitWolf().fit(references / scale).precision_
    return np.asarray(cdist(queries / scale, references / scale, "mahalanobis", VI=precision))


@pytest.mark.parametrize(("count", "dim"), [(40, 5), (8, 30)])
def test_distances_are_mahalanobis_distances(count: int, dim: int) -> None:
    references, queries = correlated(count, dim), correlated(6, dim, seed=1)
    white = Whitening(references)
    whitened = cdist(white(queries), white(references))
    np.testing.assert_allclose(whitened, distances(queries, references), rtol=1e-7)


def test_the_score_is_the_distance_to_the_nearest_there() -> None:
    references, queries = correlated(20, 4), correlated(6, 4, seed=1)
    scorer = build_scorer(DetectSettings(whiten=True, neighbors=2)).fit(references)
    nearest = np.sort(distances(queries, references), axis=1)[:, :2].mean(1)
    np.testing.assert_allclose(scorer.score(queries), nearest, rtol=1e-7)


def test_many_alike_references_have_the_covariance_one() -> None:
    white = Whitening(correlated(20_000, 4))(correlated(20_000, 4))
    np.testing.assert_allclose(np.cov(white.T), np.eye(4), atol=0.03)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_references_that_do_not_differ_leave_distances_as_they_are(dtype: type) -> None:
    references = np.full((5, 3), 1e4, dtype)
    queries = references[:2] + np.array([[3, 0, 4], [0, 0, 1]], dtype)
    scorer = build_scorer(DetectSettings(whiten=True)).fit(references)
    np.testing.assert_allclose(scorer.score(queries), [5, 1], rtol=1e-6)


def test_a_number_that_never_changes_is_finite() -> None:
    references = correlated(10, 3)
    references[:, 1] = 5
    scorer = build_scorer(DetectSettings(whiten=True)).fit(references)
    odd = references[:1].copy()
    odd[:, 1] = 6
    assert 0 < scorer.score(odd)[0] < 100
