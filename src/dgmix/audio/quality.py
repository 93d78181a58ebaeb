"""What a recording is like as a signal, whatever it is of: level, silence, gaps, clipping, clicks.

It is measured while a recording is decoded, a block at a time, at the recording's own rate.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

SILENCE = 1e-5  # of full scale, −100 dB: what nowhere exceeds it holds no sound
LEAST_LEVEL = -200.0  # dB, of a signal that does not vary
RUN_SAMPLES, RUN_SECONDS = 32, 0.001  # the shortest run of equal samples that counts
MOMENT_SECONDS = 0.1
MOMENTS = 8
SAME = 1e-4  # of the range: samples that lie as high
NEAR = 0.05  # of the range: samples that lie nearly as high
FLAT_SAMPLES = 4
LEAST_RANGE = 0.01  # of full scale; below it the steps of 16 bits look like clipping


@dataclass(frozen=True, slots=True)
class Quality:
    """Measures of a recording.

    `seconds`: its length; `level`: its root mean square without the mean, in dB re full scale;
    `dropouts`, `ending`, `frozen`: which part of its samples lies in runs of zeros before its end,
    in zeros at its end, and in runs of another value, of `RUN_SECONDS` or more; `clipped`: which
    part lies at its highest or lowest value, where these are flat; `click`: by how many dB its
    loudest moment exceeds all others; `click_at`: when that is, in seconds.
    """

    seconds: float
    level: float
    dropouts: float
    ending: float
    frozen: float
    clipped: float
    click: float
    click_at: float

    def values(self) -> dict[str, float]:
        """Return the measures by name."""
        return asdict(self)

    @classmethod
    def of(cls, values: Mapping[str, float]) -> Quality:
        """Return the quality of what `values` returns; raises `TypeError` where that is none."""
        return cls(**{name: float(value) for name, value in values.items()})


MEASURES = tuple(field.name for field in fields(Quality))


def quality_of(samples: Samples, sample_rate: int) -> Quality:
    """Return the quality of a signal (sample,) at its rate in Hz."""
    meter = QualityMeter(sample_rate)
    meter.add(samples)
    return meter.quality()


def quality_of_columns(samples: Samples, sample_rate: int) -> Quality | None:
    """Return the quality of samples (sample,) or (sample, channel), of the loudest channel."""
    columns = samples.reshape(len(samples), -1).T
    return loudest(quality_of(column, sample_rate) for column in columns)


def loudest(qualities: Iterable[Quality]) -> Quality | None:
    """Return the quality of the loudest signal, None where there is none."""
    return max(qualities, key=lambda each: each.level, default=None)


class QualityMeter:
    """Measures the quality of a signal that comes in blocks (sample,), at its rate in Hz."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self._count, self._sum, self._squares = 0, 0.0, 0.0
        self._runs = Runs(max(RUN_SAMPLES, math.ceil(RUN_SECONDS * sample_rate)))
        self._high, self._low = Summit(), Summit()
        self._moments = Moments(sample_rate)
        self._zeros = self._frozen = self._held = 0

    def add(self, block: Samples) -> None:
        """Take up the next samples."""
        if not len(block):
            return
        self._squares += _energy(block)
        whole = len(block) // self._moments.size * self._moments.size
        for part in (block[:whole].reshape(-1, self._moments.size), block[None, whole:]):
            if part.size:
                self._add_moments(part)
        self._add_runs(*self._runs.add(block))

    def _add_moments(self, moments: Samples) -> None:
        """Take up moments (moment, sample)."""
        self._sum += _total(moments)
        highest, lowest = moments.max(1), moments.min(1)
        self._moments.add(highest, lowest, self._count)
        high = max(self._high.value, float(highest.max()))
        low = min(-self._low.value, float(lowest.min()))
        width = high - low
        self._high.add(moments[highest >= high - NEAR * width], high, width)
        self._low.add(-moments[lowest <= low + NEAR * width], -low, width)
        self._count += moments.size

    def _add_runs(self, values: Samples, lengths: NDArray[np.int64]) -> None:
        """Count runs: zeros, what is held at an end of the range, and what is frozen between."""
        if not len(values):
            return
        zero = values == 0
        near = SAME * (self._high.value + self._low.value)
        held = ~zero & ((values >= self._high.value - near) | (values <= near - self._low.value))
        self._zeros += int(lengths[zero].sum())
        self._held += int(lengths[held].sum())
        self._frozen += int(lengths[~zero & ~held].sum())

    def quality(self) -> Quality:
        """Return the measures of all samples so far."""
        count = max(self._count, 1)
        value, length = self._runs.pending
        ending = length if value == 0 and length >= self._runs.least else 0
        varies = self._high.value > -self._low.value
        frozen = self._frozen + (length if value and length >= self._runs.least and varies else 0)
        wide = self._high.value + self._low.value >= LEAST_RANGE
        flat = max(self._high.flat + self._low.flat, self._held) if wide else 0
        click, click_at = self._moments.click()
        return Quality(
            self._count / self._rate,
            self._level(count),
            self._zeros / count,
            ending / count,
            frozen / count,
            flat / count,
            click,
            click_at,
        )

    def _level(self, count: int) -> float:
        power = self._squares / count - (self._sum / count) ** 2
        if power <= 0 or self._high.value <= -self._low.value:
            return LEAST_LEVEL
        return max(10 * math.log10(power), LEAST_LEVEL)


