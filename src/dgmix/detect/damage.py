"""What is wrong with the contents of a detector file: names, types and shapes of its parts."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from dgmix.detect.memory import Memory

LONGEST_NAME = 60
Shape = tuple[int | None, ...]


class DamageError(ValueError):
    """What is wrong with a file, in a few words."""


def check_types(values: dict[str, Any], types: dict[str, type]) -> None:
    """Raise `DamageError` unless values have exactly these names and types."""
    check_names(values, types)
    for name, kind in types.items():
        if type(values[name]) is not kind:
            raise DamageError(f"{name} is not of type {kind.__name__}")


def check_tensors(
    tensors: Mapping[str, NDArray[Any]], expected: dict[str, tuple[Shape, DTypeLike]]
) -> None:
    """Raise `DamageError` unless these tensors are there, of their shapes and types, finite."""
    check_names(tensors, expected)
    for name, (shape, kind) in expected.items():
        tensor = tensors[name]
        sizes = zip(shape, tensor.shape, strict=False)
        if tensor.ndim != len(shape) or any(wanted not in (None, size) for wanted, size in sizes):
            raise DamageError(f"{name} has shape {tensor.shape}")
        if tensor.dtype != kind:
            raise DamageError(f"{name} has type {tensor.dtype}")
        unmeasured = np.isnan(tensor) & (name == "healthy.measures")
        if not (np.isfinite(tensor) | unmeasured).all():
            raise DamageError(f"{name} has a value that is not a number")


def check_names(names: Collection[str], expected: Collection[str]) -> None:
    """Raise `DamageError` unless these names are there, and no others."""
    strange = sorted(set(names) ^ set(expected))
    if strange:
        problem = "is missing" if strange[0] in expected else "does not belong there"
        raise DamageError(f"{strange[0][:LONGEST_NAME]!r} {problem}")


def check_memory(memory: Memory) -> None:
    """Raise `DamageError` unless every clip has its references, in order."""
    count = len(memory.clips)
    for name, view in memory.views.items():
        clips = view.clips
        steps = np.diff(clips, prepend=-1, append=count)  # 0 within a recording, 1 to the next
        whole = bool(((steps == 0) | (steps == 1)).all()) and steps[0] == steps[-1] == 1
        if len(clips) != len(view.values) or not whole:
            raise DamageError(f"memory.{name}.clips does not name every recording in order")
