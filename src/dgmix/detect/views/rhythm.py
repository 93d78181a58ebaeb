"""How fast a sound comes and goes: modulation spectra of groups of mel bands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dgmix.detect.views.base import RawView
from dgmix.detect.views.blocks import Levels
from dgmix.detect.views.levels import LEAST_CHANGE
from dgmix.detect.windows import window_starts

if TYPE_CHECKING:
    from torch import Tensor

RHYTHM_FRAMES, RHYTHM_GROUPS, RHYTHM_BANDS = 128, 16, 20
STEP = RHYTHM_FRAMES // 2


def rhythm(levels: Levels) -> Levels:
    """Return the modulation spectrum (16 · modulation band,): how fast the sound comes and goes.

    The levels of 16 groups of bands are cut in windows of `RHYTHM_FRAMES` that overlap by half; the
    power of each modulation frequency, in dB² of amplitude and averaged over windows (Welch 1967)
    and over `RHYTHM_BANDS` bands that widen with frequency, as a level.
    """
    starts = window_starts(len(levels), RHYTHM_FRAMES, RHYTHM_FRAMES // 2)
    index = (np.array(starts)[:, None] + np.arange(RHYTHM_FRAMES)) % len(levels)
    grouped = (levels @ band_groups(levels.shape[1]).T)[index]
    grouped = (grouped - grouped.mean(1, keepdims=True)) * hann()[:, None]
    power = np.abs(np.fft.rfft(grouped, axis=1)[:, 1:]) ** 2 * (4 / RHYTHM_FRAMES) ** 2
    bands = modulation_bands() @ power.mean(0)
    return np.asarray(10 * np.log10(bands + LEAST_CHANGE**2), np.float32).ravel()


def hann() -> NDArray[np.float64]:
    """Return the window of `rhythm` (frame,), whose sum is half its length."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(RHYTHM_FRAMES) / RHYTHM_FRAMES)


def band_groups(bands: int) -> NDArray[np.float64]:
    """Return the matrix (16, mel) that averages neighbouring mel bands."""
    return _averaging(np.linspace(0, bands, RHYTHM_GROUPS + 1).round().astype(int))


def modulation_bands() -> NDArray[np.float64]:
    """Return the matrix (modulation band, modulation frequency) that averages frequencies.

    The frequencies are multiples 1, 2, … of one cycle a window; the bands widen geometrically.
    """
    last = RHYTHM_FRAMES // 2
    edges = np.geomspace(1, last + 1, RHYTHM_BANDS + 1).round().astype(int)
    return _averaging(np.array(sorted(set(edges.tolist()))) - 1)


def _averaging(edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the matrix (part, value) of means over the values from one edge to the next."""
    value = np.arange(edges[-1])
    parts = (value >= edges[:-1, None]) & (value < edges[1:, None])
    return np.asarray(parts / parts.sum(1, keepdims=True), np.float64)


def rhythm_of_tensors(levels: Tensor) -> Tensor:
    """Return what `rhythm` does of tensors (frame, mel), by a matrix product."""
    import torch

    from dgmix.detect.views.tensors import windows

    frame = torch.arange(RHYTHM_FRAMES, dtype=torch.float64)
    angles = 2 * np.pi / RHYTHM_FRAMES * frame * frame[1 : RHYTHM_FRAMES // 2 + 1, None]
    waves = torch.cat([angles.cos(), angles.sin()]) * torch.from_numpy(hann())
    grouped = levels @ torch.from_numpy(band_groups(levels.shape[1])).T
    parts = windows(grouped, RHYTHM_FRAMES, RHYTHM_FRAMES // 2)
    parts = waves @ (parts - parts.mean(1, keepdim=True))
    power = (
        parts.square().mean(0).reshape(2, -1, grouped.shape[1]).sum(0) * (4 / RHYTHM_FRAMES) ** 2
    )
    bands = torch.from_numpy(modulation_bands()) @ power
    spectrum: Tensor = 10 * (bands + LEAST_CHANGE**2).log10().flatten()
    return spectrum


class _RhythmBlocks:
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


RHYTHM = RawView(rhythm, "rhythm", (3.8, 1.0), blocks=_RhythmBlocks, tensors=rhythm_of_tensors)