def _energy(block: Samples) -> float:
    """Return the sum of squares, in single precision where that has room for it."""
    with np.errstate(over="ignore"):
        energy = float(np.dot(block, block))
    return energy if math.isfinite(energy) else float(np.square(block, dtype=np.float64).sum())


def _total(moments: Samples) -> float:
    """Return the sum of moments (moment, sample): a product is five times as fast as `sum`."""
    with np.errstate(over="ignore", invalid="ignore"):
        total = float((moments @ np.ones(moments.shape[1], np.float32)).sum(dtype=np.float64))
    return total if math.isfinite(total) else float(moments.sum(dtype=np.float64))


class Runs:
    """Finds runs of at least `least` equal samples, in blocks one after the other.

    `pending` is the run that may go on in the next block: its value and length.
    """

    def __init__(self, least: int) -> None:
        self.least = least
        self.pending = (math.nan, 0)

    def add(self, block: Samples) -> tuple[Samples, NDArray[np.int64]]:
        """Return values and lengths (run,) of the runs that have ended."""
        first, tail = _leading(block), _leading(block[::-1])
        value, length = self.pending
        joined = value == block[0]
        if joined and first == len(block):
            self.pending = value, length + first
            return np.empty(0, np.float32), np.empty(0, np.int64)
        starts, lengths = constant_runs(block, self.least)
        inside = (starts > 0) & (starts + lengths < len(block))
        values = [*block[starts[inside]].tolist(), value]
        counts = [*lengths[inside].tolist(), length + first if joined else length]
        if not joined and tail < len(block):
            values, counts = [*values, float(block[0])], [*counts, first]
        self.pending = float(block[-1]), tail
        ended = np.array(counts, np.int64)
        return np.array(values, np.float32)[ended >= self.least], ended[ended >= self.least]


def constant_runs(samples: Samples, least: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return starts and lengths (run,) of runs of at least `least` equal samples.

    Most signals have none, which a look at a few samples shows: in each run, two that lie half its
    length apart, and those between, are equal.
    """
    step = max(least // 2, 1)
    places = step * np.flatnonzero(samples[:-step:step] == samples[step::step])
    for offset in range(1, step):
        if not len(places):
            return np.empty(0, np.int64), np.empty(0, np.int64)
        places = places[samples[places] == samples[places + offset]]
    edges = np.flatnonzero(samples[1:] != samples[:-1]) + 1
    edges = np.concatenate([[0], edges, [len(samples)]])
    lengths = np.diff(edges)
    long = lengths >= least
    return edges[:-1][long], lengths[long]


def _leading(samples: Samples) -> int:
    """Return how many of the first samples are equal."""
    for size in (64, len(samples)):
        other = samples[:size] != samples[0]
        if other.any():
            return int(other.argmax())
    return len(samples)


class Summit:
    """How flat the top of a signal is: how many samples are as high as its highest one.

    `flat` are those within `SAME` of the range of it, or 0 where they are no more than the slopes
    of a waveform have: half of those within `NEAR`.
    """

    def __init__(self) -> None:
        self.value = -math.inf
        self._same = self._near = 0

    @property
    def flat(self) -> int:
        """How many samples are clipped."""
        clipped = self._same >= max(FLAT_SAMPLES, self._near / 2)
        return self._same if clipped else 0

    def add(self, samples: Samples, highest: float, width: float) -> None:
        """Take up the moments of a part that come near `highest`, the highest sample so far."""
        if highest > self.value + SAME * width:
            self._same = self._near = 0
        self.value = highest
        same = int(np.count_nonzero(samples >= highest - SAME * width))
        self._same += same
        self._near += int(np.count_nonzero(samples > highest - NEAR * width)) - same


class Moments:
    """The loudest moments of a signal; `size` is how many samples each has."""

    def __init__(self, sample_rate: int) -> None:
        self._rate = sample_rate
        self.size = max(round(MOMENT_SECONDS * sample_rate), 1)
        self._peaks = np.empty(0)
        self._times = np.empty(0)

    def add(self, highest: Samples, lowest: Samples, before: int) -> None:
        """Take up moments, after so many samples: the highest and lowest sample of each."""
        middle = (float(highest.mean()) + float(lowest.mean())) / 2
        peaks = np.maximum(highest - middle, middle - lowest)
        times = (before + self.size * np.arange(len(peaks))) / self._rate
        peaks, times = np.append(self._peaks, peaks), np.append(self._times, times)
        loudest = np.argsort(peaks)[-MOMENTS:]
        self._peaks, self._times = peaks[loudest], times[loudest]

    def click(self) -> tuple[float, float]:
        """Return by how many dB the loudest moment exceeds all but its neighbours, and when."""
        if not len(self._peaks) or not self._peaks[-1] > 0:
            return 0.0, 0.0
        at = float(self._times[-1])
        others = self._peaks[np.abs(self._times - at) > 1.5 * MOMENT_SECONDS]
        if not len(others) or others.max() <= 0:
            return 0.0, at
        return float(20 * np.log10(self._peaks[-1] / others.max())), at
