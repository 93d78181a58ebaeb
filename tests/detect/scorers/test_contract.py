"""What every scorer must do; a new one is picked up here."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from dgmix.config import DetectSettings
from dgmix.detect.scorers import SCORERS, Scorer, build_scorer

Floats = NDArray[np.float64]


@pytest.fixture(params=SCORERS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def references(count: int = 40, dim: int = 6) -> Floats:
    return np.random.default_rng(0).normal(size=(count, dim))


def fitted(name: str, data: Floats | NDArray[np.float32]) -> Scorer:
    return build_scorer(DetectSettings(scorer=name)).fit(data)  # type: ignore[arg-type]


def test_the_settings_know_every_scorer() -> None:
    assert set(get_args(DetectSettings.model_fields["scorer"].annotation)) == set(SCORERS)


def test_fitting_returns_the_scorer(name: str) -> None:
    scorer = SCORERS[name](DetectSettings())
    assert scorer.fit(references()) is scorer


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_scores_are_finite_float64_one_a_query(name: str, kind: type) -> None:
    scorer = fitted(name, references().astype(kind))
    scores = scorer.score(references(7).astype(kind))
    assert scores.dtype == np.float64
    assert scores.shape == (7,)
    assert np.isfinite(scores).all()


def test_no_query_has_no_score(name: str) -> None:
    assert fitted(name, references()).score(np.zeros((0, 6))).shape == (0,)


def test_farther_is_more_anomalous(name: str) -> None:
    centre, direction = references().mean(0), np.ones(6) / 6**0.5
    queries = centre + np.array([[8.0], [16.0], [64.0]]) * direction
    scores = fitted(name, references()).score(queries)
    assert (np.diff(scores) > 0).all()
    assert scores[0] > np.median(fitted(name, references()).score(references()[:20]))


def test_a_score_is_the_query_s_own(name: str) -> None:
    scorer = fitted(name, references())
    queries = np.random.default_rng(1).normal(size=(9, 6))
    together = scorer.score(queries)
    np.testing.assert_allclose(scorer.score(queries[::-1])[::-1], together, rtol=1e-12)
    alone = [scorer.score(query[None])[0] for query in queries]
    np.testing.assert_allclose(alone, together, rtol=1e-12)


def test_the_order_of_references_does_not_matter(name: str) -> None:
    queries = np.random.default_rng(1).normal(size=(9, 6))
    shuffled = np.random.default_rng(2).permutation(references())
    first, second = (fitted(name, data).score(queries) for data in (references(), shuffled))
    np.testing.assert_allclose(first, second, rtol=1e-9)


def test_nothing_that_is_given_is_changed(name: str) -> None:
    data, queries = references(), references(5) + 1
    before = data.copy(), queries.copy()
    scorer = fitted(name, data)
    scorer.score(queries)
    scorer.score_references(np.arange(len(data)))
    assert np.array_equal(data, before[0])
    assert np.array_equal(queries, before[1])


def test_a_reference_is_scored_without_its_own_group(name: str) -> None:
    data = references(12)
    groups = np.array([0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 4, 4])
    found = fitted(name, data).score_references(groups)
    expected = [
        fitted(name, data[groups != group]).score(row[None])[0]
        for row, group in zip(data, groups, strict=True)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_a_group_alone_is_infinitely_far(name: str) -> None:
    scores = fitted(name, references(3)).score_references(np.zeros(3, np.int64))
    assert np.isposinf(scores).all()


def test_one_reference_is_enough(name: str) -> None:
    scorer = fitted(name, references(1))
    assert np.isfinite(scorer.score(references(4))).all()
