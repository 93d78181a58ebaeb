"""p-values, thresholds and rates against scipy, transcriptions, and explicit loops."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import stats

from dgmix.detect.conformal import (
    Scale,
    batch_p_value,
    check_rate,
    groups_needed,
    rank_p_values,
    rate_interval,
    rounded_up,
    smallest_rate,
)
from dgmix.errors import InputError

Floats = NDArray[np.float64]
coarse = st.floats(-4, 8).map(round).map(float)  # so that ties are frequent
some_scores = arrays(np.float64, st.integers(1, 30), elements=coarse)
rates = st.one_of(st.floats(1e-3, 0.999), st.sampled_from([0.05, 0.25, 1 / 3, 0.29]))


def plain_scale(scores: Floats) -> Scale:
    """Return the scale of healthy recordings of one piece each."""
    return Scale(scores, np.ones(len(scores)))


@st.composite
def scales(draw: st.DrawFn) -> Scale:
    """A scale of pieces of recordings, some of them of one piece."""
    scores = draw(some_scores)
    groups = draw(arrays(np.int64, len(scores), elements=st.integers(0, 6)))
    return Scale(scores, 1 / np.bincount(groups)[groups])


# p-values


@given(some_scores, some_scores)
def test_p_values_equal_scipy_percentiles(scores: Floats, healthy: Floats) -> None:
    n = len(healthy)
    below = stats.percentileofscore(healthy, scores, kind="strict") / 100 * n
    expected = (1 + n - below) / (n + 1)
    np.testing.assert_allclose(plain_scale(healthy).p_values(scores), expected, rtol=1e-8)
    others = np.broadcast_to(healthy, (len(scores), n))
    np.testing.assert_allclose(rank_p_values(scores, others, np.ones(n)), expected, rtol=1e-8)


@given(some_scores, scales())
def test_p_values_count_votes(scores: Floats, scale: Scale) -> None:
    for score, p_value in zip(scores, scale.p_values(scores), strict=True):
        reached = sum(v for s, v in zip(scale.scores, scale.votes, strict=True) if s >= score)
        assert p_value == pytest.approx((1 + reached) / (1 + scale.votes.sum()), rel=1e-8)


@given(some_scores, scales())
def test_a_higher_score_never_has_a_larger_p(scores: Floats, scale: Scale) -> None:
    p_values = scale.p_values(np.sort(scores))
    assert (np.diff(p_values) <= 0).all()
    assert (p_values <= 1).all()
    assert (p_values >= smallest_rate(round(scale.votes.sum())) - 1e-9).all()


@given(some_scores, scales(), st.integers(2, 5))
def test_copies_of_a_recording_count_as_one(scores: Floats, scale: Scale, copies: int) -> None:
    copied = Scale(np.tile(scale.scores, copies), np.tile(scale.votes / copies, copies))
    np.testing.assert_allclose(copied.p_values(scores), scale.p_values(scores), rtol=1e-8)


def test_ties_count_for_the_healthy_side() -> None:
    scale = plain_scale(np.array([1.0, 2, 2, 3]))
    p = scale.p_values(np.array([0.0, 1, 2, 2.5, 3, 4]))
    np.testing.assert_allclose(p, np.array([5, 5, 4, 2, 2, 1]) / 5)


def test_scores_that_differ_by_rounding_are_ties() -> None:
    others = np.array([[1 - 1e-12, 0.5]])
    assert rank_p_values(np.array([1.0]), others, np.ones(2)) == pytest.approx(2 / 3)


@pytest.mark.parametrize("healthy", [[], [np.inf]])
def test_a_recording_alone_says_nothing(healthy: list[float]) -> None:
    scale = plain_scale(np.array(healthy))
    np.testing.assert_array_equal(scale.p_values(np.array([0.0, 1e9])), [1, 1])
    assert scale.threshold(0.5) == np.inf


# Thresholds


@given(st.one_of(some_scores, arrays(np.float64, 20, elements=st.floats(-9, 9))), scales(), rates)
def test_a_score_above_the_threshold_is_what_p_flags(
    scores: Floats, scale: Scale, rate: float
) -> None:
    scores = np.concatenate([scores, scale.scores])
    flagged = scale.p_values(scores) <= rate + 1e-9
    np.testing.assert_array_equal(flagged, scores > scale.threshold(rate))


@pytest.mark.parametrize("n", [9, 19, 28, 99, 100, 999])
def test_every_supported_rate_flags_as_many_as_it_says(n: int) -> None:
    scale = plain_scale(np.random.default_rng(n).permutation(n).astype(np.float64))
    for alarms in range(1, n + 1):
        assert scale.threshold(alarms / (n + 1)) == n - alarms
    assert scale.threshold(0.999 / (n + 1)) == np.inf
    assert scale.threshold(1) == -np.inf


# Scores that follow their p-values


@given(some_scores, scales(), st.data())
def test_a_score_moves_no_further_than_its_p_value_needs(
    scores: Floats, scale: Scale, data: st.DataObject
) -> None:
    exact = data.draw(arrays(np.float64, len(scores), elements=st.floats(0.01, 1)))
    limited = scale.confined(scores, exact)
    p_values = scale.p_values(limited)
    levels = scale.levels
    reachable = np.maximum(exact, levels.min())
    for given_p, p in zip(reachable, p_values, strict=True):
        assert p == levels[levels >= given_p - 1e-9].min()
    stays = scale.p_values(scores) == p_values
    inside = stays & ~np.isin(scores, scale.steps)  # a step's upper margin is visibly above it
    moved = np.abs(limited - scores)
    assert (moved[inside] <= 0.01 * np.maximum(np.abs(scores[inside]), 1) + 0.011).all()
    assert np.array_equal(scale.confined(limited, p_values), limited)


@given(scales())
def test_a_limited_score_is_lowered_to_where_its_p_value_is_large_enough(scale: Scale) -> None:
    scores = np.linspace(-6, 10, 33)
    for exact in (0.01, 0.3, 0.5, 1.0):
        limited = scale.limited(scores, np.full(33, exact))
        p_values = scale.p_values(scores)
        stays = p_values >= min(exact, scale.levels.max()) - 1e-9
        assert np.array_equal(limited[stays], scores[stays])
        assert (scale.p_values(limited) >= max(exact, scale.levels.min()) - 1e-9).all()
        assert (limited <= scores).all()


@given(scales())
def test_bounds_of_levels_do_not_meet(scale: Scale) -> None:
    least, most = scale.bounds
    assert (least[1:] > most[:-1]).all()
    assert (least <= most).all()
    np.testing.assert_array_equal(scale.p_values(least), scale.levels)
    np.testing.assert_array_equal(scale.p_values(most), scale.levels)


def test_a_score_above_the_threshold_shows_it_in_four_figures() -> None:
    scale = plain_scale(np.array([1.0, 1.5, 2.0, 2.5]))
    (limited,) = scale.confined(np.array([0.3]), np.array([0.2]))
    assert limited > scale.threshold(0.2) == 2.5
    assert f"{limited:.4g}" != f"{2.5:.4g}"


# A set of recordings


@given(arrays(np.float64, st.integers(1, 40), elements=st.floats(1e-6, 1)))
def test_the_p_value_of_a_set_is_the_least_that_benjamini_and_hochberg_give(p: Floats) -> None:
    """Simes' p-value is the smallest adjusted p-value of the Benjamini–Hochberg procedure."""
    expected = stats.false_discovery_control(p, method="bh").min()
    assert batch_p_value(p) == pytest.approx(expected, rel=1e-12)


