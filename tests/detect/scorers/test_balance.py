"""How many references each domain ends with, and where the made ones lie."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from dgmix.detect.scorers.balance import BALANCES, MEMMIXUP_TARGET, kmeans, memmixup, smote

Floats = NDArray[np.float64]


def parts(source: int = 30, target: int = 4, dim: int = 3) -> dict[str, Floats]:
    rng = np.random.default_rng(0)
    return {
        "source": rng.normal(size=(source, dim)),
        "target": 10 + 5 * rng.normal(size=(target, dim)),
    }


def sizes(domains: dict[str, Floats]) -> list[int]:
    return [len(domains[name]) for name in ("source", "target")]


@pytest.mark.parametrize(
    ("name", "count", "expected"),
    [
        ("none", 8, [30, 4]),
        ("kmeans", 0, [4, 4]),
        ("kmeans", 8, [8, 4]),
        ("smote", 0, [30, 30]),
        ("smote", 8, [30, 8]),
        ("memmixup", 0, [30, 30]),
        ("memmixup", 8, [30, 8]),
        ("memmixup", 300, [30, 300]),
    ],
)
def test_how_many_there_are_then(name: str, count: int, expected: list[int]) -> None:
    assert sizes(BALANCES[name](parts(), count)) == expected


@given(source=st.integers(1, 12), target=st.integers(1, 12), count=st.integers(0, 15))
def test_any_number_is_balanced(source: int, target: int, count: int) -> None:
    for name, balance in BALANCES.items():
        balanced = balance(parts(source, target), count)
        assert all(np.isfinite(part).all() for part in balanced.values())
        if name != "kmeans":
            for domain, part in parts(source, target).items():
                np.testing.assert_array_equal(balanced[domain][: len(part)], part)


def test_centres_are_the_means_of_what_is_nearest_to_them() -> None:
    source = parts()["source"]
    centres = kmeans(parts())["source"]
    nearest = cdist(source, centres).argmin(1)
    means = [source[nearest == number].mean(0) for number in range(len(centres))]
    np.testing.assert_allclose(centres, means, rtol=1e-9)


def test_copies_are_no_centres_of_their_own() -> None:
    copies = {"source": np.repeat(np.eye(3), 5, axis=0), "target": np.zeros((4, 3))}
    assert sizes(kmeans(copies)) == [3, 4]


def test_synthetic_points_lie_between_neighbours() -> None:
    target = parts(target=9)["target"]
    made = smote(parts(target=9))["target"][9:]
    near = np.argsort(cdist(target, target), axis=1)[:, 1:6]
    ends = [(target[i], target[j]) for i in range(9) for j in near[i]]
    detours = [
        min(np.linalg.norm(x - a) + np.linalg.norm(x - b) - np.linalg.norm(a - b) for a, b in ends)
        for x in made
    ]
    np.testing.assert_allclose(detours, 0, atol=1e-9)
    assert len(np.unique(made, axis=0)) == len(made)


def test_a_single_clip_has_no_neighbour_to_meet() -> None:
    assert sizes(smote(parts(target=1))) == [30, 1]


def test_mixed_points_lean_towards_the_nearest_of_the_source() -> None:
    source, target = parts()["source"], parts()["target"]
    made = memmixup(parts(), 12)["target"][4:]
    order = np.argsort(cdist(target, source), axis=1)
    weight = MEMMIXUP_TARGET
    expected = [
        weight * target[i] + (1 - weight) * source[order[i, k]] for k in (0, 1) for i in range(4)
    ]
    np.testing.assert_allclose(made, expected, rtol=1e-12)
