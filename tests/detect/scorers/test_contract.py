"""What every scorer must do, per domain and balanced too; a new one is picked up here."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from dgmix.config import ERROR_SCORERS, DetectSettings
from dgmix.detect.scorers import SCORERS, Scorer, build_scorer, estimating
from dgmix.detect.scorers.balance import BALANCES

Floats = NDArray[np.floating]
ESTIMATING = [
    name for name, given in SCORERS.items() if estimating(given) and name not in ERROR_SCORERS
]
CASES: dict[str, dict[str, Any]] = {
    **{name: {"scorer": name} for name in ESTIMATING},
    **{f"{name} by bands": {"scorer": name, "bands": 3} for name in ("knn", "varmin")},
    **{
        f"{name} per domain": {"scorer": name, "per_domain": True}
        for name in ESTIMATING
        if not hasattr(SCORERS[name], "by_domains")
    },
    **{f"{name} balanced": {"balance": name} for name in BALANCES if name != "none"},
    **{
        f"{name} balanced per domain": {"balance": name, "per_domain": True}
        for name in BALANCES
        if name != "none"
    },
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> DetectSettings:
    return DetectSettings(**CASES[request.param])


def references(count: int = 24, dim: int = 6) -> Floats:
    return np.random.default_rng(0).normal(size=(count, dim))


def fitted(case: DetectSettings, data: Floats, rows: NDArray[np.int64] | None = None) -> Scorer:
    """Return the scorer of some rows of the data; every fourth row is of the target domain."""
    domains = np.where(np.arange(len(data)) % 4, "source", "target")
    rows = np.arange(len(data)) if rows is None else rows
    return build_scorer(case, domains[rows]).fit(data[rows])


def away(data: Floats, *distances: float) -> Floats:
    """Return points so far from the mean of the data, in one direction that is in none's favour."""
    direction = np.ones(data.shape[1]) / data.shape[1] ** 0.5
    return data.mean(0) + np.array(distances)[:, None] * direction


def test_the_settings_know_every_balance() -> None:
    assert set(get_args(DetectSettings.model_fields["balance"].annotation)) == {*BALANCES}


def test_fitting_returns_the_scorer(case: DetectSettings) -> None:
    scorer = build_scorer(case, np.array(["source", "target"] * 12))
    assert scorer.fit(references()) is scorer


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_scores_are_finite_float64_one_a_query(case: DetectSettings, kind: type) -> None:
    scorer = fitted(case, references().astype(kind))
    scores = scorer.score(references(7).astype(kind))
    assert scores.dtype == np.float64
    assert scores.shape == (7,)
    assert np.isfinite(scores).all()


def test_no_query_has_no_score(case: DetectSettings) -> None:
    assert fitted(case, references()).score(np.zeros((0, 6))).shape == (0,)


def test_farther_is_more_anomalous(case: DetectSettings) -> None:
    scorer = fitted(case, references())
    scores = scorer.score(away(references(), 8, 16, 64))
    assert (np.diff(scores) > 0).all()
    assert scores[0] > np.median(scorer.score(references()[:12]))


def test_a_score_is_the_query_s_own(case: DetectSettings) -> None:
    scorer = fitted(case, references())
    queries = np.random.default_rng(1).normal(size=(9, 6))
    together = scorer.score(queries)
    np.testing.assert_allclose(scorer.score(queries[::-1])[::-1], together, rtol=1e-12)
    alone = [scorer.score(query[None])[0] for query in queries]
    np.testing.assert_allclose(alone, together, rtol=1e-12)


def test_the_order_of_references_does_not_matter(case: DetectSettings) -> None:
    queries = np.random.default_rng(1).normal(size=(9, 6))
    shuffled = np.random.default_rng(2).permutation(24)
    first = fitted(case, references()).score(queries)
    second = fitted(case, references(), shuffled).score(queries)
    np.testing.assert_allclose(first, second, rtol=1e-9)


def test_nothing_that_is_given_is_changed(case: DetectSettings) -> None:
    data, queries = references(), references(5) + 1
    before = data.copy(), queries.copy()
    scorer = fitted(case, data)
    scorer.score(queries)
    assert np.array_equal(data, before[0])
    assert np.array_equal(queries, before[1])


@pytest.mark.parametrize("count", [1, 2, 3])
def test_few_references_are_enough(case: DetectSettings, count: int) -> None:
    scores = fitted(case, references(count)).score(away(references(count), 8, 16, 64))
    assert np.isfinite(scores).all()
    assert (np.diff(scores) > 0).all()


def test_more_dimensions_than_references_are_no_obstacle(case: DetectSettings) -> None:
    data = references(8, 50)
    scorer = fitted(case, data)
    assert (np.diff(scorer.score(away(data, 30, 60, 120))) > 0).all()


def test_a_constant_dimension_is_no_obstacle(case: DetectSettings) -> None:
    data = references()
    data[:, 2] = 5.0
    scorer = fitted(case, data)
    assert (np.diff(scorer.score(away(data, 8, 16, 64))) > 0).all()


def test_copies_are_no_obstacle(case: DetectSettings) -> None:
    data = np.repeat(references(), 2, axis=0)
    scorer = fitted(case, data)
    assert (np.diff(scorer.score(away(data, 8, 16, 64))) > 0).all()


def test_references_without_spread_are_no_obstacle(case: DetectSettings) -> None:
    data = np.full((12, 6), 0.1)
    scorer = fitted(case, data)
    scores = scorer.score(away(data, 1, 2, 8))
    assert np.isfinite(scores).all()
    assert (np.diff(scores) > 0).all()


def test_an_offset_changes_nothing(case: DetectSettings) -> None:
    queries = np.random.default_rng(1).normal(size=(9, 6))
    there = fitted(case, references() + 1e6).score(queries + 1e6)
    np.testing.assert_allclose(there, fitted(case, references()).score(queries), rtol=1e-6)


def test_float32_scores_like_float64(case: DetectSettings) -> None:
    queries = np.random.default_rng(1).normal(size=(9, 6))
    single = fitted(case, references().astype(np.float32)).score(queries.astype(np.float32))
    np.testing.assert_allclose(single, fitted(case, references()).score(queries), rtol=1e-4)
