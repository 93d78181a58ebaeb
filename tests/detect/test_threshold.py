"""Verdicts against brute-force conformal prediction, scipy, and simulated fits."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import stats
from scipy.spatial.distance import cdist

from dgmix.config import DetectSettings
from dgmix.detect.scorers.knn import KNearest
from dgmix.detect.threshold import (
    Calibration,
    check_rate,
    conformal_p_values,
    rate_interval,
    recordings_needed,
    smallest_rate,
    threshold,
)
from dgmix.errors import DgmixError, InputError

RATES = (0.01, 0.05, 0.1)
steady = settings(max_examples=40, deadline=None, derandomize=True)
Floats = NDArray[np.float64]
coarse = st.floats(0, 8).map(round).map(float)  # so that ties are frequent
some_scores = arrays(np.float64, st.integers(1, 30), elements=coarse)


@st.composite
def pieces(draw: st.DrawFn) -> tuple[Floats, NDArray[np.int64]]:
    """Scores (piece,) and which recording each piece is of."""
    calibration = draw(some_scores)
    of = arrays(np.int64, len(calibration), elements=st.integers(0, 6))
    return calibration, draw(of)


def scored(known: Floats, asked: Floats, groups: NDArray[np.int64], k: int = 1):
    """Leave-one-recording-out scores of `known`, and scores of `asked`, by dgmix's own scorer."""
    scorer = KNearest(DetectSettings(neighbors=k)).fit(known)
    return scorer.score_references(groups), scorer.score(asked)


