"""Kriging variances with the nearest clips left out, against solving for each clip."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from dgmix.config import DetectSettings
from dgmix.detect.scorers.inverses import NUGGET
from dgmix.detect.scorers.kriging import Kriging
from dgmix.detect.scorers.neighbourhoods import LEFT, NEIGHBOURS, nearest_of, neighbours
from dgmix.detect.views import Vectors

Floats = NDArray[np.float64]


def fitted(values: Floats, groups: list[int] | None = None) -> Kriging:
    numbers = np.arange(len(values)) if groups is None else np.array(groups)
    return Kriging(DetectSettings(), vectors(values), [numbers])


def vectors(values: Floats) -> Vectors:
    return Vectors(values.astype(np.float32), np.arange(len(values)))


def predicted(others: Floats, point: Floats) -> float:
    """Return the root of the variance of a point that is predicted from others."""
    count, dim = others.shape
    system = np.ones((count + 1, count + 1))
    system[-1, -1] = 0
    system[:-1, :-1] = NUGGET * np.eye(count) - cdist(others, others) ** 2 / dim
    column = np.append(-(cdist(others, point[None])[:, 0] ** 2) / dim, 1)
    return float(np.sqrt(NUGGET - column @ np.linalg.solve(system, column)))


def without_the_nearest(everyone: Floats) -> list[float]:
    """Return what each is predicted with from all but its nearest, as many as are left out."""
    count, roots = neighbours(len(everyone)), []
    for clip, point in enumerate(everyone):
        away = np.linalg.norm(everyone - point, axis=1)
        away[clip] = -1
        roots.append(predicted(everyone[np.argsort(away)[count + 1 :]], point))
    return roots


@settings(max_examples=30, deadline=None)
@given(st.integers(3, 14), st.sampled_from([1, 3, 40]), st.integers(0, 999))
def test_every_clip_is_predicted_without_its_nearest(count: int, dim: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    everyone = rng.normal(size=(count + 2, dim)).astype(np.float32).astype(np.float64)
    kriging = fitted(everyone[:count])
    apart = kriging.measure(vectors(everyone[count:]), 2).apart[0]
    for query in range(2):
        joined = np.append(everyone[:count], everyone[[count + query]], axis=0)
        np.testing.assert_allclose(apart[query], without_the_nearest(joined), rtol=1e-5)
    expected = without_the_nearest(everyone[:count])
    np.testing.assert_allclose(kriging.left_out_apart[0], expected, rtol=1e-5)


def test_two_clips_are_left_to_predict_from() -> None:
    counts = [neighbours(count) for count in (1, 3, 4, 6, 7, 100)]
    assert counts == [0, 0, 1, 3, NEIGHBOURS, NEIGHBOURS]
    assert fitted(np.zeros((LEFT, 3))).left_out_apart == [None]


def test_clips_of_groups_leave_out_their_group_and_no_more() -> None:
    values = np.random.default_rng(0).normal(size=(6, 3))
    kriging = fitted(values, [0, 0, 1, 1, 2, 2])
    assert kriging.left_out_apart == [None]
    assert kriging.measure(vectors(values[:1]), 1).apart == [None]


def test_where_neighbours_are_equally_far_none_is_left_out() -> None:
    """Of clips at the corners of a square nobody can say which neighbour is the nearest."""
    corners = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    kriging = fitted(corners)
    np.testing.assert_array_equal(kriging.left_out_apart[0], kriging.left_out[0])
    measured = kriging.measure(vectors(np.array([[0.5, 0.5]])), 1)
    np.testing.assert_array_equal(measured.apart[0], [[*measured.healthy[0][0], *measured.own]])


@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_the_nearest_are_found_in_small_parts_too(offset: float) -> None:
    values = np.random.default_rng(0).normal(size=(150, 5)) + offset
    numbers, reach = nearest_of(values, 5)
    away = cdist(values, values) + np.diag(np.full(150, np.inf))
    np.testing.assert_allclose(reach, np.sort(away, 1)[:, :5])
    np.testing.assert_array_equal(numbers, np.argsort(away, 1)[:, :5])


def test_clips_of_one_session_have_a_larger_unit() -> None:
    """Of five clips each, much nearer to each other than to those of other sessions."""
    rng = np.random.default_rng(0)
    sessions = np.repeat(rng.normal(size=(8, 30)), 5, axis=0)
    kriging = fitted(sessions + 0.05 * rng.normal(size=(40, 30)))
    alike = fitted(rng.normal(size=(40, 30)))
    rises, less = (np.median(of.left_out_apart[0] / of.left_out[0]) for of in (kriging, alike))
    assert rises > 1.5 * less
