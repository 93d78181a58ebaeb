"""Where in a recording the anomaly is: over time and over mel bands.

Each band's level is followed as decibels above its own median in the recording, twice: moment by
moment, where a click shows, and averaged over half a second, where a tone shows that is no louder
than a click. Either rise, or fall, is divided by the largest one that healthy recordings have, on
average, in this band and its neighbours: what happens rarely, such as metal struck in the hall,
strikes any band. What is off from the first second to the last leaves no trace above the median, so
the median too is compared with the healthy ones. The larger of the two is a place's surprise, in
units of the most surprising place that healthy recordings have on average.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.audio.features import FLOOR
from dgmix.config import Recipe

Floats = NDArray[np.float32]

BLURRED_FRAMES = 3
SUSTAINED_SECONDS = 0.5
NEIGHBOURHOOD = 0.25
LEAST_DECIBELS = 1.0
DEVIATIONS = 4.0
MOST_RECORDINGS = 2000
MOST_FRAMES = 1 << 14  # of a recording; 9 minutes at 512 samples of 16 kHz


@dataclass(frozen=True)
class BandStatistics:
    """How loud each mel band is in healthy recordings, and how far it goes from its median.

    `mean`, `std` float32 (mel,): of the recordings' median levels, in decibels; `rise`, `fall`
    float32 (2, mel): how far a recording's level goes above and below its median at the most, in
    decibels, on average over the recordings; first moment by moment, then over half a second.
    `peak`: the largest such change of a recording, measured by `rise` and `fall` around its band,
    on average; `count`: the number of recordings.
    """

    mean: Floats
    std: Floats
    rise: Floats
    fall: Floats
    peak: float
    count: int

    @classmethod
    def of(cls, bank: MelBank, recipe: Recipe) -> BandStatistics:
        """Return the statistics of a bank's recordings, of 2000 of them spread evenly at most.

        Of a long recording, its beginning counts.
        """
        chosen = np.unique(np.linspace(0, len(bank) - 1, MOST_RECORDINGS).round().astype(int))
        medians, rises, falls = [], [], []
        for index in chosen:
            beginning = next(bank.blocks(int(index), MOST_FRAMES))
            median, changes = _levels(beginning, recipe)
            medians.append(median)
            rises.append(changes.max(1))
            falls.append(-changes.min(1))
        rise, fall = np.mean(rises, 0), np.mean(falls, 0)
        most = np.maximum(rises / _yardstick(rise), falls / _yardstick(fall))
        peak = max(float(most.max((1, 2)).mean()), 1.0)
        return cls(np.mean(medians, 0), np.std(medians, 0), rise, fall, peak, len(bank))

    def merged(self, other: BandStatistics) -> BandStatistics:
        """Return the statistics of the recordings of both."""
        count = self.count + other.count
        part = np.float32(other.count / count)

        def mixed(own: Any, others: Any) -> Any:
            return own + part * (others - own)

        between = part * (1 - part) * np.square(self.mean - other.mean)
        return BandStatistics(
            mixed(self.mean, other.mean),
            np.sqrt(mixed(np.square(self.std), np.square(other.std)) + between),
            mixed(self.rise, other.rise),
            mixed(self.fall, other.fall),
            float(mixed(self.peak, other.peak)),
            count,
        )


@dataclass(frozen=True)
class Localization:
    """How unusual each moment and each band of a recording is.

    `seconds` (frame,): the middle of each frame; `hertz` (mel,): the centre of each band;
    `surprise` float32 (frame, mel): how far the level is off, 1 being as far as it gets at the most
    in a healthy recording; `over_time` (frame,) and `over_bands` (mel,) are its largest values.
    """

    seconds: NDArray[np.float64]
    hertz: NDArray[np.float64]
    surprise: Floats
    over_time: Floats
    over_bands: Floats

    @property
    def when(self) -> float:
        """The most unusual moment, in seconds."""
        return float(self.seconds[self.over_time.argmax()])

    @property
    def where(self) -> float:
        """The centre of the most unusual band, in Hz."""
        return float(self.hertz[self.over_bands.argmax()])


def localize(mel: Floats, healthy: BandStatistics, recipe: Recipe) -> Localization:
    """Return where a recording, linear magnitudes (frame, mel), differs from healthy ones.

    The method is described at the top of this module.
    """
    from dgmix.audio.mel_scale import mel_edges

    median, changes = _levels(mel, recipe)
    lasting = np.abs(median - healthy.mean) / np.maximum(DEVIATIONS * healthy.std, DEVIATIONS)
    up, down = (_yardstick(each)[:, None] for each in (healthy.rise, healthy.fall))
    passing = np.where(changes > 0, changes / up, -changes / down).max(0) / np.float32(healthy.peak)
    surprise = np.maximum(passing, lasting)
    return Localization(
        np.arange(len(mel), dtype=np.float64) * _frame_seconds(recipe),
        mel_edges(recipe.features)[1:-1],
        surprise,
        surprise.max(1),
        surprise.max(0),
    )


def _levels(mel: Floats, recipe: Recipe) -> tuple[Floats, Floats]:
    """Return a recording's median levels (mel,) and the way they change (2, frame, mel), in dB.

    The level is that of the mean power of three frames: a single one of noise is restless.
    """
    power = _averaged(np.square(mel), BLURRED_FRAMES)
    level = 10 * np.log10(np.maximum(power, FLOOR**2))
    median = np.median(level, axis=0)
    change = level - median
    sustained = max(1, round(SUSTAINED_SECONDS / _frame_seconds(recipe)))
    return median, np.stack([change, _averaged(change, sustained)])


def _yardstick(largest: Floats) -> Floats:
    """Return what changes are measured by, of the largest healthy ones: both (2, mel)."""
    bands = max(1, round(NEIGHBOURHOOD * largest.shape[1]))
    return np.maximum(_averaged(largest, bands, axis=1), LEAST_DECIBELS)


def _averaged(values: Floats, size: int, axis: int = 0) -> Floats:
    """Return the centred moving average of `values` over so many neighbours along an axis."""
    from scipy.ndimage import uniform_filter1d  # type: ignore[import-untyped]

    return np.asarray(uniform_filter1d(values, size, axis, mode="reflect"), np.float32)


def _frame_seconds(recipe: Recipe) -> float:
    return recipe.features.hop_length / recipe.audio.rate