def nearest(known: Floats, asked: Floats, groups: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """The same for one neighbour, quick enough for hundreds of fits."""
    distances = cdist(known, known)
    distances[groups[:, None] == groups] = np.inf
    return distances.min(1), cdist(asked, known).min(1)


def full_conformal(known: Floats, new: Floats, k: int) -> float:
    """The exact p-value, by definition: every clip scored against all others, the new one too."""
    distances = cdist(together := np.vstack([known, new]), together)
    np.fill_diagonal(distances, np.inf)
    scores = np.sort(distances, axis=1)[:, :k].mean(1)
    return float(np.mean(scores >= scores[-1]))


def full_conformal_windows(known: Floats, new: Floats, pool) -> float:
    """The same for clips (clip, window, dim): windows are compared with those of other clips."""
    clips = np.concatenate([known, new[None]])
    scores = []
    for index, clip in enumerate(clips):
        others = np.delete(clips, index, axis=0).reshape(-1, clips.shape[-1])
        scores.append(pool(cdist(clip, others).min(1)))
    return float(np.mean(np.array(scores) >= scores[-1]))


# The plain p-value


@steady
@given(some_scores, some_scores)
def test_p_values_equal_scipy_percentiles(scores, calibration):
    n = len(calibration)
    below = stats.percentileofscore(calibration, scores, kind="strict") / 100 * n
    np.testing.assert_allclose(
        conformal_p_values(scores, calibration), (1 + n - below) / (n + 1), rtol=1e-12
    )


@steady
@given(some_scores, pieces(), st.randoms(use_true_random=False))
def test_p_values_are_in_range_monotone_and_independent_of_order(scores, known, random):
    calibration, recordings = known
    p = conformal_p_values(scores, calibration, recordings)
    assert (p >= smallest_rate(len(np.unique(recordings)))).all()
    assert (p <= 1).all()
    assert (np.diff(p[np.argsort(scores)]) <= 0).all()
    order = np.array(random.sample(range(len(calibration)), len(calibration)))
    again = conformal_p_values(scores, calibration[order], recordings[order])
    np.testing.assert_array_equal(p, again)


@steady
@given(some_scores, some_scores, st.integers(1, 7))
def test_copies_of_a_recording_count_as_one(scores, calibration, copies):
    recordings = np.arange(len(calibration))
    np.testing.assert_array_equal(
        conformal_p_values(scores, calibration),
        conformal_p_values(scores, np.tile(calibration, copies), np.tile(recordings, copies)),
    )


@steady
@given(some_scores, pieces())
def test_pieces_are_weighted_by_their_recording(scores, known):
    calibration, recordings = known
    parts = [calibration[recordings == one] for one in np.unique(recordings)]
    reached = sum((part[:, None] >= scores).mean(0) for part in parts)
    np.testing.assert_allclose(
        conformal_p_values(scores, calibration, recordings),
        (1 + reached) / (1 + len(parts)),
        atol=1e-9,
    )


def test_ties_count_for_the_healthy_side():
    calibration = np.array([1.0, 2, 2, 3])
    p = conformal_p_values(np.array([0.0, 1, 2, 2.5, 3, 4]), calibration)
    np.testing.assert_array_equal(p, np.array([5, 5, 4, 2, 2, 1]) / 5)


@pytest.mark.parametrize("calibration", [[], [np.inf]])
def test_a_recording_alone_says_nothing(calibration):
    p = conformal_p_values(np.array([0.0, 1e9]), np.array(calibration))
    np.testing.assert_array_equal(p, [1, 1])


def test_a_score_that_is_not_a_number_is_refused():
    good, bad = np.array([1.0]), np.array([np.nan])
    for scores, calibration in ((good, bad), (bad, good)):
        with pytest.raises(DgmixError, match="not a number"):
            conformal_p_values(scores, calibration)


# Thresholds


@steady
@given(some_scores, pieces(), st.sampled_from([*RATES, 0.25, 1 / 3, 0.5, 0.29, 0.99]))
def test_threshold_and_p_value_give_the_same_verdict(scores, known, rate):
    p = conformal_p_values(scores, *known)
    np.testing.assert_array_equal(p <= rate, scores > threshold(known[0], rate, known[1]))


@pytest.mark.parametrize("n", [9, 19, 28, 99, 100, 999])
def test_every_supported_rate_flags_as_many_as_it_says(n):
    calibration = np.random.default_rng(n).permutation(n).astype(np.float64)
    for alarms in range(1, n + 1):
        assert threshold(calibration, alarms / (n + 1)) == n - alarms
    assert threshold(calibration, 0.999 / (n + 1)) == np.inf


# Exactness: leave-one-out scores against the definition of full conformal prediction


@pytest.mark.parametrize("dim", [1, 3, 20])
@pytest.mark.parametrize("n", [1, 2, 12, 40])
def test_one_neighbour_left_out_is_full_conformal_prediction(n, dim):
    rng = np.random.default_rng([n, dim])
    known, asked = rng.normal(size=(n, dim)), 1.5 * rng.normal(size=(60, dim))
    loo, scores = scored(known, asked, np.arange(n))
    exact = [full_conformal(known, new, 1) for new in asked]
    np.testing.assert_array_equal(conformal_p_values(scores, loo), exact)


@pytest.mark.parametrize("k", [2, 5])
def test_more_neighbours_left_out_are_never_below_full_conformal_prediction(k):
    rng = np.random.default_rng(k)
    known, asked = rng.normal(size=(15, 2)), 1.5 * rng.normal(size=(200, 2))
    loo, scores = scored(known, asked, np.arange(15), k)
    p = conformal_p_values(scores, loo)
    exact = np.array([full_conformal(known, new, k) for new in asked])
    assert (p >= exact - 1e-12).all()
    assert np.mean(p - exact) < 0.05


@pytest.mark.parametrize("pool", [np.mean, np.max])
def test_clips_of_several_windows_are_never_below_full_conformal_prediction(pool):
    rng = np.random.default_rng(0)
    known = rng.normal(size=(12, 1, 3)) + 0.5 * rng.normal(size=(12, 4, 3))
    asked = rng.normal(size=(60, 1, 3)) + 0.5 * rng.normal(size=(60, 4, 3))
    windows, scores = scored(
        known.reshape(-1, 3), asked.reshape(-1, 3), np.repeat(np.arange(12), 4)
    )
    loo = pool(windows.reshape(12, 4), axis=1)
    p = conformal_p_values(pool(scores.reshape(60, 4), axis=1), loo)
    exact = np.array([full_conformal_windows(known, new, pool) for new in asked])
    assert (p >= exact - 1e-12).all()
    assert np.mean(p - exact) < 0.03


# Validity, without chance: when every clip in turn is the new one, at most k of n have p ≤ k / n


def assert_valid(p: Floats, weights: Floats) -> None:
    """Check that at most a part α (by weight) of the p-values of all roles is at most α."""
    for rate in np.unique(p):
        assert weights[p <= rate + 1e-12].sum() / weights.sum() <= rate + 1e-9


def as_new(
    sound: Floats, recordings: NDArray[np.int64], domains: NDArray[np.str_], role: int, k: int = 1
) -> float:
    """The p-value of a piece when its recording is new and the others calibrate."""
    distances = cdist(sound, sound)  # exact where the scorer's are rounded: ties stay ties
    distances[recordings[:, None] == recordings] = np.inf
    known = recordings != recordings[role]
    scores = np.sort(distances[:, known], axis=1)[:, :k].mean(1)
    calibration = Calibration(scores[known], recordings[known], tuple(domains[known]))
    return float(calibration.p_values(scores[[role]], [str(domains[role])])[0])


@st.composite
def recorded(draw: st.DrawFn) -> tuple[Floats, NDArray[np.int64]]:
    """Pieces on a coarse grid, with many equal distances, and which recording each is of."""
    sizes = draw(st.lists(st.integers(1, 3), min_size=3, max_size=7))
    recordings = np.repeat(np.arange(len(sizes)), sizes)
    grid = arrays(np.float64, (len(recordings), 2), elements=coarse)
    return draw(grid), recordings


@steady
@given(recorded())
def test_p_values_are_valid_whatever_the_pieces(known):
    sound, recordings = known
    domains = np.full(len(sound), "one")
    p = np.array([as_new(sound, recordings, domains, role) for role in range(len(sound))])
    assert_valid(p, 1 / np.bincount(recordings)[recordings])


@pytest.mark.parametrize("k", [1, 3])
def test_p_values_are_valid_in_each_domain(k):
    rng = np.random.default_rng(k)
    sound = rng.normal(size=(40, 2)) * np.repeat([1, 3], [28, 12])[:, None]
    domains = np.repeat(["source", "target"], [28, 12])
    p = np.array([as_new(sound, np.arange(40), domains, role, k) for role in range(40)])
    for domain in ("source", "target"):
        assert_valid(p[domains == domain], np.ones(np.sum(domains == domain)))


# Calibration over simulated fits: each fit has one new healthy clip, so that alarms are independent


def assert_realised(p: Floats, rates=RATES):
    for rate in rates:
        low, high = stats.binom.interval(0.95, len(p), rate)
        assert low <= np.sum(p <= rate) <= high, f"rate {rate}: {np.mean(p <= rate)}"


@pytest.mark.parametrize("dim", [2, 16])
def test_false_alarms_come_at_the_chosen_rate(dim):
    rng = np.random.default_rng(dim + 1)
    p = []
    for _ in range(600):
        clips = rng.standard_t(4, size=(100, dim))
        p.append(conformal_p_values(*reversed(nearest(clips[:99], clips[99:], np.arange(99))))[0])
    assert_realised(np.array(p))
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_pieces_calibrate_only_when_their_recording_is_left_out():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(19), 5)
    grouped, naive = [], []
    for _ in range(200):
        own = 4 * rng.normal(size=(20, 1, 3))
        sound = (own + rng.normal(size=(20, 5, 3))).reshape(-1, 3)
        known, asked = sound[:95], sound[95:96]
        loo, scores = nearest(known, asked, groups)
        grouped.append(conformal_p_values(scores, loo, groups)[0])
        neighbours, _ = nearest(known, asked, np.arange(95))
        naive.append(conformal_p_values(scores, neighbours)[0])
    for rate in (0.05, 0.1, 0.3):
        assert np.sum(np.array(grouped) <= rate) <= stats.binom.ppf(0.975, 200, rate)
    assert np.mean(np.array(naive) <= 0.05) > 0.2


