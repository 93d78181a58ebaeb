"""Mahalanobis distance against scikit-learn's Ledoit-Wolf estimator."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.covariance import LedoitWolf

from dgmix.config import DetectSettings
from dgmix.detect.scorers.mahalanobis import Mahalanobis

Floats = NDArray[np.floating]


def scorer(references: Floats) -> Mahalanobis:
    return Mahalanobis(DetectSettings()).fit(references)


@given(
    count=st.integers(3, 60),
    dim=st.integers(2, 40),
    shift=st.floats(-1e3, 1e3),
    seed=st.integers(0, 999),
)
def test_equals_scikit_learn(count: int, dim: int, shift: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    spread = rng.uniform(0.1, 3, dim)
    references = shift + spread * rng.normal(size=(count, dim))
    queries = shift + 5 * rng.normal(size=(7, dim))
    expected = np.sqrt(LedoitWolf().fit(references).mahalanobis(queries))
    np.testing.assert_allclose(scorer(references).score(queries), expected, rtol=1e-6)


def test_a_stretched_direction_counts_less() -> None:
    references = np.random.default_rng(0).normal(size=(5000, 2)) * [10, 1]
    along, across = scorer(references).score(np.array([[10.0, 0], [0, 10.0]]))
    assert along == pytest.approx(1, abs=0.1)
    assert across == pytest.approx(10, rel=0.1)


def test_a_direction_in_which_nothing_varies_is_not_free() -> None:
    references = np.array([[-1.0, 0, 0], [1.0, 0, 0]])
    along, across = scorer(references).score(np.array([[3.0, 0, 0], [0, 3.0, 0]]))
    assert across > along


def test_references_that_do_not_differ_give_the_euclidean_distance() -> None:
    references = np.full((4, 3), 0.1, np.float32)
    queries = np.array([[3.1, 0.1, 4.1]])
    assert scorer(references).score(queries) == pytest.approx(5)


def test_one_dimension_is_enough() -> None:
    references = np.random.default_rng(0).normal(size=(50, 1))
    expected = np.abs(7 - references.mean()) / references.std()
    assert scorer(references).score(np.array([[7.0]])) == pytest.approx(expected)
