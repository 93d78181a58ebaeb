"""The rolling spectrogram of the page: coarse on purpose, and cheap."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from dgmix.watch.sound import Block

BANDS = 48
COLUMN_SECONDS = 0.25
FRAME = 1024
QUIETEST, LOUDEST = -100.0, -20.0
WINDOW = np.hanning(FRAME).astype(np.float32)


def columns(block: Block) -> list[list[int]]:
    """Return levels (column, band) of a block, 0 (−100 dB) to 255 (−20 dB), low bands first.

    A column is the mean power of a quarter of a second; bands are spaced evenly up to 1 kHz and in
    equal ratios above, of at least one bin.
    """
    per_column = max(1, round(COLUMN_SECONDS * block.sample_rate))
    edges = _edges(block.sample_rate)
    shades = []
    for first in range(0, len(block.samples) - FRAME + 1, per_column):
        part = block.samples[first : first + per_column]
        frames = len(part) // FRAME
        if not frames:
            break
        spectra = np.fft.rfft(part[: frames * FRAME].reshape(frames, FRAME) * WINDOW)
        power = np.square(np.abs(spectra)).mean(0) / np.square(WINDOW.sum() / 2)
        bands = np.add.reduceat(power, edges[:-1])
        level = 10 * np.log10(np.maximum(bands, 1e-12))
        shade = np.clip((level - QUIETEST) / (LOUDEST - QUIETEST), 0, 1) * 255
        shades.append(np.rint(shade).astype(int).tolist())
    return shades


@cache
def _edges(sample_rate: int) -> NDArray[np.int64]:
    """Return the first bin of each band, and one behind the last."""
    mel = np.linspace(0, 2595 * np.log10(1 + sample_rate / 2 / 700), BANDS + 1)
    hertz = 700 * (10 ** (mel / 2595) - 1)
    bins = np.rint(hertz / sample_rate * FRAME).astype(int)
    for number in range(1, len(bins)):
        bins[number] = max(bins[number], bins[number - 1] + 1)
    return np.asarray(np.minimum(bins, FRAME // 2), np.int64)