def test_the_p_value_of_a_healthy_set_is_small_as_rarely_as_it_says() -> None:
    rng = np.random.default_rng(0)
    p_values = []
    for _ in range(2000):  # all of a set share their healthy scores, as in use
        scale = plain_scale(rng.normal(size=19))
        p_values.append(batch_p_value(scale.p_values(rng.normal(size=16))))
    for rate in (0.05, 0.1, 0.3):
        assert (
            np.mean(np.array(p_values) <= rate + 1e-9) <= stats.binom.ppf(0.999, 2000, rate) / 2000
        )


def test_a_set_with_many_strange_recordings_is_strange() -> None:
    assert batch_p_value(np.full(16, 0.05)) == pytest.approx(0.05)
    assert batch_p_value(np.array([0.05] + [1.0] * 15)) == pytest.approx(0.8)
    assert batch_p_value(np.ones(5)) == 1


# Rates


def test_too_small_a_rate_is_refused_with_what_to_do() -> None:
    with pytest.raises(InputError) as refusal:
        check_rate(0.01, 12)
    assert str(refusal.value) == (
        "a false-alarm rate of 0.01 needs 99 healthy recordings, and there are 12; "
        "record 87 more or choose a rate of at least 0.077"
    )
    with pytest.raises(InputError, match=r"needs 19 healthy conditions, and there are 3; "):
        check_rate(0.05, 3, "healthy conditions")


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 5.0, np.nan])
def test_what_is_no_rate_is_refused(rate: float) -> None:
    with pytest.raises(InputError, match="choose one between 0 and 1"):
        check_rate(rate, 1000)


