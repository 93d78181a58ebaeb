"""How fast a sound comes and goes: modulation spectra of groups of mel bands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dgmix.detect.views.levels import LEAST_CHANGE, Levels
from dgmix.detect.windows import window_starts

RHYTHM_FRAMES, RHYTHM_GROUPS, RHYTHM_BANDS = 128, 16, 20


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
    return _averaging(np.unique(edges) - 1)


def _averaging(edges: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the matrix (part, value) of means over the values from one edge to the next."""
    value = np.arange(edges[-1])
    parts = (value >= edges[:-1, None]) & (value < edges[1:, None])
    return np.asarray(parts / parts.sum(1, keepdims=True), np.float64)
