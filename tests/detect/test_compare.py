"""Distances against scikit-learn's neighbours, and against comparing everything from scratch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from clouds import NAMES, Cloud, Floats, clouds, fitted, pieces, single, windowed
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from dgmix.config import DetectSettings
from dgmix.detect.compare import Direct, Distances, Estimated, compare_with, held_out
from dgmix.detect.memory import HealthyClips, Memory
from dgmix.detect.quality import measures_of
from dgmix.detect.scorers import build_scorer, estimates
from dgmix.detect.views import Vectors, parts_of
from dgmix.plugins import NONE

POOLS = st.sampled_from(["mean-embedding", "mean-distance", "max-distance"])
DIRECT: list[dict[str, object]] = [
    {},
    {"neighbors": 2},
    {"neighbors": 4},
    {"scorer": "kriging"},
]
few = settings(max_examples=25)


def split(cloud: Cloud) -> tuple[np.ndarray, np.ndarray]:
    """Return which clips of a cloud are healthy, and which are in question: the last third."""
    count = max(1, len(np.unique(cloud.recordings)) * 2 // 3)
    first = np.unique(cloud.recordings)[:count]
    healthy = np.isin(cloud.recordings, first)
    return np.flatnonzero(healthy), np.flatnonzero(~healthy)


def parts(cloud: Cloud) -> list[Vectors]:
    """Return the vectors of each part of each view: of each row of distances."""
    return [part for name, view in cloud.views.items() for part in parts_of(name, view)]


def measured(
    cloud: Cloud, healthy: np.ndarray, queries: np.ndarray, options: DetectSettings
) -> tuple[Direct, Distances]:
    comparison = compare_with(options, cloud.memory(healthy), NONE)
    assert isinstance(comparison, Direct)
    return comparison, comparison.measure(cloud.queries(queries), len(queries))


@few
@given(clouds(most=30, dims=50), st.integers(1, 4))
def test_distances_are_those_of_scikit_learn(cloud: Cloud, neighbors: int) -> None:
    healthy, queries = split(cloud)
    if not len(queries):
        return
    _, measures = measured(cloud, healthy, queries, cloud.settings(neighbors=neighbors))
    for row, view in enumerate(parts(cloud)):
        values = view.values.astype(np.float64)
        near = min(neighbors, len(healthy))
        oracle = NearestNeighbors(n_neighbors=near, algorithm="brute", metric="euclidean")
        distances, _ = oracle.fit(values[healthy]).kneighbors(values[queries])
        size = np.abs(values).max() + 1
        np.testing.assert_allclose(
            measures.own[row], distances.mean(1), rtol=1e-6, atol=1e-5 * size
        )


def assert_as_from_scratch(cloud: Cloud, options: DetectSettings, tolerance: float) -> None:
    """Check that the healthy clips beside each query are measured as if it were one of them.

    The query is a recording and a condition by itself. Distances may differ by `tolerance` of the
    largest: kriging updates an inverse where this makes it anew.
    """
    healthy, queries = split(cloud)
    _, measures = measured(cloud, healthy, queries, options)
    assert measures.own.shape == (len(parts(cloud)), len(queries))
    assert measures.known.shape == measures.new.shape == (*measures.own.shape, len(healthy))
    for number, query in enumerate(queries):
        recordings, conditions = cloud.recordings.copy(), cloud.conditions.copy()
        recordings[query], conditions[query] = 900, 900
        alone = replace(cloud, recordings=recordings, conditions=conditions)
        joined, _ = measured(alone, np.append(healthy, query), queries, options)
        size = tolerance * max(measures.own[:, number].max(), joined.known.max())
        np.testing.assert_allclose(
            measures.own[:, number], joined.known[:, -1], rtol=1e-9, atol=size
        )
        np.testing.assert_allclose(measures.own[:, number], joined.new[:, -1], rtol=1e-9, atol=size)
        for beside, left_out in ((measures.known, joined.known), (measures.new, joined.new)):
            np.testing.assert_allclose(beside[:, number], left_out[:, :-1], rtol=1e-9, atol=size)


@few
@given(clouds(most=15, dims=10), st.sampled_from(DIRECT))
def test_a_query_joins_the_healthy_clips(cloud: Cloud, changes: dict[str, object]) -> None:
    assert_as_from_scratch(cloud, cloud.settings(**changes), 1e-6 if "scorer" in changes else 0)


@few
@given(windowed(), st.integers(1, 4), POOLS)
def test_a_query_of_several_windows_joins_them(cloud: Cloud, neighbors: int, pooling: str) -> None:
    assert_as_from_scratch(cloud, cloud.settings(neighbors=neighbors, pool=pooling), 0)


@few
@given(pieces(views=3), st.sampled_from(DIRECT))
def test_a_query_joins_pieces_of_recordings(cloud: Cloud, changes: dict[str, object]) -> None:
    cloud = replace(cloud, conditions=cloud.recordings // 2)
    assert_as_from_scratch(cloud, cloud.settings(**changes), 1e-6 if "scorer" in changes else 0)


@few
@given(pieces(views=3), st.integers(1, 3))
def test_healthy_clips_are_measured_from_other_recordings_and_conditions(
    cloud: Cloud, neighbors: int
) -> None:
    cloud = Cloud(cloud.views, cloud.recordings, cloud.recordings // 2)
    everyone = np.arange(len(cloud))
    comparison, _ = fitted(cloud, everyone, cloud.settings(neighbors=neighbors))
    for name, groups in (("known", cloud.recordings), ("new", cloud.conditions)):
        for row, view in enumerate(parts(cloud)):
            values = view.values.astype(np.float64)
            for clip in everyone:
                others = groups != groups[clip]
                near = np.sort(cdist(values[[clip]], values[others])[0])[:neighbors]
                expected = near.mean() if len(near) else np.inf
                assert getattr(comparison, name)[row, clip] == pytest.approx(expected)


@few
@given(windowed(), POOLS)
def test_clips_of_several_windows_equal_a_loop(cloud: Cloud, pooling: str) -> None:
    healthy, queries = split(cloud)
    _, measures = measured(cloud, healthy, queries, cloud.settings(pool=pooling))
    for row, view in enumerate(cloud.views.values()):
        known = view.select(healthy)
        for number, query in enumerate(queries):
            own = view.values[view.clips == query].astype(np.float64)
            near = cdist(own, known.values).min(1)
            expected = near.max() if pooling == "max-distance" else near.mean()
            assert measures.own[row, number] == pytest.approx(expected)


def test_the_nearest_clip_is_nearest_in_the_product_of_all_views() -> None:
    first, second = [[0.0], [4], [10], [1]], [[0.0], [1], [50], [2]]
    cloud = single(np.array(first), np.array(second))
    _, measures = measured(cloud, np.arange(3), np.array([3]), cloud.settings())
    products = [1 * 2, 3 * 1, 9 * 48]
    assert measures.nearest.tolist() == [int(np.argmin(products))]


def test_copies_are_at_no_distance_whichever_comes_first() -> None:
    points = np.random.default_rng(0).normal(size=(4, 300)) * 1e3
    cloud = single(points[[0, 1, 2, 3, 1]])
    comparison, measures = measured(cloud, np.arange(4), np.array([4]), cloud.settings())
    assert measures.own.tolist() == [[0.0]]
    assert measures.known[0, 0, 1] == 0
    assert (comparison.known > 0).all()


def test_rows_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    cloud = single(np.random.default_rng(0).normal(size=(40, 6)))
    expected, _ = fitted(cloud, np.arange(40), cloud.settings(neighbors=3))
    monkeypatch.setattr("dgmix.detect.scorers.nearest.ROWS", 7)
    comparison, _ = fitted(cloud, np.arange(40), cloud.settings(neighbors=3))
    np.testing.assert_array_equal(comparison.known, expected.known)


def test_one_clip_is_at_an_infinite_distance_from_the_others() -> None:
    comparison, _ = fitted(
        single(np.zeros((1, 3))), np.array([0]), DetectSettings(views=[NAMES[0]])
    )
    assert comparison.known.tolist() == comparison.new.tolist() == [[np.inf]]


# Scorers that estimate something


def memory_of(values: Floats, domains: Sequence[str], recordings: Sequence[str] = ()) -> Memory:
    count = len(values)
    recordings = recordings or [f"r{number:02}" for number in range(count)]
    clips = HealthyClips(
        ("00",) * count, tuple(domains), tuple(recordings), tuple(domains),
        np.arange(count), np.ones(count), measures_of([None] * count),
    )  # fmt: skip
    return Memory({NAMES[0]: Vectors(values.astype(np.float32), np.arange(count))}, clips)


ESTIMATING = [
    {"scorer": "mahalanobis"},
    {"scorer": "gmm"},
    {"scorer": "density"},
    {"whiten": True},
    {"per_domain": True},
    {"balance": "smote"},
]


@pytest.mark.parametrize("changes", ESTIMATING, ids=str)
def test_some_recordings_estimate_and_the_others_calibrate(changes: dict[str, object]) -> None:
    rng = np.random.default_rng(0)
    values, queries = rng.normal(size=(20, 4)), rng.normal(size=(5, 4)) * 3
    domains = ["source"] * 14 + ["target"] * 6
    options = DetectSettings(views=[NAMES[0]], **changes)  # type: ignore[arg-type]
    comparison = compare_with(options, memory_of(values, domains), NONE)
    assert isinstance(comparison, Estimated)
    kept = comparison.calibrating
    assert kept.sum() == 10
    scorer = build_scorer(options, np.array(domains)[~kept]).fit(values.astype(np.float32)[~kept])
    np.testing.assert_allclose(comparison.known[0, kept], scorer.score(values[kept]), rtol=1e-4)
    assert np.isinf(comparison.known[0, ~kept]).all()
    vectors = Vectors(queries.astype(np.float32), np.arange(5))
    measures = comparison.measure({NAMES[0]: vectors}, 5)
    np.testing.assert_allclose(measures.own[0], scorer.score(queries), rtol=1e-4)
    for query in range(5):
        np.testing.assert_array_equal(measures.known[:, query], comparison.known)


def test_which_settings_estimate() -> None:
    assert not estimates(DetectSettings())
    assert not estimates(DetectSettings(neighbors=3, pool="max-distance"))
    for changes in ESTIMATING:
        assert estimates(DetectSettings(**changes))  # type: ignore[arg-type]


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("xy")), min_size=1),
    st.floats(0, 0.99),
)
def test_whole_recordings_are_held_out_and_one_of_each_domain_stays(
    clips: list[tuple[str, str]], part: float
) -> None:
    domain_of = dict(reversed(clips))
    recordings = [recording for recording, _ in clips]
    domains = [domain_of[recording] for recording in recordings]
    kept_out = held_out(recordings, domains, part)
    for domain in set(domains):
        names = {r for r in recordings if domain_of[r] == domain}
        chosen = {
            r for r, c in zip(recordings, kept_out, strict=True) if c and domain_of[r] == domain
        }
        assert abs(len(chosen) - len(names) * part) <= 1
        assert chosen < names
    for recording in set(recordings):
        own = kept_out[np.array(recordings) == recording]
        assert own.all() or not own.any()


def test_which_recordings_are_held_out_depends_on_names_alone() -> None:
    names = [f"r{number}" for number in range(9)]
    first = held_out(names, ["source"] * 9, 0.5)
    order = np.random.default_rng(0).permutation(9)
    again = held_out([names[i] for i in order], ["source"] * 9, 0.5)
    np.testing.assert_array_equal(again, first[order])
