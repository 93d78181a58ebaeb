"""Levels, and statistics of them that are gathered from a recording in blocks.

Each gives what it would of the whole, to the rounding of float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.features import FLOOR

Levels = NDArray[np.float32]


def logmel(mel: NDArray[np.float32]) -> Levels:
    """Return the level in decibels of linear magnitudes, of the same shape."""
    return np.asarray(20 * np.log10(np.maximum(mel, FLOOR)), np.float32)


class Accumulator(Protocol):
    """What describes a recording after all of its blocks were added, in their order."""

    def add(self, mel: NDArray[np.float32], levels: Levels) -> None:
        """Take up the magnitudes and the levels of a block, both (frame, mel)."""

    def result(self) -> Levels:
        """Return the view (dim,)."""


def describe_blocks(
    makers: Mapping[str, Callable[[int], Accumulator]],
    blocks: Iterable[NDArray[np.float32]],
    n_mels: int,
) -> dict[str, Levels]:
    """Return raw views, by name, of a recording in blocks of linear magnitudes (frame, mel)."""
    views = {name: make(n_mels) for name, make in makers.items()}
    for mel in blocks:
        levels = logmel(mel)
        for view in views.values():
            view.add(mel, levels)
    return {name: view.result() for name, view in views.items()}


class Moments:
    """Mean and deviation of values (frame, dim), merged block by block (Chan et al. 1979)."""

    def __init__(self, size: int) -> None:
        self._count = 0
        self.mean, self._squares = np.zeros(size), np.zeros(size)

    def add(self, values: NDArray[np.floating]) -> None:
        """Take up the values (frame, dim) of a block."""
        if not len(values):
            return
        values = values.astype(np.float64)
        total, mean = self._count + len(values), values.mean(0)
        apart = mean - self.mean
        self._squares += ((values - mean) ** 2).sum(0)
        self._squares += apart**2 * (self._count * len(values) / total)
        self.mean += apart * (len(values) / total)
        self._count = total

    @property
    def deviation(self) -> NDArray[np.float64]:
        """The standard deviation (dim,) over all frames so far."""
        return np.asarray(np.sqrt(self._squares / max(self._count, 1)), np.float64)


class Steps:
    """The moments of the steps of values (frame, dim) from frame to frame."""

    def __init__(self, size: int) -> None:
        self._last = np.zeros((0, size), np.float32)
        self.moments = Moments(size)

    def add(self, values: NDArray[np.floating]) -> None:
        """Take up the values (frame, dim) of a block."""
        self.moments.add(np.diff(np.concatenate([self._last, values]), axis=0))
        self._last = values[-1:].copy()
