"""Where in a recording the anomaly is: over time and over mel bands."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.config import Recipe
from dgmix.detect.views import logmel

SMOOTH_SECONDS = 0.16
STRONGEST = 8
LEAST_STD = 0.5


@dataclass(frozen=True)
class BandStatistics:
    """How loud each mel band is in healthy recordings.

    `mean` and `std` float32 (mel,), in decibels, over all frames of all recordings.
    """

    mean: NDArray[np.float32]
    std: NDArray[np.float32]

    @classmethod
    def of(cls, bank: MelBank) -> BandStatistics:
        """Return the statistics of a bank, read clip by clip."""
        count, total, squares = 0, np.zeros(bank.n_mels), np.zeros(bank.n_mels)
        for index in range(len(bank)):
            level = logmel(bank[index]).astype(np.float64)
            count += len(level)
            total += level.sum(0)
            squares += np.square(level).sum(0)
        mean = total / count
        std = np.sqrt(np.maximum(squares / count - mean**2, 0))
        return cls(mean.astype(np.float32), std.astype(np.float32))


@dataclass(frozen=True)
class Localization:
    """How unusual each moment and each band of a recording is.

    `seconds` (frame,): the middle of each frame; `hertz` (mel,): the centre of each band;
    `surprise` float32 (frame, mel): how many healthy standard deviations the level is off, locally
    averaged over time; `over_time` (frame,) and `over_bands` (mel,) sum it up.
    """

    seconds: NDArray[np.float64]
    hertz: NDArray[np.float64]
    surprise: NDArray[np.float32]
    over_time: NDArray[np.float32]
    over_bands: NDArray[np.float32]

    @property
    def when(self) -> float:
        """The most unusual moment, in seconds."""
        return float(self.seconds[self.over_time.argmax()])

    @property
    def where(self) -> float:
        """The centre of the most unusual band, in Hz."""
        return float(self.hertz[self.over_bands.argmax()])


def localize(mel: NDArray[np.float32], healthy: BandStatistics, recipe: Recipe) -> Localization:
    """Return where a recording, linear magnitudes (frame, mel), differs from healthy ones.

    A cell's surprise is its level's distance from the healthy mean of its band, in healthy
    standard deviations, averaged over a sixth of a second. A moment's is the mean of its eight
    most surprising bands, a band's of its eight most surprising frames, so that a click of all
    bands and a tone in one both stand out.
    """
    from dgmix.audio.features import mel_edges

    hop = recipe.features.hop_length / recipe.audio.sample_rate
    off = (logmel(mel) - healthy.mean) / np.maximum(healthy.std, LEAST_STD)
    surprise = np.abs(_smoothed(off, max(1, round(SMOOTH_SECONDS / hop))))
    return Localization(
        np.arange(len(mel), dtype=np.float64) * hop,
        mel_edges(recipe.features)[1:-1],
        surprise,
        _strongest(surprise, axis=1),
        _strongest(surprise, axis=0),
    )


def _smoothed(values: NDArray[np.floating], frames: int) -> NDArray[np.float32]:
    """Return the centred moving average of `values` (frame, mel) over so many frames."""
    from scipy.ndimage import uniform_filter1d  # type: ignore[import-untyped]

    return np.asarray(uniform_filter1d(values, frames, axis=0, mode="nearest"), np.float32)


def _strongest(values: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """Return the mean of the largest `STRONGEST` values along an axis."""
    count = min(STRONGEST, values.shape[axis])
    largest = np.partition(values, -count, axis=axis).take(range(-count, 0), axis=axis)
    return np.asarray(largest.mean(axis), np.float32)
