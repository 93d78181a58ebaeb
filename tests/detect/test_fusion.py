"""Scores of several views as one, and which healthy clips excuse a clip, against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dgmix.detect.fusion import LEAST_SPREAD, as_unusual, excused, fused, left_out, units
from dgmix.detect.threshold import Calibration

Floats = NDArray[np.float64]
SEEDS = st.integers(0, 9999)


def random_scores(views: int, clips: int, seed: int = 0, spread: float = 0.3) -> Floats:
    return np.random.default_rng(seed).lognormal(1, spread, size=(views, clips))


def of_one(scores: Floats, pool: Floats) -> float:
    """Return how far one clip (view,) is out among a pool (view, clip), in its worst view."""
    logs = np.log(pool)
    spread = np.maximum(logs.std(1), LEAST_SPREAD)
    return float(np.max((np.log(scores) - logs.mean(1)) / spread))


def test_the_largest_view_counts_in_deviations_of_the_healthy_logarithms() -> None:
    healthy, asked = random_scores(3, 20), random_scores(3, 5, seed=1)
    expected = [of_one(asked[:, i], healthy) for i in range(5)]
    np.testing.assert_allclose(fused(asked, healthy, np.ones(20)), expected, rtol=1e-12)


def test_the_score_of_one_view_stays_as_it_is() -> None:
    healthy, ones = random_scores(1, 6), np.ones(6)
    assert np.array_equal(fused(healthy[:, :3], healthy, ones), healthy[0, :3])
    assert np.array_equal(excused(healthy, ones), healthy[0])
    assert np.array_equal(left_out(healthy, ones), healthy[0])
    assert np.array_equal(
        as_unusual(healthy[:, :2], healthy, ones), healthy[0] >= healthy[0, :2, None]
    )


@given(SEEDS, st.integers(2, 4), st.integers(2, 9))
def test_the_clip_is_among_those_that_the_units_are_made_of(
    seed: int, views: int, count: int
) -> None:
    healthy = random_scores(views, count, seed)
    asked = random_scores(views, 4, seed + 1, spread=0.8)
    found = as_unusual(asked, healthy, np.ones(count))
    for i in range(4):
        pool = np.column_stack([healthy, asked[:, i]])
        own = of_one(asked[:, i], pool)
        assert found[i].tolist() == [of_one(healthy[:, j], pool) >= own for j in range(count)]


@given(SEEDS, st.integers(2, 4), st.integers(2, 9))
def test_pieces_of_one_recording_weigh_as_much_as_one(seed: int, views: int, count: int) -> None:
    healthy, asked = random_scores(views, count, seed), random_scores(views, 3, seed + 1)
    pieces = np.repeat(np.arange(count), 3)
    weights = np.full(3 * count, 1 / 3)
    np.testing.assert_allclose(
        fused(asked, healthy[:, pieces], weights), fused(asked, healthy, np.ones(count)), rtol=1e-9
    )
    again = as_unusual(asked, healthy[:, pieces], weights)[:, ::3]
    assert np.array_equal(again, as_unusual(asked, healthy, np.ones(count)))


@given(SEEDS, st.integers(2, 4), st.integers(2, 12), st.floats(0.1, 3))
def test_no_clip_above_what_a_healthy_one_excuses_is_excused_by_it(
    seed: int, views: int, count: int, spread: float
) -> None:
    healthy = random_scores(views, count, seed)
    asked = random_scores(views, 30, seed + 1, spread)
    ones = np.ones(count)
    above = fused(asked, healthy, ones)[:, None] > excused(healthy, ones) + 1e-9
    assert not (above & as_unusual(asked, healthy, ones)).any()


def test_a_clip_odd_in_one_view_only_is_excused_up_to_just_there() -> None:
    healthy, ones = random_scores(2, 8), np.ones(8)
    mean, spread = units(healthy, ones)
    limits = excused(healthy, ones)
    first = int(np.argmax((np.log(healthy[1]) - mean[1]) / spread[1]))
    for factor, reached in ((0.999, True), (1.001, False)):
        other = (np.log(healthy[1, first]) - mean[1]) / spread[1]
        asked = np.exp(mean + spread * [limits[first] * factor, -1 / other])[:, None]
        assert as_unusual(asked, healthy, ones)[0, first] == reached


@given(SEEDS, st.integers(2, 4), st.integers(2, 9))
def test_a_healthy_clip_is_scored_as_if_it_were_not_there(
    seed: int, views: int, count: int
) -> None:
    healthy = random_scores(views, count + 1, seed)
    ones = np.ones(count + 1)
    mean = units(healthy[:, 1:], ones[1:])[0]
    least = min(units(healthy[:, first:], ones[first:])[1].min() for first in (0, 1))
    if (np.log(healthy[:, 0]) > mean).any() and least > LEAST_SPREAD:
        expected = fused(healthy[:, :1], healthy[:, 1:], ones[1:])
        np.testing.assert_allclose(left_out(healthy, ones)[:1], expected, rtol=1e-6)


@given(st.floats(0.01, 100), st.integers(0, 1))
def test_the_unit_of_a_view_does_not_matter(factor: float, view: int) -> None:
    healthy, asked = random_scores(2, 9), random_scores(2, 4, seed=3)
    before = fused(asked, healthy, np.ones(9))
    healthy[view], asked[view] = healthy[view] * factor, asked[view] * factor
    np.testing.assert_allclose(fused(asked, healthy, np.ones(9)), before, atol=1e-9)


def test_scores_of_zero_and_infinity_have_a_place() -> None:
    healthy, ones = random_scores(2, 4), np.ones(4)
    healthy[:, 0] = 0, np.inf
    low, high = fused(np.array([[0.0, 1.0], [0.0, np.inf]]), healthy, ones)
    assert np.isfinite(low)
    assert high == np.inf
    assert np.isfinite(units(healthy, ones)).all()
    assert as_unusual(random_scores(2, 3), healthy, ones)[:, 0].all()


def test_clips_that_nothing_is_compared_with_excuse_everything() -> None:
    nothing = np.full((2, 1), np.inf)
    assert excused(nothing, np.ones(1)).tolist() == [np.inf]
    assert left_out(nothing, np.ones(1)).tolist() == [np.inf]
    assert as_unusual(random_scores(2, 3), nothing, np.ones(1)).all()


@pytest.mark.parametrize("count", [9, 19])
def test_false_alarms_of_several_views_are_as_many_as_promised(count: int) -> None:
    rng = np.random.default_rng(count)
    alarms = []
    for _ in range(2000):
        scores = np.exp(rng.standard_t(3, size=(4, count + 1)) * [[0.1], [1], [0.3], [0.5]])
        calibration = Calibration(scores[:, :count], np.arange(count), ("",) * count)
        alarms.append(calibration.p_values(scores[:, count:])[0] <= 0.1)
    assert np.mean(alarms) == pytest.approx(0.1, abs=4 * np.sqrt(0.1 * 0.9 / 2000))
