"""Local density against loops over all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dgmix.config import DetectSettings
from dgmix.detect.scorers import density
from dgmix.detect.scorers.density import LocalDensity

Floats = NDArray[np.floating]


def scorer(references: Floats, k: int) -> LocalDensity:
    return LocalDensity(DetectSettings(local_neighbors=k)).fit(references)


def brute(references: Floats, query: Floats, k: int) -> float:
    """The score by definition, for references that all differ."""
    scaled = []
    for index, reference in enumerate(references):
        others = np.delete(references, index, axis=0)
        radius = np.sort([np.linalg.norm(reference - other) for other in others])[:k].mean()
        scaled.append(np.linalg.norm(query - reference) / radius)
    return float(min(scaled))


@given(
    count=st.integers(2, 15),
    dim=st.integers(1, 8),
    k=st.integers(1, 6),
    seed=st.integers(0, 999),
)
def test_equals_the_definition(count: int, dim: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    references, queries = rng.normal(size=(count, dim)), rng.normal(size=(4, dim))
    expected = [brute(references, query, k) for query in queries]
    np.testing.assert_allclose(scorer(references, k).score(queries), expected, rtol=1e-9)


def test_a_sparse_domain_is_forgiven_its_distance() -> None:
    dense, sparse = np.arange(10.0)[:, None], 1000 + 50 * np.arange(10.0)[:, None]
    scores = scorer(np.concatenate([dense, sparse]), 1).score(np.array([[-3.0], [970.0]]))
    np.testing.assert_allclose(scores, [3, 0.6])


def test_a_copy_does_not_make_its_neighbourhood_a_point() -> None:
    references = np.array([[0.0], [0.0], [10.0], [20.0]])
    scores = scorer(references, 1).score(np.array([[15.0], [1.0]]))
    assert scores[0] == pytest.approx(0.5)
    assert scores[1] == pytest.approx(0.9)


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    references, queries = rng.normal(size=(50, 4)), rng.normal(size=(23, 4))
    expected = scorer(references, 3).score(queries)
    monkeypatch.setattr(density, "ROWS", 7)
    np.testing.assert_array_equal(scorer(references, 3).score(queries), expected)
