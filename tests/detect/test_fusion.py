"""Scores of several views as one, against explicit loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dgmix.detect.fusion import LEAST_SPREAD, fused, fused_left_out, units

Floats = NDArray[np.float64]


def random_scores(views: int, clips: int, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).lognormal(1, 0.3, size=(views, clips))


def of_one(scores: Floats, healthy: Floats) -> float:
    """Return the fused score of one clip (view,)."""
    logs = np.log(healthy)
    spread = np.maximum(logs.std(1), LEAST_SPREAD)
    return float(np.max((np.log(scores) - logs.mean(1)) / spread))


def test_the_largest_view_counts_in_deviations_of_the_healthy_logarithms() -> None:
    healthy, asked = random_scores(3, 20), random_scores(3, 5, seed=1)
    expected = [of_one(asked[:, i], healthy) for i in range(5)]
    np.testing.assert_allclose(fused(asked, healthy), expected, rtol=1e-12)


def test_the_score_of_one_view_stays_as_it_is() -> None:
    healthy = random_scores(1, 6)
    assert np.array_equal(fused(healthy[:, :3], healthy), healthy[0, :3])
    assert np.array_equal(fused_left_out(healthy, np.arange(6)), healthy[0])


@given(st.lists(st.integers(0, 3), min_size=5, max_size=12), st.integers(0, 99))
def test_a_healthy_clip_is_told_in_units_of_other_recordings(
    recordings: list[int], seed: int
) -> None:
    if len(set(recordings)) < 2:
        recordings[0] = 4
    of, healthy = np.array(recordings), random_scores(2, len(recordings), seed)
    expected = [of_one(healthy[:, i], healthy[:, of != of[i]]) for i in range(len(of))]
    np.testing.assert_allclose(fused_left_out(healthy, of), expected, rtol=1e-6)


def test_its_own_score_does_not_hide_an_odd_healthy_clip() -> None:
    healthy = np.vstack([np.full(6, 2.0), np.linspace(1, 1.1, 6)])
    healthy[0, 3] = 20
    assert fused_left_out(healthy, np.arange(6)).argmax() == 3
    assert fused_left_out(healthy, np.arange(6))[3] == pytest.approx(np.log(10) / LEAST_SPREAD)


@given(st.floats(0.01, 100), st.integers(0, 1))
def test_the_unit_of_a_view_does_not_matter(factor: float, view: int) -> None:
    healthy, asked = random_scores(2, 9), random_scores(2, 4, seed=3)
    before = fused(asked, healthy)
    healthy[view], asked[view] = healthy[view] * factor, asked[view] * factor
    np.testing.assert_allclose(fused(asked, healthy), before, atol=1e-9)


def test_scores_of_zero_and_infinity_have_a_place() -> None:
    healthy = random_scores(2, 4)
    healthy[:, 0] = 0, np.inf
    low, high = fused(np.array([[0.0, 1.0], [0.0, np.inf]]), healthy)
    assert np.isfinite(low)
    assert high == np.inf
    assert np.isfinite(units(healthy)).all()


def test_clips_that_nothing_is_compared_with_are_infinite() -> None:
    nothing = np.full((2, 1), np.inf)
    assert fused_left_out(nothing, np.zeros(1, int)).tolist() == [np.inf]
    assert np.isfinite(fused(random_scores(2, 3), nothing)).all()