def two_domains(rng: np.random.Generator) -> tuple[Calibration, Floats]:
    """A fit with 39 source and 9 target recordings, and the scores of a new clip of each."""
    shift = np.array([3.0, 0, 0])
    known = rng.normal(size=(48, 3))
    known[39:] += shift
    asked = rng.normal(size=(2, 3)) + np.stack([np.zeros(3), shift])
    loo, scores = nearest(known, asked, np.arange(48))
    return Calibration(loo, np.arange(48), ("source",) * 39 + ("target",) * 9), scores


def test_each_domain_keeps_the_rate_and_the_worst_is_safe_for_all():
    rng = np.random.default_rng(3)
    known, worst, pooled = [], [], []
    for _ in range(400):
        calibration, scores = two_domains(rng)
        known.append(calibration.p_values(scores, ["source", "target"]))
        worst.append(calibration.p_values(scores))
        pooled.append(calibration.pooled().p_values(scores))
    for domain in (0, 1):
        assert_realised(np.array(known)[:, domain], (0.1, 0.2))
        assert np.mean(np.array(worst)[:, domain] <= 0.1) <= stats.binom.ppf(0.975, 400, 0.1) / 400
    assert np.mean(np.array(pooled)[:, 1] <= 0.1) > 0.15  # a rare domain pays for pooling


# How sure a rate is


@pytest.mark.parametrize(("n", "rate"), [(39, 0.05), (39, 0.1), (99, 0.29)])
def test_interval_of_independent_scores_is_that_of_the_beta_distribution(n, rate):
    alarms = round(rate * (n + 1))
    expected = stats.beta.ppf([0.05, 0.95], alarms, n + 1 - alarms)
    np.testing.assert_allclose(rate_interval(n, rate, 0.9, design_effect=1), expected)
    rng = np.random.default_rng(0)
    realised = [1 - threshold(rng.uniform(size=n), rate) for _ in range(2000)]
    inside = np.mean((realised >= expected[0]) & (realised <= expected[1]))
    assert inside == pytest.approx(0.9, abs=0.015)


