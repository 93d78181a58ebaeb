"""The check of the structure finds what it is there for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def structure(load_script: Callable[[Path], ModuleType]) -> ModuleType:
    return load_script(Path(__file__).with_name("structure.py"))


def test_circles_are_found(structure: ModuleType) -> None:
    assert list(structure.circles({"a": {"b"}, "b": {"c"}, "c": set()})) == []
    [sentence] = structure.circles({"a": {"b"}, "b": {"c"}, "c": {"a"}})
    assert sentence.startswith("imports in a circle: ")


def test_an_import_for_types_alone_counts(structure: ModuleType) -> None:
    imported = structure.imports()
    assert "dgmix.detect.detector" in imported["dgmix"]  # under TYPE_CHECKING
    assert list(structure.circles(imported)) == []


def test_long_files_and_functions_are_measured(structure: ModuleType) -> None:
    text = "def f():\n    def g():\n        pass\n    return g\n"
    assert list(structure.function_lengths(text)) == [4, 2]
    assert list(structure.long_files({Path("a.py"): "x = 1\n" * 400})) == []
    [sentence] = structure.long_files({Path("a.py"): "x = 1\n" * 401})
    assert sentence == "a.py: 401 lines, more than 400"


def test_values_are_named_by_what_they_hold(structure: ModuleType) -> None:
    text = "def f(found):\n    self.least_found = 'found'\n    return not_found + founder\n"
    names = {sentence.split("'")[1] for sentence in structure.bad_names({Path("a.py"): text})}
    assert names == {"found", "least_found", "not_found"}
    sentence = "def test_what_was_planted_is_found():\n    pass\n"
    assert not list(structure.bad_names({Path("a.py"): sentence}))
