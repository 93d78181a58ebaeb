"""What the channels of a recording are like, measured as it is decoded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Matrix = NDArray[np.float64]

SILENT_LEVEL = -90.0  # dB of full scale; the last bit of 16 is at -98
WEAK_LEVEL, WEAK_BELOW = -65.0, 45.0  # silent, too, so far below the loudest channel
FULL_SCALE = 0.999
MAINS = (50, 60)  # Hz
HARMONICS = 10
HUM_WINDOWS, LEAST_HUM_SECONDS = 8, 0.5
LOWEST_HUM = 20  # Hz; power below counts for nothing
NO_LEVEL = -200.0
FIELDS = ("levels", "clipped", "hum", "correlations")


@dataclass(frozen=True, slots=True)
class Channels:
    """What the channels of one recording are like.

    One value a channel: `levels`, the root mean square without the mean, dB of full scale;
    `clipped`, the part of the samples at full scale; `hum`, the part of the power at 50 or 60 Hz
    and its multiples. `correlations` (channel, channel), 0 where a channel is constant.
    """

    levels: tuple[float, ...]
    clipped: tuple[float, ...]
    hum: tuple[float, ...]
    correlations: tuple[tuple[float, ...], ...]

    def values(self) -> list[Any]:
        """Return it as plain values that JSON has; `read` takes them."""
        return [] if self == SINGLE else [list(getattr(self, name)) for name in FIELDS]

    @classmethod
    def read(cls, values: list[Any]) -> Channels:
        """Return what `values` was made of; raises `ValueError` or `TypeError` for others."""
        if not values:
            return SINGLE
        levels, clipped, hum, correlations = values
        rows = tuple(tuple(map(float, row)) for row in correlations)
        columns = [tuple(map(float, each)) for each in (levels, clipped, hum)]
        return cls(columns[0], columns[1], columns[2], rows)

    def __len__(self) -> int:
        return len(self.levels)

    @property
    def silent(self) -> tuple[bool, ...]:
        """Which channels (channel,) carry nothing, beside full scale or the loudest channel."""
        loudest = max(self.levels)
        return tuple(
            level < SILENT_LEVEL or level < min(WEAK_LEVEL, loudest - WEAK_BELOW)
            for level in self.levels
        )

    @property
    def mean_level(self) -> float:
        """The level of the mean of all channels, dB of full scale."""
        amplitudes = 10 ** (np.array(self.levels) / 20)
        power = amplitudes @ np.array(self.correlations) @ amplitudes / len(self) ** 2
        return decibels(power)


def channels_of(samples: Samples, sample_rate: int) -> Channels | None:
    """Return what the channels of samples (sample,) or (sample, channel) are like."""
    if samples.ndim == 1:
        return SINGLE
    meter = Meter(sample_rate)
    meter.add(samples)
    return meter.result()


SINGLE = Channels((0.0,), (0.0,), (0.0,), ((1.0,),))  # of a recording of one: not measured


def decibels(power: float) -> float:
    """Return a mean square as dB of full scale, of silence −200."""
    return float(10 * np.log10(power)) if power > 10 ** (NO_LEVEL / 10) else NO_LEVEL


@dataclass
class Meter:
    """Measures the channels of a recording from its blocks, at a sample rate in Hz."""

    sample_rate: int
    _count: int = 0
    _shift: Matrix = field(default_factory=lambda: np.zeros(0))
    _sum: Matrix = field(default_factory=lambda: np.zeros(0))
    _products: Matrix = field(default_factory=lambda: np.zeros((0, 0)))
    _clipped: Matrix = field(default_factory=lambda: np.zeros(0))
    _power: list[Matrix] = field(default_factory=list)
    _mains: list[Matrix] = field(default_factory=list)

    def add(self, block: Samples) -> None:
        """Take up a block (sample, channel)."""
        if not len(block):
            return
        if not self._count:
            channels = block.shape[1]
            self._shift = np.nan_to_num(block.mean(0, dtype=np.float64))
            self._sum, self._clipped = np.zeros(channels), np.zeros(channels)
            self._products = np.zeros((channels, channels))
        centred = np.nan_to_num(block - self._shift.astype(np.float32))
        self._count += len(block)
        self._sum += centred.sum(0, dtype=np.float64)
        exact = centred.astype(np.float64)
        self._products += exact.T @ exact
        self._clipped += (np.abs(block) >= FULL_SCALE).sum(0)
        if len(self._power) < HUM_WINDOWS:
            self._add_spectrum(centred[: self.sample_rate])

    def _add_spectrum(self, centred: Samples) -> None:
        """Take up the spectrum of a second, or of what is there."""
        seconds = len(centred) / self.sample_rate
        if seconds < LEAST_HUM_SECONDS or self.sample_rate < 4 * max(MAINS):
            return
        window = np.hanning(len(centred)).astype(np.float32)[:, None]
        power = np.square(np.abs(np.fft.rfft(centred * window, axis=0)))
        hertz = np.arange(len(power)) / seconds
        lines = [np.abs(hertz - mains * np.round(hertz / mains)) < 1.2 / seconds for mains in MAINS]
        among = hertz < (HARMONICS + 0.5) * np.array(MAINS)[:, None]
        audible = hertz >= LOWEST_HUM
        self._power.append(power[audible].sum(0, dtype=np.float64))
        counted = (np.array(lines) & among & audible).astype(np.float64)
        self._mains.append(np.asarray(counted @ power))

    def result(self) -> Channels | None:
        """Return what the channels are like; None of a recording without samples."""
        if not self._count:
            return None
        mean = self._sum / self._count
        covariance = self._products / self._count - np.outer(mean, mean)
        power = np.maximum(np.diag(covariance), 0)
        deviation = np.sqrt(power)
        product = np.outer(deviation, deviation)
        related = np.divide(covariance, product, out=np.zeros_like(product), where=product > 1e-18)
        np.fill_diagonal(related, 1)
        total = np.maximum(np.sum(self._power, 0), 1e-30) if self._power else np.ones(len(power))
        hum = np.max(np.sum(self._mains, 0), 0) / total if self._mains else np.zeros(len(power))
        return Channels(
            tuple(round(decibels(each), 1) for each in power.tolist()),
            _rounded(self._clipped / self._count),
            _rounded(hum),
            tuple(_rounded(row, 9) for row in np.clip(related, -1, 1)),
        )


def _rounded(values: NDArray[np.float64], digits: int = 6) -> tuple[float, ...]:
    return tuple(round(value, digits) for value in values.tolist())
