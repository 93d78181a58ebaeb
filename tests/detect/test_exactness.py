"""The promises over points alone: for any n + 1 clips, at most k of them have p ≤ k / (n + 1).

Full conformal prediction treats the n + 1 alike. So for a fixed set of clips, each in turn in
question and the others healthy, the promise is a matter of counting, without chance: it has to
hold on every example, ties, copies and heavy tails included.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from clouds import (
    Cloud,
    Floats,
    clouds,
    draw_points,
    fitted,
    judged,
    of_two_channels,
    pieces,
    single,
    windowed,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from dgmix.config import DetectSettings

EPSILON = 1e-9
SCORERS = st.sampled_from(["knn", "kriging"])  # those that exact p-values are promised of
few = settings(max_examples=25)


def each_in_turn(cloud: Cloud, options: DetectSettings, promise: str = "p_known") -> Floats:
    """Return the p-value of each clip when its recording is new and the others are healthy."""
    p_values = np.empty(len(cloud))
    for recording in np.unique(cloud.recordings):
        own = cloud.recordings == recording
        scores = judged(cloud, np.flatnonzero(~own), np.flatnonzero(own), options)
        p_values[own] = getattr(scores, promise)
    return p_values


def assert_promised(p_values: Floats, weights: Floats) -> None:
    """Check that at most a part α, by weight, of all choices has p ≤ α."""
    for rate in np.unique(p_values):
        flagged = weights[p_values <= rate + EPSILON].sum() / weights.sum()
        assert flagged <= rate + EPSILON, f"p ≤ {rate:.4g} for {flagged:.4g} of all"


@few
@given(clouds(), SCORERS)
def test_of_any_clips_no_more_have_a_small_p_than_promised(cloud: Cloud, scorer: str) -> None:
    p_values = each_in_turn(cloud, cloud.settings(scorer=scorer))
    assert_promised(p_values, np.ones(len(cloud)))
    assert (p_values >= 1 / len(cloud) - EPSILON).all()


@few
@given(clouds(most=12, dims=20, least=3), SCORERS)
def test_several_channels_keep_the_promise(cloud: Cloud, scorer: str) -> None:
    both = of_two_channels(cloud)
    comparison, _ = fitted(both, np.arange(len(both)), both.settings(scorer=scorer))
    assert len(comparison.parts) == (len(both.views) + 1) // 2
    assert sum(comparison.parts) == len(comparison.rows)
    p_values = each_in_turn(both, both.settings(scorer=scorer))
    assert_promised(p_values, np.ones(len(both)))
    assert (p_values >= 1 / len(both) - EPSILON).all()


def test_ties_that_rounding_tells_apart_keep_the_promise() -> None:
    """On one line, at distances far above the nugget, kriging loses half of its digits."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        line = draw_points(rng, 13, 1, "grid")
        cloud = single(line, rng.standard_t(2, size=(13, 64)) * (seed % 4))
        assert_promised(each_in_turn(cloud, cloud.settings(scorer="kriging")), np.ones(13))


@few
@given(clouds(most=15, dims=20), SCORERS, st.sampled_from(["euclidean", "cosine"]))
def test_bands_and_directions_keep_the_promise(cloud: Cloud, scorer: str, metric: str) -> None:
    changes = {"scorer": scorer} if scorer == "kriging" else {"metric": metric}
    p_values = each_in_turn(cloud, cloud.settings(bands=3, **changes))
    assert_promised(p_values, np.ones(len(cloud)))


@few
@given(clouds(most=15, dims=20), st.integers(2, 6))
def test_several_neighbours_keep_the_promise(cloud: Cloud, neighbors: int) -> None:
    p_values = each_in_turn(cloud, cloud.settings(neighbors=neighbors))
    assert_promised(p_values, np.ones(len(cloud)))


@few
@given(clouds(most=6, dims=2, views=1), st.integers(2, 6))
def test_more_neighbours_than_there_are_keep_the_promise(cloud: Cloud, neighbors: int) -> None:
    p_values = each_in_turn(cloud, cloud.settings(neighbors=neighbors))
    assert_promised(p_values, np.ones(len(cloud)))


@few
@given(windowed(), st.sampled_from(["mean-distance", "max-distance"]), st.integers(1, 3))
def test_several_windows_a_clip_keep_the_promise(cloud: Cloud, pool: str, neighbors: int) -> None:
    p_values = each_in_turn(cloud, cloud.settings(pool=pool, neighbors=neighbors))
    assert_promised(p_values, np.ones(len(cloud)))


@few
@given(pieces())
def test_pieces_of_recordings_keep_the_promise_in_one_view(cloud: Cloud) -> None:
    """Each recording has one vote, however many pieces it was cut in."""
    sizes = np.bincount(cloud.recordings)
    p_values = each_in_turn(cloud, cloud.settings())
    assert_promised(p_values, 1 / sizes[cloud.recordings])
    assert (p_values >= 1 / len(sizes) - EPSILON).all()


@few
@given(pieces())
def test_new_conditions_keep_the_promise_in_one_view(cloud: Cloud) -> None:
    """The same pieces, now as clips of a condition: a condition that was not learned from."""
    apart = Cloud(cloud.views, np.arange(len(cloud)), cloud.conditions)
    p_values = np.empty(len(cloud))
    for condition in np.unique(cloud.conditions):
        own = cloud.conditions == condition
        scores = judged(apart, np.flatnonzero(~own), np.flatnonzero(own), cloud.settings())
        p_values[own] = scores.p_new
    assert_promised(p_values, 1 / np.bincount(cloud.conditions)[cloud.conditions])


