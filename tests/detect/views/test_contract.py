"""What every raw view must do."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from dgmix.config import RECIPES, load_recipe
from dgmix.detect.views import RAW_VIEWS, RawView
from dgmix.testing import check_view


@pytest.mark.parametrize("name", RAW_VIEWS)
def test_keeps_the_contract(name: str) -> None:
    check_view(RAW_VIEWS[name], 64)


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_views_of_a_recipe_take_recordings_of_any_length_and_are_exported(recipe: str) -> None:
    for name in set(load_recipe(recipe).detect.views) & set(RAW_VIEWS):
        assert RAW_VIEWS[name].blocks, name
        assert RAW_VIEWS[name].tensors, name


def test_a_function_is_enough() -> None:
    check_view(lambda levels: levels.mean(0))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (lambda levels: levels, r"of 1 frames it gives shape \(1, 128\), not \(dim,\)"),
        (lambda levels: levels.mean(1), "recordings of other lengths have other sizes"),
        (lambda levels: np.log(levels.std(0)), "not a number"),
        (
            lambda levels: np.random.default_rng().normal(size=3) + levels[0, 0],
            "other numbers every time",
        ),
        (RawView(lambda x: x.mean(0), "a", (1.0,), tensors=lambda x: x.amax(0)), "`tensors` gives"),
        (RawView(lambda x: x.mean(0), "a", (0.0,)), "spreads are not all above 0"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_fault_is_met_by_a_sentence(given: Any, sentence: str) -> None:
    with pytest.raises(AssertionError, match=sentence):
        check_view(given)
