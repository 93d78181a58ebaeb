"""Statistics over time of the level of each mel band.

Each takes levels in decibels, float32 (frame, mel), and returns one number of each band, (mel,).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dgmix.detect.views.base import RawView
from dgmix.detect.views.blocks import Levels, Steps, logmel

if TYPE_CHECKING:
    from torch import Tensor

LEAST_CHANGE = 0.01  # dB: what changes less does not change
HALVES = 0x7C01  # float16 from 0 to infinity, by their bits, which are in the order of the values


def mean(levels: Levels) -> Levels:
    """Return each band's mean level (mel,): the sound as it mostly is."""
    return np.asarray(levels.mean(0))


def peak(levels: Levels) -> Levels:
    """Return each band's highest level (mel,): strokes, knocks, clicks."""
    return np.asarray(levels.max(0))


def q90(levels: Levels) -> Levels:
    """Return the level that a tenth of the frames exceed, of each band (mel,): its louder moments.

    The 90th percentile, an order statistic: the next lower one where it falls between two frames.
    """
    rank = 9 * (len(levels) - 1) // 10
    return np.asarray(np.partition(levels, rank, axis=0)[rank])


def floor(levels: Levels) -> Levels:
    """Return each band's lowest level (mel,): what never stops."""
    return np.asarray(levels.min(0))


def change(levels: Levels) -> Levels:
    """Return how much each band's level changes from frame to frame (mel,): how rough it is.

    The standard deviation over time of the difference to the frame before, itself as a level:
    20 · log10 of its value in decibels, at least that of `LEAST_CHANGE`.
    """
    steps = np.diff(levels, axis=0, prepend=levels[:1])[1:] if len(levels) > 1 else 0 * levels
    return np.asarray(20 * np.log10(np.maximum(steps.std(0), LEAST_CHANGE)), np.float32)


def change_of_tensors(levels: Tensor) -> Tensor:
    """Return what `change` does of tensors (frame, mel)."""
    import torch

    steps = levels[1:] - levels[:-1]
    count = torch.sym_max(levels.shape[0] - 1, 1)  # type: ignore[no-untyped-call]
    centred = steps - steps.sum(0) / count
    deviation = (centred.square().sum(0) / count).sqrt()
    level: Tensor = 20 * deviation.clamp(min=LEAST_CHANGE).log10()
    return level


class _MeanBlocks:
    def __init__(self, n_mels: int) -> None:
        self._sum, self._count = np.zeros(n_mels), 0

    def add(self, _: NDArray[np.float32], levels: Levels) -> None:
        self._sum += levels.sum(0, dtype=np.float64)
        self._count += len(levels)

    def result(self) -> Levels:
        return np.asarray(self._sum / self._count, np.float32)


class _ExtremeBlocks:
    """The greatest or least level of each band: `extreme` of two, from `first` on."""

    def __init__(self, extreme: np.ufunc, first: float, n_mels: int) -> None:
        self._extreme = extreme
        self._value = np.full(n_mels, first, np.float32)

    def add(self, _: NDArray[np.float32], levels: Levels) -> None:
        self._value = self._extreme(self._value, self._extreme.reduce(levels, axis=0))

    def result(self) -> Levels:
        return self._value


class _Q90Blocks:
    """Counts how often each float16 is the magnitude of each band: features are kept as float16."""

    def __init__(self, n_mels: int) -> None:
        self._counts = np.zeros((n_mels, HALVES), np.int32)
        self._count = 0

    def add(self, mel: NDArray[np.float32], _: Levels) -> None:
        halves = mel.astype(np.float16).view(np.uint16)
        for counts, band in zip(self._counts, halves.T, strict=True):
            values, times = np.unique(band, return_counts=True)
            counts[values] += times.astype(np.int32)
        self._count += len(mel)

    def result(self) -> Levels:
        rank = 9 * (self._count - 1) // 10
        places = [int(np.searchsorted(np.cumsum(each), rank, "right")) for each in self._counts]
        return logmel(np.array(places, np.uint16).view(np.float16).astype(np.float32))


class _ChangeBlocks:
    def __init__(self, n_mels: int) -> None:
        self._steps = Steps(n_mels)

    def add(self, _: NDArray[np.float32], levels: Levels) -> None:
        self._steps.add(levels)

    def result(self) -> Levels:
        deviation = np.maximum(self._steps.moments.deviation, LEAST_CHANGE)
        return np.asarray(20 * np.log10(deviation), np.float32)


MEAN = RawView(
    mean, "mean level", (2.0, 1.6), blocks=_MeanBlocks, tensors=lambda levels: levels.mean(0)
)
Q90 = RawView(
    q90,
    "louder moments",
    (2.2, 1.7),
    blocks=_Q90Blocks,
    tensors=lambda levels: levels.sort(0).values[9 * (levels.shape[0] - 1) // 10],
)
MAX = RawView(
    peak,
    "peaks",
    (2.6, 3.8),
    parts=4,
    standardize=True,
    blocks=partial(_ExtremeBlocks, np.maximum, -np.inf),
    tensors=lambda levels: levels.amax(0),
)
MIN = RawView(
    floor,
    "quietest moments",
    (2.6, 2.2),
    blocks=partial(_ExtremeBlocks, np.minimum, np.inf),
    tensors=lambda levels: levels.amin(0),
)
CHANGE = RawView(change, "roughness", (0.55, 0.7), blocks=_ChangeBlocks, tensors=change_of_tensors)
