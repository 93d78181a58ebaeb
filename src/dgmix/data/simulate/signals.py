"""The building blocks of every simulated machine: turning, striking, rushing, drifting.

All signals are float32 (sample,) at `RATE`, and as long as the caller asks. Filters work by FFT
over the whole clip, so what rings past the end comes back at the start, as of a machine that was
already running.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

RATE = 16_000
"""Samples per second of everything simulated."""

Samples = NDArray[np.float32]
Turns = NDArray[np.float64]
Generator = np.random.Generator

_TABLE = 16_384
_RING_SECONDS = 0.4


@dataclass(frozen=True)
class Modes:
    """Resonances of a structure: natural frequencies (Hz), decay times to 1/e (s), weights."""

    frequencies: tuple[float, ...]
    decays: tuple[float, ...]
    weights: tuple[float, ...]


Knots = tuple[tuple[float, float], ...]
"""A spectrum as points (frequency in Hz, level in dB), straight lines over log frequency."""


def amplitude(decibels: float) -> float:
    """Return the amplitude ratio of a level difference in dB."""
    return float(10.0 ** (decibels / 20.0))


def seconds(samples: int) -> Samples:
    """Return the time of every sample, in s."""
    return np.arange(samples, dtype=np.float32) / np.float32(RATE)


def drift(samples: int, spread: float, rng: Generator) -> Samples:
    """Return a slow random wander around 0 with standard deviation `spread`: four slow waves."""
    time = seconds(samples) * np.float32(2 * np.pi)
    waves = np.zeros(samples, np.float32)
    for rate in rng.uniform(0.03, 0.6, 4):
        waves += np.sin(np.float32(rate) * time + np.float32(rng.uniform(0, 2 * np.pi)))
    return waves * np.float32(spread / np.sqrt(2.0))


def turning(speed: float | Samples, samples: int, start: float = 0.0) -> Turns:
    """Return how far a shaft has turned (revolutions) at every sample, for a speed in rev/s."""
    if isinstance(speed, float):
        return start + np.arange(samples, dtype=np.float64) * (speed / RATE)
    return start + np.cumsum(speed, dtype=np.float64) / RATE


def harmonics(turns: Turns, levels: Sequence[tuple[int, float]], rng: Generator) -> Samples:
    """Return a sum of shaft orders: `levels` are (order, amplitude); phases are random.

    One revolution is drawn once as a table and read at the shaft's angle, so that the cost does not
    grow with the number of orders. Orders that would pass 7.5 kHz are left out.
    """
    fastest = max(float(np.max(np.abs(np.diff(turns[:: RATE // 50])))) * 50, 1e-6)
    spectrum = np.zeros(_TABLE // 2 + 1, np.complex64)
    for order, level in levels:
        phase = rng.uniform(0, 2 * np.pi)
        if order * fastest < 7500 and order < _TABLE // 4:
            spectrum[order] += level * np.exp(1j * phase) * (_TABLE / 2)
    return periodic(turns, np.fft.irfft(spectrum, _TABLE).astype(np.float32))


def periodic(turns: Turns, table: Samples) -> Samples:
    """Return `table`, one revolution (a power of two of points), read at the angle of `turns`."""
    angle = (turns * len(table)).astype(np.int64)
    angle &= len(table) - 1
    return table[angle]


def crossings(turns: Turns, per_turn: float, jitter: float, rng: Generator) -> NDArray[np.float64]:
    """Return the times (s) of events that come `per_turn` times a revolution.

    `jitter` is the standard deviation of each gap, as a part of the gap: it accumulates, as the
    slip of rolling elements does (Randall and Antoni 2011, Mech. Syst. Signal Process. 25:485).
    """
    first, last = float(turns[0]), float(turns[-1])
    count = max(int((last - first) * per_turn) + 2, 2)
    gaps = (1.0 + jitter * rng.standard_normal(count)) / per_turn
    angles = first + rng.uniform(0, 1 / per_turn) + np.cumsum(gaps)
    angles = angles[angles < last]
    coarse = slice(None, None, 16)
    return np.interp(angles, turns[coarse], np.arange(len(turns))[coarse]) / RATE


def strikes(times: NDArray[np.float64], strengths: NDArray[np.float64], samples: int) -> Samples:
    """Return unit impulses at `times` (s), scaled by `strengths`, shared between two samples."""
    place = np.asarray(times, np.float64) * RATE
    whole = np.floor(place).astype(np.int64)
    part = place - whole
    train = np.bincount(whole % samples, strengths * (1 - part), samples)
    train += np.bincount((whole + 1) % samples, strengths * part, samples)
    return train.astype(np.float32)


def ring(train: Samples, modes: Modes) -> Samples:
    """Return the sound of a structure struck by `train`: the modes' decaying sines."""
    samples = len(train)
    return np.fft.irfft(np.fft.rfft(train) * _response(modes, samples), samples).astype(np.float32)


