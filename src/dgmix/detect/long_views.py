"""The raw views of a recording of any length, from blocks of its features.

Each gives what the function of `dgmix.detect.views` gives of the whole, to the rounding of float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dgmix.detect.views import (
    LEAST_CHANGE,
    RHYTHM_FRAMES,
    Levels,
    band_groups,
    hann,
    logmel,
    modulation_bands,
)

HALVES = 0x7C01  # float16 from 0 to infinity, by their bits, which are in the order of the values
STEP = RHYTHM_FRAMES // 2


class Accumulator(Protocol):
    """What describes a recording after all of its blocks were added, in their order."""

    def add(self, mel: NDArray[np.float32], levels: Levels) -> None:
        """Take up the magnitudes and the levels of a block, both (frame, mel)."""

    def result(self) -> Levels:
        """Return the view (dim,)."""


def describe_blocks(
    names: Sequence[str], blocks: Iterable[NDArray[np.float32]], n_mels: int
) -> dict[str, Levels]:
    """Return raw views, by name, of a recording in blocks of linear magnitudes (frame, mel)."""
    views = {name: ACCUMULATORS[name](n_mels) for name in names}
    for mel in blocks:
        levels = logmel(mel)
        for view in views.values():
            view.add(mel, levels)
    return {name: view.result() for name, view in views.items()}


class _Mean:
    def __init__(self, n_mels: int) -> None:
        self._sum, self._count = np.zeros(n_mels), 0

    def add(self, _: NDArray[np.float32], levels: Levels) -> None:
        self._sum += levels.sum(0, dtype=np.float64)
        self._count += len(levels)

    def result(self) -> Levels:
        return np.asarray(self._sum / self._count, np.float32)


class _Peak:
    def __init__(self, n_mels: int) -> None:
        self._peak = np.full(n_mels, -np.inf, np.float32)

    def add(self, _: NDArray[np.float32], levels: Levels) -> None:
        self._peak = np.maximum(self._peak, levels.max(0))

    def result(self) -> Levels:
        return self._peak


class _Floor:
    def __init__(self, n_mels: int) -> None:
        self._floor = np.full(n_mels, np.inf, np.float32)

    def add(self, _: NDArray[np.float32], levels: Levels) -> None:
        self._floor = np.minimum(self._floor, levels.min(0))

    def result(self) -> Levels:
        return self._floor


class _Q90:
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


class _Change:
    """The moments of the steps from frame to frame, merged block by block (Chan et al. 1979)."""

    def __init__(self, n_mels: int) -> None:
        self._last: Levels | None = None
        self._count = 0
        self._mean, self._squares = np.zeros(n_mels), np.zeros(n_mels)

    def add(self, _: NDArray[np.float32], levels: Levels) -> None:
        before = levels[:1] if self._last is None else self._last
        steps = np.diff(levels, axis=0, prepend=before).astype(np.float64)
        steps = steps[1:] if self._last is None else steps
        self._last = levels[-1:].copy()
        if not len(steps):
            return
        total = self._count + len(steps)
        mean = steps.mean(0)
        apart = mean - self._mean
        self._squares += ((steps - mean) ** 2).sum(0)
        self._squares += apart**2 * (self._count * len(steps) / total)
        self._mean += apart * (len(steps) / total)
        self._count = total

    def result(self) -> Levels:
        std = np.sqrt(self._squares / max(self._count, 1))
        return np.asarray(20 * np.log10(np.maximum(std, LEAST_CHANGE)), np.float32)


class _Rhythm:
    """The windows of the whole recording: every `STEP` frames, and one that ends with it."""

    def __init__(self, n_mels: int) -> None:
        self._groups = band_groups(n_mels).T
        self._waiting = np.zeros((0, self._groups.shape[1]))
        self._last = self._waiting
        self._power = np.zeros((STEP, self._groups.shape[1]))
        self._windows = 0

    def add(self, _: NDArray[np.float32], levels: Levels) -> None:
        grouped = levels @ self._groups
        self._last = np.concatenate([self._last, grouped])[-RHYTHM_FRAMES:]
        waiting = np.concatenate([self._waiting, grouped])
        first = 0
        while first + RHYTHM_FRAMES <= len(waiting):
            self._window(waiting[first : first + RHYTHM_FRAMES])
            first += STEP
        self._waiting = waiting[first:]

    def _window(self, grouped: NDArray[np.float64]) -> None:
        centred = (grouped - grouped.mean(0)) * hann()[:, None]
        self._power += np.abs(np.fft.rfft(centred, axis=0)[1:]) ** 2 * (4 / RHYTHM_FRAMES) ** 2
        self._windows += 1

    def result(self) -> Levels:
        if len(self._last) < RHYTHM_FRAMES:  # shorter than a window: it wraps around
            self._window(self._last[np.arange(RHYTHM_FRAMES) % len(self._last)])
        elif len(self._waiting) != RHYTHM_FRAMES - STEP:
            self._window(self._last)
        bands = modulation_bands() @ (self._power / self._windows)
        return np.asarray(10 * np.log10(bands + LEAST_CHANGE**2), np.float32).ravel()


ACCUMULATORS: dict[str, Callable[[int], Accumulator]] = {
    "logmel-mean": _Mean,
    "logmel-q90": _Q90,
    "logmel-max": _Peak,
    "logmel-min": _Floor,
    "logmel-change": _Change,
    "logmel-rhythm": _Rhythm,
}