def missed(known: Floats, radius: float) -> float:
    """The exact part of a normal distribution that is farther than `radius` from all of `known`."""
    last = np.sort(known) + radius
    first = np.maximum(last - 2 * radius, np.append(-np.inf, last[:-1]))
    return float(1 - np.sum(stats.norm.cdf(last) - stats.norm.cdf(first)))


@pytest.mark.parametrize(("n", "rate"), [(19, 0.1), (99, 0.01), (99, 0.05)])
def test_interval_allows_for_neighbours_that_share_a_distance(n, rate):
    rng = np.random.default_rng(n)
    realised = []
    for _ in range(300):
        known = rng.normal(size=(n, 1))
        loo, _ = nearest(known, known, np.arange(n))
        realised.append(missed(known[:, 0], threshold(loo, rate)))

    def inside(low: float, high: float) -> float:
        return float(np.mean((np.array(realised) >= low) & (np.array(realised) <= high)))

    assert inside(*rate_interval(n, rate)) >= 0.92
    assert inside(*rate_interval(n, rate, design_effect=1)) < 0.88


# What is refused


def test_too_small_a_rate_is_refused_with_what_to_do():
    with pytest.raises(InputError) as refusal:
        check_rate(0.01, 12)
    assert str(refusal.value) == (
        "a false-alarm rate of 0.01 needs 99 healthy recordings, and there are 12; "
        "record 87 more or choose a rate of at least 0.077"
    )


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.1, 5.0, np.nan])
def test_what_is_no_rate_is_refused(rate):
    with pytest.raises(InputError, match="choose one between 0 and 1"):
        check_rate(rate, 1000)


@steady
@given(st.floats(1e-4, 0.9), st.integers(1, 5000))
def test_either_advice_of_the_refusal_helps(rate, recordings):
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


@steady
@given(st.integers(1, 100_000))
def test_as_many_recordings_are_needed_as_the_smallest_rate_is_of(recordings):
    assert recordings_needed(smallest_rate(recordings)) == recordings


def test_the_domain_with_the_fewest_recordings_limits_the_rate():
    calibration = Calibration(
        np.arange(108.0),
        np.r_[np.arange(99), np.repeat([99, 100, 101], 3)],
        ("a",) * 99 + ("b",) * 9,
    )
    assert (calibration.count("a"), calibration.count("b"), calibration.count()) == (99, 3, 3)
    assert calibration.threshold(0.01, "a") == 98
    with pytest.raises(InputError) as refusal:
        calibration.threshold(0.01)
    assert str(refusal.value) == (
        "a false-alarm rate of 0.01 needs 99 healthy recordings of domain b, and there are 3; "
        "record 96 more or choose a rate of at least 0.25, or calibrate all domains together"
    )
    calibration.pooled().check(0.01)
    with pytest.raises(InputError, match=r"0\.25$"):
        calibration.check(0.001)


def test_a_domain_without_recordings_is_refused():
    calibration = Calibration(np.arange(3.0), np.arange(3), ("fast", "fast", "slow"))
    for refused in (
        lambda: calibration.p_values(np.zeros(1), ["slwo"]),
        lambda: calibration.threshold(0.5, "slwo"),
    ):
        with pytest.raises(InputError, match=r"domain slwo: .* there are fast, slow$"):
            refused()


def test_known_and_unknown_domains_go_together():
    calibration, _ = two_domains(np.random.default_rng(0))
    scores = np.linspace(0, 3, 9)
    asked = ["source", None, "target"] * 3
    p = calibration.p_values(scores, asked)
    source, target = (calibration.p_values(scores, [name] * 9) for name in ("source", "target"))
    np.testing.assert_array_equal(p[0::3], source[0::3])
    np.testing.assert_array_equal(p[2::3], target[2::3])
    np.testing.assert_array_equal(p[1::3], np.maximum(source, target)[1::3])
    assert calibration.p_values(scores[:0]).shape == (0,)


@pytest.mark.parametrize("domain", ["source", "target", None])
@pytest.mark.parametrize("rate", [0.1, 0.25])
def test_threshold_of_domains_gives_the_verdict_of_their_p_values(domain, rate):
    for seed in range(20):
        calibration, _ = two_domains(np.random.default_rng(seed))
        scores = np.r_[calibration.scores, np.linspace(0, 5, 100)]
        p = calibration.p_values(scores, [domain] * len(scores))
        np.testing.assert_array_equal(p <= rate, scores > calibration.threshold(rate, domain))
