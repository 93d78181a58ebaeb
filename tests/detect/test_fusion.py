"""Scores of several views as one, against plain loops."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dgmix.detect.fusion import (
    PART_DEVIATION,
    PRIOR_COUNT,
    PRIOR_DEVIATION,
    Points,
    view_deviations,
)

Floats = NDArray[np.float64]
SEEDS = st.integers(0, 9999)


def random_logs(views: int, clips: int, seed: int = 0, spread: float = 0.3) -> Floats:
    return np.random.default_rng(seed).normal(1, spread, size=(views, clips))


def singles(count: int) -> Points:
    """Return clips of which each is a recording by itself."""
    return Points(np.ones(count), np.arange(count))


def in_groups(groups: NDArray[np.int64]) -> Points:
    return Points(1 / np.bincount(groups)[groups], groups)


def deviation(value: float, others: Floats, votes: Floats, prior: float) -> float:
    """Return by how many deviations a value exceeds the mean of others, by definition."""
    mean = sum(others * votes) / sum(votes)
    squares = sum(votes * (others - mean) ** 2) + PRIOR_COUNT * prior**2
    return float((value - mean) / np.sqrt(squares / (sum(votes) + PRIOR_COUNT)))


@given(SEEDS, st.lists(st.integers(0, 4), min_size=2, max_size=12), st.floats(0.05, 2))
def test_a_clip_is_measured_by_those_of_other_groups(
    seed: int, groups: list[int], prior: float
) -> None:
    of = np.unique(groups, return_inverse=True)[1]
    if len(set(groups)) < 2:
        return
    values, points = random_logs(3, len(of), seed), in_groups(of)
    deviations = points.deviations(values, prior)
    for row in range(3):
        for clip in range(len(of)):
            others = of != of[clip]
            expected = deviation(
                values[row, clip], values[row, others], points.votes[others], prior
            )
            assert np.isclose(deviations[row, clip], expected)


@given(SEEDS, st.integers(1, 6), st.integers(2, 9), st.integers(0, 5))
def test_the_order_of_clips_does_not_matter(seed: int, views: int, count: int, by: int) -> None:
    """Whichever of n + 1 clips is the one in question, all have the same scores."""
    logs = random_logs(views, count, seed)
    parts = (1,) * views
    before = view_deviations(logs, singles(count), parts)[0].max(0)
    after = view_deviations(np.roll(logs, by, axis=1), singles(count), parts)[0].max(0)
    np.testing.assert_allclose(after, np.roll(before, by))


@given(SEEDS, st.integers(2, 4), st.integers(2, 9))
def test_pieces_of_one_recording_weigh_as_much_as_one(seed: int, views: int, count: int) -> None:
    logs = random_logs(views, count, seed)
    expected = singles(count).deviations(logs, 0.3)
    deviations = in_groups(np.repeat(np.arange(count), 3)).deviations(
        np.repeat(logs, 3, axis=1), 0.3
    )
    np.testing.assert_allclose(deviations[:, ::3], expected)


@given(st.floats(-5, 5), st.integers(0, 1))
def test_the_unit_of_a_view_does_not_matter(shift: float, view: int) -> None:
    logs = random_logs(2, 9)
    before = view_deviations(logs, singles(9), (1, 1))[0]
    logs[view] += shift
    np.testing.assert_allclose(view_deviations(logs, singles(9), (1, 1))[0], before, atol=1e-9)


def test_a_view_of_several_parts_has_one_deviation() -> None:
    logs, points = random_logs(5, 12), singles(12)
    deviations = view_deviations(logs, points, (1, 3, 1))[0]
    rows = points.deviations(logs, PRIOR_DEVIATION)
    size = np.sqrt((np.maximum(rows[1:4], 0) ** 2).mean(0))
    np.testing.assert_allclose(deviations[[0, 2]], rows[[0, 4]])
    np.testing.assert_allclose(deviations[1], points.deviations(size[None], PART_DEVIATION)[0])


def test_several_queries_are_computed_alike_at_once() -> None:
    logs = np.stack([random_logs(5, 12, seed) for seed in range(4)])
    deviations = view_deviations(logs, singles(12), (1, 3, 1))[0]
    for query in range(4):
        alone = view_deviations(logs[query], singles(12), (1, 3, 1))[0]
        np.testing.assert_allclose(deviations[query], alone)
