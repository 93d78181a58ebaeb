"""The descriptions of a recording of any length, from blocks of its features.

Each gives what the function of `dgmix.detect.views` gives of the whole, to the rounding of float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dgmix.detect.views.cepstrum import cosines
from dgmix.detect.views.levels import LEAST_CHANGE, Levels, logmel
from dgmix.detect.views.rhythm import RHYTHM_FRAMES, band_groups, hann, modulation_bands

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


class _Moments:
    """Mean and deviation of values (frame, dim), merged block by block (Chan et al. 1979)."""

    def __init__(self, size: int) -> None:
        self._count = 0
        self.mean, self._squares = np.zeros(size), np.zeros(size)

    def add(self, values: NDArray[np.floating]) -> None:
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
        return np.asarray(np.sqrt(self._squares / max(self._count, 1)), np.float64)


class _Steps:
    """The moments of the steps of values (frame, dim) from frame to frame."""

    def __init__(self, size: int) -> None:
        self._last = np.zeros((0, size), np.float32)
        self.moments = _Moments(size)

    def add(self, values: NDArray[np.floating]) -> None:
        self.moments.add(np.diff(np.concatenate([self._last, values]), axis=0))
        self._last = values[-1:].copy()


class _Change:
    def __init__(self, n_mels: int) -> None:
        self._steps = _Steps(n_mels)

    def add(self, _: NDArray[np.float32], levels: Levels) -> None:
        self._steps.add(levels)

    def result(self) -> Levels:
        deviation = np.maximum(self._steps.moments.deviation, LEAST_CHANGE)
        return np.asarray(20 * np.log10(deviation), np.float32)


class _Cepstrum:
    def __init__(self, n_mels: int) -> None:
        self._cosines = cosines(n_mels).T
        size = self._cosines.shape[1]
        self._values, self._steps = _Moments(size), _Steps(size)

    def add(self, _: NDArray[np.float32], levels: Levels) -> None:
        coefficients = levels @ self._cosines
        self._values.add(coefficients)
        self._steps.add(coefficients)

    def result(self) -> Levels:
        parts = self._values.mean, self._values.deviation, self._steps.moments.deviation
        return np.concatenate(parts).astype(np.float32)


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
    "cepstrum": _Cepstrum,
}