@lru_cache(maxsize=64)
def _response(modes: Modes, samples: int) -> NDArray[np.complex64]:
    """Return the spectrum of the impulse response, scaled to a peak of about 1."""
    time = seconds(min(int(_RING_SECONDS * RATE), samples))
    response = np.zeros(len(time), np.float32)
    for frequency, decay, weight in zip(
        modes.frequencies, modes.decays, modes.weights, strict=True
    ):
        response += weight * np.exp(-time / decay) * np.sin(2 * np.pi * frequency * time)
    response /= sum(abs(weight) for weight in modes.weights)
    return np.fft.rfft(response, samples).astype(np.complex64)


def white_spectrum(samples: int, rng: Generator) -> NDArray[np.complex64]:
    """Return the spectrum of white noise of unit variance, for shaping before `irfft`."""
    bins = samples // 2 + 1
    noise = rng.standard_normal(2 * bins, np.float32).view(np.complex64)
    return noise * np.float32(np.sqrt(samples / 2))


def rushing(samples: int, knots: Knots, rng: Generator) -> Samples:
    """Return Gaussian noise of unit variance with the spectrum `knots`: flow, friction, rolling."""
    shaped = white_spectrum(samples, rng) * _shape(knots, samples)
    return np.fft.irfft(shaped, samples).astype(np.float32)


@lru_cache(maxsize=64)
def _shape(knots: Knots, samples: int) -> Samples:
    return unit_power(curve(knots, samples))


def unit_power(shape: Samples) -> Samples:
    """Return a spectrum's amplitudes (bin,), scaled so that white noise keeps its power."""
    scale = np.float32(1 / np.sqrt(np.mean(shape**2)))
    return shape * scale


def curve(knots: Knots, samples: int) -> Samples:
    """Return the amplitude of a spectrum at every bin of a clip's `rfft`, float32 (bin,)."""
    bins = samples // 2 + 1
    grid = np.unique(np.geomspace(1, bins - 1, 512).astype(np.int64))
    hertz, levels = np.array(knots).T
    coarse = np.interp(np.log(grid * (RATE / samples)), np.log(hertz), levels)
    decibels = np.interp(np.arange(bins, dtype=np.float32), grid, coarse)
    amplitudes: Samples = np.power(np.float32(10), (decibels / 20).astype(np.float32))
    return amplitudes


def swell(pattern: Samples, depth: float) -> Samples:
    """Return a gain that follows `pattern` (around 0, peaks near 1) by `depth` dB either way.

    What swings as far up as down in dB leaves the mean level in dB alone.
    """
    gain: Samples = np.exp(pattern * np.float32(depth * np.log(10) / 20))
    return gain


def bursts(samples: int, rate: float, length: float, rng: Generator) -> Samples:
    """Return a gate between 0 and 1 that opens `rate` times a second for about `length` s."""
    duration = samples / RATE
    gate = np.zeros(samples // 64 + 1, np.float32)
    for start in rng.uniform(-length, duration, rng.poisson(rate * (duration + length))):
        span = length * rng.uniform(0.5, 1.5)
        first = int(max(start, 0) * RATE / 64)
        gate[first : max(int((start + span) * RATE / 64), 0)] = 1
    smooth = np.convolve(gate, np.hanning(11).astype(np.float32) / 5, "same")
    return np.repeat(smooth, 64)[:samples].astype(np.float32)
