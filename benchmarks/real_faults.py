"""Faults of other waveforms than `dgmix.detect.planting.faults` plants, for what these promise.

A kind of fault has the same name and unit there and here. Strokes, hisses and other machines are
cut from real recordings; hums have overtones, filters another shape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import signal as dsp

Samples = NDArray[np.floating]
Random = np.random.Generator
STROKE_SECONDS, FRAME_SECONDS = 0.2, 0.02


@dataclass(frozen=True)
class RealFaults:
    """Faults from real sounds, all at one sample `rate`: `strokes` are of machines that knock,
    `noises` of machines that hiss, `others` of other machines."""

    rate: float
    strokes: list[Samples]
    noises: list[Samples]
    others: list[Samples]

    def kinds(self) -> dict[str, Callable[[Samples, float, Random], Samples]]:
        """Return the makers by the name of the kind."""
        return {
            "a steady tone": self.hum,
            "a hiss": self.hiss,
            "a single knock": self.stroke,
            "knocks, 2 to 12 a second": self.strokes_in_a_row,
            "an octave louder": self.louder_band,
            "an octave quieter": lambda x, strength, rng: self.louder_band(x, -strength, rng),
            "everything louder": lambda x, strength, _: x * _amplitude(strength),
            "everything quieter": lambda x, strength, _: x * _amplitude(-strength),
            "high tones quieter": self.duller,
            "a level that wavers": self.swelling,
            "running slower": self.slower,
            "another machine's sound": self.mixed,
            "another section's sound": self.mixed,
        }

    def hum(self, x: Samples, strength: float, rng: Random) -> Samples:
        """A tone that wanders a little, with two overtones."""
        base = self._frequency(rng) / 2
        turns = np.cumsum(base * (1 + 0.002 * _slow(len(x), self.rate, rng))) / self.rate
        wave = sum(
            weight * np.sin(2 * np.pi * (order * turns + rng.random()))
            for order, weight in ((1, 1.0), (2, 0.5), (3, 0.2))
            if order * base < 0.45 * self.rate
        )
        return _added(x, wave / _rms(wave), strength)

    def hiss(self, x: Samples, strength: float, rng: Random) -> Samples:
        """An octave of a real noise."""
        noise = np.resize(self.noises[int(rng.integers(len(self.noises)))], len(x))
        octave = dsp.sosfilt(self._octave(self._frequency(rng)), noise)
        return _added(x, octave / max(_rms(octave), 1e-12), strength)

    def stroke(self, x: Samples, strength: float, rng: Random) -> Samples:
        """A stroke of a real machine."""
        return self._struck(x, [rng.random()], strength, rng)

    def strokes_in_a_row(self, x: Samples, strength: float, rng: Random) -> Samples:
        """The same stroke, quite regularly."""
        gap = self.rate / rng.uniform(2, 12) / len(x)
        return self._struck(x, list(np.arange(gap * rng.random(), 1, gap)), strength, rng)

    def louder_band(self, x: Samples, strength: float, rng: Random) -> Samples:
        """A band louder, by a Butterworth filter beside the direct sound."""
        band = dsp.sosfiltfilt(self._octave(self._frequency(rng)), x)
        return x + (_amplitude(strength) - 1) * band

    def duller(self, x: Samples, strength: float, rng: Random) -> Samples:
        """A level that falls by so much at the top, in a straight line over frequency."""
        bins = np.fft.rfft(x)
        return np.fft.irfft(bins * _amplitude(-strength * np.linspace(0, 1, len(bins))), len(x))

    def swelling(self, x: Samples, strength: float, rng: Random) -> Samples:
        """A level that rises and falls in straight lines."""
        turns = rng.uniform(1, 8) * np.arange(len(x)) / self.rate + rng.random()
        return x * _amplitude(strength * dsp.sawtooth(2 * np.pi * turns, 0.5))

    def slower(self, x: Samples, strength: float, rng: Random) -> Samples:
        """All of it longer, by a polyphase filter; the top stays as it was."""
        up = 200
        longer = dsp.resample_poly(x, round(up * (1 + strength / 100)), up)[: len(x)]
        edge = 0.95 / (1 + strength / 100)
        low, high = (dsp.butter(8, edge, kind, output="sos") for kind in ("low", "high"))
        return dsp.sosfiltfilt(low, longer) + dsp.sosfiltfilt(high, x)

    def mixed(self, x: Samples, strength: float, rng: Random) -> Samples:
        """A real recording of another machine in place of a part of the sound."""
        other = np.resize(self.others[int(rng.integers(len(self.others)))], len(x))
        other = other * _rms(x) / max(_rms(other), 1e-12)
        return (1 - strength / 100) * x + strength / 100 * other

    def _struck(self, x: Samples, places: list[float], strength: float, rng: Random) -> Samples:
        stroke = self.strokes[int(rng.integers(len(self.strokes)))]
        frame = min(round(FRAME_SECONDS * self.rate), len(stroke))
        loudest = np.sqrt(np.convolve(stroke**2, np.ones(frame) / frame, "valid").max())
        wave = np.zeros(len(x) + len(stroke))
        for place in places:
            start = int(place * len(x))
            wave[start : start + len(stroke)] += stroke
        return _added(x, wave[: len(x)] / loudest, strength)

    def _frequency(self, rng: Random) -> float:
        return float(np.exp(rng.uniform(np.log(100), np.log(0.3 * self.rate))))

    def _octave(self, centre: float) -> NDArray[np.float64]:
        edges = np.array([centre / np.sqrt(2), centre * np.sqrt(2)])
        return dsp.butter(
            3, np.minimum(edges, 0.49 * self.rate), "band", fs=self.rate, output="sos"
        )


def strokes_of(x: Samples, rate: float) -> Samples:
    """Return the loudest stroke of a recording, without what goes on beneath it."""
    length = round(STROKE_SECONDS * rate)
    power = np.convolve(x**2, np.ones(length), "valid")
    start = int(power.argmax())
    lowest = dsp.butter(2, 100, "high", fs=rate, output="sos")
    return dsp.sosfilt(lowest, x[start : start + length]) * dsp.windows.tukey(length, 0.3)


def _slow(samples: int, rate: float, rng: Random) -> Samples:
    return np.sin(2 * np.pi * (rng.uniform(0.1, 1) * np.arange(samples) / rate + rng.random()))


def _added(x: Samples, sound: Samples, strength: float) -> Samples:
    return x + _rms(x) * _amplitude(strength) * sound


def _rms(x: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))


def _amplitude(decibels: float | Samples) -> Samples:
    return np.asarray(10 ** (np.asarray(decibels, float) / 20))
