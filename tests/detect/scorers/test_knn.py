"""Nearest neighbours against scikit-learn and against all distances in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from dgmix.config import DetectSettings
from dgmix.detect.scorers import knn
from dgmix.detect.scorers.knn import KNearest, distances, mean_of_nearest

Floats = NDArray[np.floating]


def scores(references: Floats, queries: Floats, k: int = 1) -> NDArray[np.float64]:
    return KNearest(DetectSettings(neighbors=k)).fit(references).score(queries)


def brute(references: Floats, queries: Floats, k: int = 1) -> NDArray[np.float64]:
    """Return the mean distance to the k nearest, from the differences themselves."""
    distances = cdist(queries.astype(np.float64), references.astype(np.float64))
    return np.sort(distances, axis=1)[:, :k].mean(1)


@pytest.mark.parametrize("k", [1, 5])
def test_equals_scikit_learn(k: int) -> None:
    rng = np.random.default_rng(0)
    references, queries = rng.normal(size=(300, 32)), rng.normal(size=(80, 32))
    distances, _ = NearestNeighbors(n_neighbors=k).fit(references).kneighbors(queries)
    np.testing.assert_allclose(scores(references, queries, k), distances.mean(1), rtol=1e-12)


@given(
    count=st.integers(1, 30),
    queries=st.integers(1, 10),
    dim=st.integers(1, 20),
    k=st.integers(1, 8),
    shift=st.floats(-1e4, 1e4),
    seed=st.integers(0, 999),
)
def test_equals_all_distances_in_float64(
    count: int, queries: int, dim: int, k: int, shift: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    references = (rng.normal(size=(count, dim)) + shift).astype(np.float32)
    values = (rng.normal(size=(queries, dim)) + shift).astype(np.float32)
    np.testing.assert_allclose(
        scores(references, values, k), brute(references, values, k), rtol=1e-6, atol=1e-6
    )


def test_near_duplicates_far_from_the_origin_have_their_true_distances() -> None:
    rng = np.random.default_rng(4)
    offset = 1000 * rng.normal(size=320)
    references = (offset + 1e-2 * rng.normal(size=(200, 320))).astype(np.float32)
    queries = (references[:50] + 1e-3 * rng.normal(size=(50, 320))).astype(np.float32)
    nearest = scores(references, queries)
    assert (nearest > 0).all()
    assert len(np.unique(nearest)) == len(nearest)
    np.testing.assert_allclose(nearest, brute(references, queries), rtol=1e-6)


def test_near_duplicates_beside_distant_clips_have_their_true_distances() -> None:
    rng = np.random.default_rng(5)
    clusters = 30 * rng.normal(size=(10, 320))
    references = (clusters[:, None] + 1e-3 * rng.normal(size=(10, 20, 320))).reshape(200, 320)
    queries = references[::4] + 1e-4 * rng.normal(size=(50, 320))
    np.testing.assert_allclose(scores(references, queries), brute(references, queries), rtol=1e-3)


def test_a_training_clip_is_at_no_distance() -> None:
    references = np.random.default_rng(6).normal(size=(20, 8)).astype(np.float32)
    np.testing.assert_allclose(scores(references, references), 0, atol=1e-6)


def test_fewer_references_than_neighbours_are_all_used() -> None:
    references, queries = np.eye(3), np.zeros((1, 3))
    assert scores(references, queries, k=9) == pytest.approx(1)


@pytest.mark.parametrize(("queries", "references"), [(20, 30), (1, 1), (3, 1), (1, 40)])
def test_few_distances_are_those_of_many(
    monkeypatch: pytest.MonkeyPatch, queries: int, references: int
) -> None:
    rng = np.random.default_rng(0)
    first, second = (rng.normal(size=(n, 130)).astype(np.float32) for n in (queries, references))
    few = distances(first, second)
    monkeypatch.setattr(knn, "FEW", -1)
    np.testing.assert_allclose(few, distances(first, second), rtol=1e-14)


def test_a_distance_is_the_same_whichever_comes_first() -> None:
    points = 1e3 * np.random.default_rng(0).normal(size=(20, 300)).astype(np.float32)
    matrix = distances(points, points)
    assert np.array_equal(matrix, matrix.T)
    assert not np.diag(matrix).any()


@given(
    st.lists(st.lists(st.sampled_from([0.0, 1, 2.5, np.inf]), min_size=4, max_size=4), min_size=1),
    st.integers(1, 6),
)
def test_only_finite_distances_count(rows: list[list[float]], k: int) -> None:
    for row, mean in zip(rows, mean_of_nearest(np.array(rows), k), strict=True):
        nearest = [value for value in sorted(row)[:k] if np.isfinite(value)]
        assert mean == pytest.approx(np.mean(nearest) if nearest else np.inf)


def test_nothing_to_compare_with_is_infinitely_far() -> None:
    for k in (1, 3):
        assert mean_of_nearest(np.zeros((2, 0)), k).tolist() == [np.inf, np.inf]
