"""Scores of several views as one, against plain loops."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dgmix.detect.conformal import votes
from dgmix.detect.fusion import PRIOR_COUNT, PRIOR_DEVIATION, Units, joint_scores

Floats = NDArray[np.float64]
SEEDS = st.integers(0, 9999)


def random_distances(views: int, clips: int, seed: int = 0, spread: float = 0.3) -> Floats:
    return np.random.default_rng(seed).lognormal(1, spread, size=(views, clips))


def deviations(distances: Floats, pool: Floats) -> Floats:
    """Return distances (view,) in deviations of a pool (view, clip), by definition."""
    found = []
    for own, others in zip(distances, np.log(pool), strict=True):
        mean = sum(others) / len(others)
        squares = sum((value - mean) ** 2 for value in others)
        prior = PRIOR_COUNT * PRIOR_DEVIATION**2
        found.append((np.log(own) - mean) / ((squares + prior) / (len(others) + PRIOR_COUNT)) ** 0.5)
    return np.array(found)


@given(SEEDS, st.integers(1, 6), st.integers(1, 9))
def test_the_clip_is_among_those_that_the_units_are_made_of(
    seed: int, views: int, count: int
) -> None:
    own = random_distances(views, 4, seed + 1, spread=0.8)
    healthy = np.stack([random_distances(views, count, seed + 2 + i) for i in range(4)], axis=1)
    mine, others = joint_scores(own, healthy, np.ones(count))
    for query in range(4):
        pool = np.column_stack([healthy[:, query], own[:, query]])
        assert np.isclose(mine[query], deviations(own[:, query], pool).max())
        expected = [deviations(pool[:, clip], pool).max() for clip in range(count)]
        np.testing.assert_allclose(others[query], expected)


@given(SEEDS, st.integers(2, 4), st.integers(2, 9))
def test_whichever_clip_is_in_question_its_score_is_the_same(
    seed: int, views: int, count: int
) -> None:
    """The scores of all of n + 1 clips do not depend on which of them is the query."""
    pool = random_distances(views, count + 1, seed)
    found = []
    for query in range(count + 1):
        others = np.delete(pool, query, axis=1)[:, None]
        mine, rest = joint_scores(pool[:, [query]], others, np.ones(count))
        found.append(np.insert(rest[0], query, mine[0]))
    np.testing.assert_allclose(found, np.broadcast_to(found[0], (count + 1, count + 1)))


@given(SEEDS, st.integers(2, 4), st.integers(2, 9))
def test_pieces_of_one_recording_weigh_as_much_as_one(seed: int, views: int, count: int) -> None:
    healthy, own = random_distances(views, count, seed), random_distances(views, 3, seed + 1)
    beside = np.repeat(healthy[:, None], 3, axis=1)
    expected = joint_scores(own, beside, np.ones(count))
    found = joint_scores(own, np.repeat(beside, 3, axis=2), np.full(3 * count, 1 / 3))
    np.testing.assert_allclose(found[0], expected[0])
    np.testing.assert_allclose(found[1][:, ::3], expected[1])
    units = [Units(healthy, np.ones(count)), Units(np.repeat(healthy, 3, 1), np.full(3 * count, 1 / 3))]
    np.testing.assert_allclose(units[0].deviations(own), units[1].deviations(own))


@given(SEEDS, st.integers(2, 4), st.integers(1, 12))
def test_units_are_mean_and_deviation_of_the_healthy_logarithms(
    seed: int, views: int, count: int
) -> None:
    healthy, own = random_distances(views, count, seed), random_distances(views, 5, seed + 1)
    found = Units(healthy, np.ones(count)).deviations(own)
    expected = np.stack([deviations(own[:, i], healthy) for i in range(5)], axis=1)
    np.testing.assert_allclose(found, expected)


@given(SEEDS, st.integers(1, 4), st.lists(st.integers(1, 3), min_size=2, max_size=6))
def test_a_healthy_recording_is_scored_in_units_of_the_others(
    seed: int, views: int, sizes: list[int]
) -> None:
    groups = [f"{i}" for i, size in enumerate(sizes) for _ in range(size)]
    healthy = random_distances(views, len(groups), seed)
    found = Units(healthy, votes(groups)).left_out(groups)
    for group in set(groups):
        own = np.array(groups) == group
        rest = [each for each in groups if each != group]
        expected = Units(healthy[:, ~own], votes(rest)).deviations(healthy[:, own]).max(0)
        np.testing.assert_allclose(found[own], expected, rtol=1e-6, atol=1e-9)


@given(st.floats(0.01, 100), st.integers(0, 1))
def test_the_unit_of_a_view_does_not_matter(factor: float, view: int) -> None:
    healthy, own = random_distances(2, 9), random_distances(2, 4, seed=3)
    before = joint_scores(own, healthy[:, None].repeat(4, 1), np.ones(9))
    healthy[view], own[view] = healthy[view] * factor, own[view] * factor
    after = joint_scores(own, healthy[:, None].repeat(4, 1), np.ones(9))
    for first, second in zip(before, after, strict=True):
        np.testing.assert_allclose(first, second, atol=1e-9)


def test_the_prior_decides_where_there_are_few() -> None:
    """Two healthy clips that happen to be alike do not make every other clip an anomaly."""
    alike = Units(np.array([[1.0, 1.0 + 1e-9]]), np.ones(2))
    (found,) = alike.deviations(np.array([[1.2]]))
    assert found[0] < 1.0
    many = Units(np.full((1, 10_000), 1.0), np.ones(10_000))
    assert many.deviations(np.array([[1.2]]))[0, 0] > 30


def test_distances_of_zero_and_infinity_have_a_place() -> None:
    healthy = random_distances(2, 4)
    healthy[:, 0] = 0, np.inf
    units = Units(healthy, np.ones(4))
    assert np.isfinite(units.mean).all()
    assert np.isfinite(units.deviation).all()
    low, high = units.deviations(np.array([[0.0, 1.0], [0.0, np.inf]])).max(0)
    assert np.isfinite(low)
    assert high == np.inf
    assert units.left_out(["a", "b", "c", "d"])[0] == np.inf


def test_a_healthy_clip_alone_has_no_score() -> None:
    units = Units(np.full((2, 1), np.inf), np.ones(1))
    assert units.left_out(["a"]).tolist() == [np.inf]
    assert np.isfinite(units.deviations(random_distances(2, 3))).all()