@few
@given(clouds(most=15, dims=20, least=3))
def test_one_clip_a_condition_makes_the_promises_one(cloud: Cloud) -> None:
    for query in range(min(5, len(cloud))):
        others = np.flatnonzero(np.arange(len(cloud)) != query)
        scores = judged(cloud, others, np.array([query]), cloud.settings())
        assert scores.p_new == pytest.approx(scores.p_known)
        assert scores.score_new == pytest.approx(scores.score)
    assert_promised(each_in_turn(cloud, cloud.settings(), "p_new"), np.ones(len(cloud)))


@few
@given(clouds(most=15, dims=20, least=6), st.integers(0, 2**32 - 1))
def test_a_named_condition_keeps_its_own_promise(cloud: Cloud, seed: int) -> None:
    """Clips of a condition vote among themselves, however different the other conditions are."""
    conditions = np.random.default_rng(seed).integers(2, size=len(cloud))
    if min(np.bincount(conditions, minlength=2)) < 2:
        return
    named = Cloud(cloud.views, cloud.recordings, conditions)
    p_values = np.empty(len(cloud))
    for query in range(len(cloud)):
        others = np.flatnonzero(np.arange(len(cloud)) != query)
        of = [f"c{conditions[query]:03}"]
        p_values[query] = judged(named, others, np.array([query]), cloud.settings(), of).p_known[0]
    for condition in (0, 1):
        own = p_values[conditions == condition]
        assert_promised(own, np.ones(len(own)))
        assert (own >= 1 / len(own) - EPSILON).all()


# Where the clips do not play the same part, by chance and not by counting


def simulated(
    draw: Callable[[np.random.Generator], Cloud], options: dict[str, object], fits: int, seed: int
) -> Floats:
    """Return the p-values of the last clip of clouds, one a fit, so that they are independent."""
    rng = np.random.default_rng(seed)
    p_values = []
    for _ in range(fits):
        cloud = draw(rng)
        new = cloud.recordings == cloud.recordings[-1]
        query = np.flatnonzero(new)[-1:]
        p_values.append(
            judged(cloud, np.flatnonzero(~new), query, cloud.settings(**options)).p_known[0]
        )
    return np.array(p_values)


def assert_realised(p_values: Floats, rates: tuple[float, ...]) -> None:
    """Check that false alarms are no more than the binomial distribution allows in 1 of 1000."""
    from scipy.stats import binom

    for rate in rates:
        most = binom.ppf(0.999, len(p_values), rate)
        assert (p_values <= rate + EPSILON).sum() <= most, f"{rate}: {np.mean(p_values <= rate)}"


def recordings_in_pieces(rng: np.random.Generator) -> Cloud:
    """Return ten recordings, each in 5 pieces, in three views."""
    of = np.repeat(np.arange(10), 5)
    views = [
        (rng.normal(size=(10, dim))[of] + spread * rng.normal(size=(50, dim)))
        for dim, spread in ((3, 0.2), (30, 1.0), (100, 0.5))
    ]
    return Cloud(single(*views).views, of, of)


def test_pieces_in_several_views_flag_no_more_than_promised() -> None:
    assert_realised(simulated(recordings_in_pieces, {}, 400, seed=1), (0.1, 0.2, 0.5))


@pytest.mark.parametrize(
    "options",
    [{"scorer": "mahalanobis"}, {"whiten": True}, {"scorer": "density"}, {"scorer": "gmm"}],
    ids=str,
)
def test_estimating_scorers_flag_no_more_than_promised(options: dict[str, object]) -> None:
    """Half of the recordings estimate, the others calibrate."""

    def two_kinds(rng: np.random.Generator) -> Cloud:
        shift = 10 * (rng.permutation(13) < 6)[:, None]
        return single(rng.normal(size=(13, 4)) + shift, rng.standard_t(2, size=(13, 8)))

    p_values = simulated(two_kinds, options, 300, seed=2)
    assert_realised(p_values, (1 / 7, 2 / 7, 4 / 7))
    assert p_values.min() == pytest.approx(1 / 7)


def test_two_halves_at_a_distance_are_no_alarm() -> None:
    """Ten running and ten idle: the arrangement in which an estimated metric collapses."""
    rng = np.random.default_rng(0)
    alarms = []
    for _ in range(150):
        kind = np.append(np.repeat([0, 1], 10), rng.integers(2))[:, None]
        cloud = single(*(40 * kind + rng.normal(size=(21, dim)) for dim in (64, 128, 320)))
        alarms.append(judged(cloud, np.arange(20), np.array([20]), cloud.settings()).p_known[0])
    assert_realised(np.array(alarms), (1 / 21, 0.1, 0.2))


def test_a_point_far_from_all_has_the_smallest_p() -> None:
    """The promise is not kept by never flagging anything."""
    rng = np.random.default_rng(3)
    for count in (2, 3, 10, 40):
        views = [rng.normal(size=(count + 1, dim)) for dim in (5, 50)]
        views[1][count] += 100
        cloud = single(*views)
        scores = judged(cloud, np.arange(count), np.array([count]), cloud.settings())
        assert scores.p_known == pytest.approx(1 / (count + 1))
        assert scores.by_view.argmax(1).tolist() == [1]


def test_one_clip_alone_flags_nothing() -> None:
    cloud = single(np.array([[0.0], [1e6]]), np.array([[0.0, 0.0], [1e6, 0.0]]))
    scores = judged(cloud, np.array([0]), np.array([1]), cloud.settings())
    assert (scores.p_known.tolist(), scores.p_new.tolist()) == ([1.0], [1.0])
    assert np.isfinite(scores.score).all()
    _, calibration = fitted(cloud, np.array([0]), cloud.settings())
    assert calibration.threshold(0.5) == np.inf