@given(st.floats(1e-4, 0.9), st.integers(1, 5000))
def test_either_advice_of_the_refusal_helps(rate: float, recordings: int) -> None:
    try:
        check_rate(rate, recordings)
    except InputError as refusal:
        more, least = re.findall(r"record (\d+) more .* at least (\S+)$", str(refusal))[0]
        assert int(more) > 0
        check_rate(rate, recordings + int(more))
        check_rate(float(least), recordings)
        assert float(least) <= 1.01 * smallest_rate(recordings)
    else:
        assert smallest_rate(recordings) <= rate + 1e-9


@given(st.integers(1, 100_000))
def test_as_many_recordings_are_needed_as_the_smallest_rate_is_of(recordings: int) -> None:
    assert groups_needed(smallest_rate(recordings)) == recordings


@given(st.floats(1e-6, 1))
def test_rates_are_rounded_up_a_little(rate: float) -> None:
    assert rate - 1e-9 * rate <= rounded_up(rate) <= 1.0101 * rate


# How sure a rate is


@pytest.mark.parametrize(("n", "rate"), [(39, 0.05), (39, 0.1), (99, 0.29)])
def test_interval_of_independent_scores_is_that_of_the_beta_distribution(
    n: int, rate: float
) -> None:
    alarms = round(rate * (n + 1))
    expected = stats.beta.ppf([0.05, 0.95], alarms, n + 1 - alarms)
    low, high = rate_interval(n, rate, 0.9, design_effect=1)
    np.testing.assert_allclose((low, high), expected, rtol=1e-5)
    rng = np.random.default_rng(0)
    realised = np.array([1 - plain_scale(rng.uniform(size=n)).threshold(rate) for _ in range(2000)])
    inside = np.mean((realised >= expected[0]) & (realised <= expected[1]))
    assert inside == pytest.approx(0.9, abs=0.015)


def missed(known: Floats, radius: float) -> float:
    """The exact part of a normal distribution that is farther than `radius` from all of `known`."""
    last = np.sort(known) + radius
    first = np.maximum(last - 2 * radius, np.append(-np.inf, last[:-1]))
    return float(1 - np.sum(stats.norm.cdf(last) - stats.norm.cdf(first)))


@pytest.mark.parametrize(("n", "rate"), [(19, 0.1), (99, 0.01), (99, 0.05)])
def test_interval_allows_for_neighbours_that_share_a_distance(n: int, rate: float) -> None:
    rng = np.random.default_rng(n)
    realised = []
    for _ in range(300):
        known = np.sort(rng.normal(size=n))
        gaps = np.append(np.inf, np.append(np.diff(known), np.inf))
        nearest = np.minimum(gaps[1:], gaps[:-1])
        realised.append(missed(known, plain_scale(nearest).threshold(rate)))

    def inside(low: float, high: float) -> float:
        return float(np.mean((np.array(realised) >= low) & (np.array(realised) <= high)))

    assert inside(*rate_interval(n, rate)) >= 0.92
    assert inside(*rate_interval(n, rate, design_effect=1)) < 0.88
