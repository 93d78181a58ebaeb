"""The distance to the nearest clips, and kriging, as scorers of clips beside each other."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from dgmix.config import DetectSettings
from dgmix.detect.scorers import SCORERS, build_joint_scorer, goes_by_distances
from dgmix.detect.scorers.inverses import NUGGET
from dgmix.detect.views import Vectors

Floats = NDArray[np.float64]
JOINT_SCORERS = [name for name, given in SCORERS.items() if goes_by_distances(given)]


def vectors(values: Floats) -> Vectors:
    return Vectors(np.asarray(values, np.float32), np.arange(len(values)))


def scorer(name: str, values: Floats, *groupings: list[int]):  # type: ignore[no-untyped-def]
    groups = [np.array(each) for each in groupings] or [np.arange(len(values))]
    settings = DetectSettings(scorer=name)  # type: ignore[arg-type]
    return build_joint_scorer(settings, vectors(values), groups)


@pytest.mark.parametrize("name", JOINT_SCORERS)
def test_scores_of_all_are_the_same_whichever_joins_last(name: str) -> None:
    values = np.random.default_rng(0).normal(size=(9, 5))
    expected = scorer(name, values).left_out[0]
    for last in range(9):
        others = np.delete(np.arange(9), last)
        own, (beside,), between = scorer(name, values[others]).measure(vectors(values[[last]]), 1)[
            :3
        ]
        assert own[0] == pytest.approx(expected[last], rel=1e-6)
        np.testing.assert_allclose(beside[0], expected[others], rtol=1e-6)
        assert between[0].argmin() == cdist(values[[last]], values[others])[0].argmin()


@pytest.mark.parametrize("name", JOINT_SCORERS)
def test_a_point_far_away_scores_high_and_a_copy_low(name: str) -> None:
    values = np.random.default_rng(0).normal(size=(20, 3))
    fitted = scorer(name, values)
    queries = np.array([values[0], values.mean(0), values[0] + 100])
    own, _, _ = fitted.measure(vectors(queries), 3)[:3]
    assert own[0] < np.median(fitted.left_out[0])
    assert own[2] > 10 * fitted.left_out[0].max()
    assert own[2] == own.max()


@pytest.mark.parametrize("name", JOINT_SCORERS)
def test_clips_of_a_group_are_not_measured_by_each_other(name: str) -> None:
    values = np.random.default_rng(1).normal(size=(7, 4))
    groups = [0, 0, 1, 2, 2, 2, 3]
    left_out = scorer(name, values, list(range(7)), groups).left_out
    for clip in range(7):
        others = [i for i in range(7) if groups[i] != groups[clip]]
        own, _, _ = scorer(name, values[others]).measure(vectors(values[[clip]]), 1)[:3]
        assert left_out[1][clip] == pytest.approx(own[0], rel=1e-6)
        assert left_out[1][clip] >= left_out[0][clip] - 1e-9


@pytest.mark.parametrize("name", JOINT_SCORERS)
def test_clips_that_are_all_of_one_group_have_no_score_without_a_query(name: str) -> None:
    values = np.random.default_rng(1).normal(size=(4, 3))
    fitted = scorer(name, values, [0] * 4)
    assert np.isinf(fitted.left_out[0]).all()
    query = np.full((1, 3), 2.0)
    _, (beside,), _ = fitted.measure(vectors(query), 1)[:3]
    for clip in range(4):
        own, _, _ = scorer(name, query).measure(vectors(values[[clip]]), 1)[:3]
        assert beside[0, clip] == pytest.approx(own[0], rel=1e-6)


# Kriging


def kriging_variance(values: Floats, query: Floats) -> float:
    """The least mean square error of a prediction whose weights sum to one, by definition.

    With the variogram γ = d² and the nugget c the error of weights w is
    2 w·γ(query) − w·Γ w + c w·w + c, which the constrained optimum is found of by least squares.
    """
    dim = values.shape[1]
    gamma = cdist(values, values) ** 2 / dim
    own = cdist(query[None], values)[0] ** 2 / dim
    count = len(values)
    system = np.ones((count + 1, count + 1))
    system[:count, :count] = gamma - NUGGET * np.eye(count)
    system[count, count] = 0
    weights = np.linalg.lstsq(system, np.append(own, 1), rcond=None)[0][:count]
    assert weights.sum() == pytest.approx(1, abs=1e-6)
    return float(error(weights, own, gamma))


def error(weights: Floats, own: Floats, gamma: Floats) -> Floats:
    """The mean square error of a prediction with weights that sum to one."""
    noise = NUGGET * (weights @ weights + 1)
    return np.asarray(2 * weights @ own - weights @ gamma @ weights + noise)


@settings(max_examples=40)
@given(st.integers(1, 12), st.integers(1, 8), st.integers(0, 999))
def test_the_score_is_the_kriging_variance(count: int, dim: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    values, queries = rng.normal(size=(count, dim)), 2 * rng.normal(size=(3, dim))
    values, queries = (np.asarray(x, np.float32).astype(np.float64) for x in (values, queries))
    own, _, _ = scorer("kriging", values).measure(vectors(queries), 3)[:3]
    expected = [kriging_variance(values, query) for query in queries]
    np.testing.assert_allclose(own**2, expected, rtol=1e-5, atol=1e-7)


def test_beside_a_query_clips_are_predicted_from_it_and_other_groups_of_any_size() -> None:
    rng = np.random.default_rng(2)
    values, query = rng.normal(size=(24, 3)), rng.normal(size=(1, 3))
    groups = rng.permutation(np.repeat(np.arange(6), [1, 1, 2, 2, 7, 11]))
    fitted = scorer("kriging", values, groups.tolist())
    _, (beside,), _ = fitted.measure(vectors(query), 1)[:3]
    for clip in range(24):
        others = np.concatenate([values[groups != groups[clip]], query])
        own, _, _ = scorer("kriging", others).measure(vectors(values[[clip]]), 1)[:3]
        assert beside[0, clip] == pytest.approx(own[0], rel=1e-6)


@pytest.mark.parametrize("size", [1, 2, 1500])
def test_memory_does_not_grow_with_the_square_of_the_clips(size: int) -> None:
    values = np.random.default_rng(0).normal(size=(3000, 4))
    groups = np.repeat(np.arange(3000 // size), size)
    tracemalloc.start()
    scorer("kriging", values, groups.tolist()).measure(vectors(values[:2]), 2)[:3]
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 3000**2  # bytes: an eighth of a matrix


def test_no_weights_predict_better() -> None:
    rng = np.random.default_rng(0)
    values, query = rng.normal(size=(6, 3)), rng.normal(size=(1, 3))
    own, _, _ = scorer("kriging", values).measure(vectors(query), 1)[:3]
    gamma, column = cdist(values, values) ** 2 / 3, cdist(query, values)[0] ** 2 / 3
    for _ in range(200):
        weights = rng.normal(size=6)
        weights /= weights.sum()
        assert error(weights, column, gamma) >= own[0] ** 2 - 1e-6


def test_one_clip_alone_predicts_as_badly_as_it_is_far() -> None:
    """Two points of a field differ by 2 γ and the noise of both."""
    fitted = scorer("kriging", np.zeros((1, 4)))
    own, _, _ = fitted.measure(vectors(np.full((1, 4), 3.0)), 1)[:3]
    assert own[0] == pytest.approx((2 * 3**2 + 2 * NUGGET) ** 0.5)
    assert np.isinf(fitted.left_out[0]).all()


def test_the_direction_in_which_healthy_clips_differ_counts_less() -> None:
    values = np.array([[float(x), 0.0] for x in range(-10, 11)])
    queries = np.array([[12.0, 0.0], [0.0, 2.0]])
    along, across = scorer("kriging", values).measure(vectors(queries), 2)[0]
    assert across > 1.5 * along


@pytest.mark.parametrize(
    "changes",
    [
        {"whiten": True},
        {"per_domain": True},
        {"balance": "smote"},
        {"pool": "mean-distance"},
        {"metric": "cosine"},
    ],
    ids=str,
)
def test_kriging_goes_with_one_vector_and_nothing_estimated(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="scorer kriging"):
        DetectSettings(scorer="kriging", **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"scorer": "daco", "per_domain": True}, "without per_domain"),
        ({"scorer": "gmm", "metric": "cosine"}, "euclidean only"),
        ({"bands": 2, "whiten": True}, "choose whiten or bands"),
        ({"bands": 2, "pool": "max-distance"}, "without pool max-distance"),
    ],
)
def test_settings_that_mean_nothing_together_are_refused(
    changes: dict[str, object], reason: str
) -> None:
    with pytest.raises(ValueError, match=reason):
        DetectSettings(**changes)  # type: ignore[arg-type]
