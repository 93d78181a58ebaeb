"""Scores, p-values, thresholds and verdicts of a section agree, whatever the clips."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from clouds import Cloud, Floats, clouds, fitted, judged, pieces, single
from hypothesis import given, settings
from hypothesis import strategies as st

from dgmix.config import DetectSettings
from dgmix.detect.calibration import Calibration, Scores
from dgmix.detect.compare import Distances
from dgmix.detect.fusion import PRIOR_COUNT, PRIOR_DEVIATION
from dgmix.errors import DgmixError

RATES = (0.05, 0.1, 0.2, 1 / 3, 0.5, 0.8)
MORE: tuple[dict[str, object], ...] = (
    {},
    {"neighbors": 3},
    {"scorer": "kriging"},
    {"scorer": "mahalanobis"},
    {"whiten": True},
    {"per_domain": True},
)


def assert_consistent(scores: Floats, p_values: Floats) -> None:
    """Check that a higher score has a smaller or equal p-value."""
    order = np.argsort(scores, kind="stable")
    assert (np.diff(p_values[order]) <= 0).all()
    for score in np.unique(scores):
        assert np.ptp(p_values[scores == score]) == 0


def assert_threshold(
    calibration: Calibration, scores: Scores, condition: str | None = None
) -> None:
    """Check that what has a p-value of at most a rate is what scores above its threshold."""
    for rate in RATES:
        flagged = scores.p_known <= rate + 1e-9
        limit = calibration.threshold(rate, condition)
        np.testing.assert_array_equal(flagged, scores.score > limit)
        if calibration.covers_new:
            new = calibration.new.scale().threshold(rate)
            np.testing.assert_array_equal(scores.p_new <= rate + 1e-9, scores.score_new > new)


@settings(max_examples=40)
@given(st.one_of(clouds(most=30, dims=30), pieces(views=3)), st.sampled_from(MORE))
def test_scores_p_values_and_thresholds_never_contradict_each_other(
    cloud: Cloud, changes: dict[str, object]
) -> None:
    cloud = replace(cloud, conditions=cloud.recordings // 2)
    names = np.unique(cloud.recordings)
    healthy = np.isin(cloud.recordings, names[: len(names) // 2 + 1])
    if healthy.all():
        return
    chosen, queries = np.flatnonzero(healthy), np.flatnonzero(~healthy)
    options = cloud.settings(**changes)
    comparison, calibration = fitted(cloud, chosen, options)
    distances = comparison.measure(cloud.queries(queries), len(queries))
    for condition in (None, "c000", "not known"):
        scores = calibration.judge(distances, [condition] * len(queries))
        assert np.isfinite(scores.score).all()
        assert_consistent(scores.score, scores.p_known)
        assert_consistent(scores.score_new, scores.p_new)
        named = condition if condition in calibration.conditions else None
        assert_threshold(calibration, scores, named)


@settings(max_examples=25)
@given(clouds(most=20, dims=20, least=4))
def test_a_named_condition_is_judged_by_its_own_clips(cloud: Cloud) -> None:
    count = len(cloud)
    cloud = replace(cloud, conditions=np.arange(count) % 2)
    healthy, query = np.arange(count - 1), np.array([count - 1])
    for condition in (0, 1):
        own = (healthy % 2 == condition).sum()
        scores = judged(cloud, healthy, query, cloud.settings(), [f"c00{condition}"])
        assert scores.p_known[0] >= 1 / (own + 1) - 1e-9
        assert round(scores.p_known[0] * (own + 1), 6) % 1 == 0
    everybody = judged(cloud, healthy, query, cloud.settings())
    unknown = judged(cloud, healthy, query, cloud.settings(), ["winter"])
    assert (unknown.p_known, unknown.score) == (everybody.p_known, everybody.score)


def test_conditions_may_be_named_for_some_clips_only() -> None:
    rng = np.random.default_rng(0)
    cloud = single(rng.normal(size=(20, 3)), rng.normal(size=(20, 9)))
    cloud = replace(cloud, conditions=np.arange(20) % 3)
    healthy, queries = np.arange(15), np.arange(15, 20)
    named = ["c000", None, "c001", "winter", "c000"]
    together = judged(cloud, healthy, queries, cloud.settings(), named)
    for row, (query, condition) in enumerate(zip(queries, named, strict=True)):
        alone = judged(cloud, healthy, np.array([query]), cloud.settings(), [condition])
        assert together.score[row] == alone.score[0]
        assert together.p_known[row] == alone.p_known[0]
        assert together.p_new[row] == alone.p_new[0]
        np.testing.assert_array_equal(together.by_view[row], alone.by_view[0])


def test_recordings_and_conditions_are_counted_by_name() -> None:
    cloud = single(np.random.default_rng(0).normal(size=(9, 3)))
    cloud = Cloud(cloud.views, np.arange(9) // 2, np.arange(9) // 5)
    _, calibration = fitted(cloud, np.arange(9), cloud.settings())
    assert (calibration.count(), calibration.count("c000"), calibration.count("c001")) == (5, 3, 3)
    assert (calibration.count("winter"), calibration.new.count) == (0, 2)


def test_a_scorer_that_estimates_promises_nothing_of_new_conditions() -> None:
    cloud = single(np.random.default_rng(0).normal(size=(13, 3)))
    _, calibration = fitted(cloud, np.arange(12), cloud.settings(scorer="mahalanobis"))
    assert (calibration.count(), calibration.covers_new) == (6, False)
    scores = judged(cloud, np.arange(12), np.array([12]), cloud.settings(scorer="mahalanobis"))
    assert scores.p_new.tolist() == [1.0]
    assert scores.score_new.tolist() == scores.score.tolist()


def test_the_score_of_one_view_is_the_distance() -> None:
    rng = np.random.default_rng(0)
    cloud = single(rng.normal(size=(20, 3)))
    comparison, calibration = fitted(cloud, np.arange(12), cloud.settings())
    distances = comparison.measure(cloud.queries(np.arange(12, 20)), 8)
    scores = calibration.judge(distances, [None] * 8)
    assert np.array_equal(scores.score, distances.own[0])
    assert np.array_equal(calibration.known.scores, comparison.known[0])


def test_the_view_that_a_clip_stands_out_in_is_named() -> None:
    rng = np.random.default_rng(0)
    views = [rng.normal(size=(14, 4)) for _ in range(3)]
    for view, clip in ((0, 12), (2, 13)):
        views[view][clip] += 50
    cloud = single(*views)
    scores = judged(cloud, np.arange(12), np.array([12, 13]), cloud.settings())
    assert scores.by_view.argmax(1).tolist() == [0, 2]


def test_healthy_scores_are_in_units_of_the_others() -> None:
    rng = np.random.default_rng(0)
    cloud = single(rng.normal(size=(8, 3)), rng.normal(size=(8, 5)))
    comparison, calibration = fitted(cloud, np.arange(8), cloud.settings())
    for clip in range(8):
        kept = np.arange(8) != clip
        own = deviations(comparison.known[:, clip], comparison.known[:, kept])
        assert calibration.known.scores[clip] == pytest.approx(own.max())


def deviations(distances: Floats, others: Floats) -> Floats:
    """Return distances (view,) in deviations of others (view, clip), by definition."""
    logs = np.log(others)
    squares = ((logs - logs.mean(1, keepdims=True)) ** 2).sum(1) + PRIOR_COUNT * PRIOR_DEVIATION**2
    spread = np.sqrt(squares / (logs.shape[1] + PRIOR_COUNT))
    return np.asarray((np.log(distances) - logs.mean(1)) / spread)


def test_the_order_of_healthy_clips_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    views = [rng.normal(size=(20, dim)) for dim in (3, 9)]
    order = np.append(rng.permutation(15), np.arange(15, 20))
    either = [
        judged(single(*each), np.arange(15), np.arange(15, 20), single(*each).settings())
        for each in (views, [view[order] for view in views])
    ]
    np.testing.assert_allclose(either[0].score, either[1].score, rtol=1e-9)
    np.testing.assert_array_equal(either[0].p_known, either[1].p_known)


def test_a_distance_that_is_no_number_is_refused() -> None:
    cloud = single(np.random.default_rng(0).normal(size=(5, 3)))
    _, calibration = fitted(cloud, np.arange(5), cloud.settings())
    nothing = np.full((1, 1, 5), np.nan)
    with pytest.raises(DgmixError, match="not a number; look for damaged recordings"):
        calibration.judge(
            Distances(np.full((1, 1), np.nan), nothing, nothing, np.zeros(1, np.int64)), [None]
        )


def test_no_clips_have_no_scores() -> None:
    cloud = single(np.random.default_rng(0).normal(size=(5, 3)))
    scores = judged(
        cloud, np.arange(5), np.array([], np.int64), DetectSettings(views=["logmel-mean"])
    )
    assert scores.score.shape == scores.p_known.shape == scores.p_new.shape == (0,)
