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


@given(count=st.integers(6, 14), k=st.integers(1, 6), seed=st.integers(0, 999))
def test_leaves_the_group_out_of_search_and_radii(count: int, k: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    references = rng.normal(size=(count, 3))
    groups = np.append([0, 0, 1, 1, 2, 2], rng.integers(0, 6, count - 6))
    expected = [
        brute(references[groups != group], row, k)
        for row, group in zip(references, groups, strict=True)
    ]
    found = scorer(references, k).score_references(groups)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_sparse_domain_is_forgiven_its_distance() -> None:
    dense, sparse = np.arange(10.0)[:, None], 1000 + 50 * np.arange(10.0)[:, None]
    found = scorer(np.concatenate([dense, sparse]), 1).score(np.array([[-3.0], [970.0]]))
    np.testing.assert_allclose(found, [3, 0.6])


def test_a_copy_does_not_make_its_neighbourhood_a_point() -> None:
    references = np.array([[0.0], [0.0], [10.0], [20.0]])
    found = scorer(references, 1).score(np.array([[15.0], [1.0]]))
    assert found[0] == pytest.approx(0.5)
    assert found[1] == pytest.approx(0.9)


def test_chunks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    references, queries = rng.normal(size=(50, 4)), rng.normal(size=(23, 4))
    groups = rng.integers(0, 4, 50)
    whole = scorer(references, 3)
    expected = whole.score(queries), whole.score_references(groups)
    monkeypatch.setattr(density, "ROWS", 7)
    parts = scorer(references, 3)
    np.testing.assert_array_equal(parts.score(queries), expected[0])
    np.testing.assert_array_equal(parts.score_references(groups), expected[1])
