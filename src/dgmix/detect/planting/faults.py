"""Faults that can be planted in a healthy recording, each at a strength that has a unit.

A fault is a function of a signal float32 (sample,), a strength, the sample rate in Hz and a random
generator, and returns the signal with the fault, of the same length. What is random (a frequency, a
place in time) depends on the generator only, so that one seed gives the same fault at any strength.
Levels are in dB beside the root mean square of the recording, while the fault lasts.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dgmix.detect.sensitivity import Unit

LOWEST, HIGHEST = 80.0, 0.42  # Hz, and of the sample rate: where faults are planted
FRAME_SECONDS = 0.02
QUIET_MOMENTS = 0.2  # of all frames are quieter than a quiet moment
Samples = NDArray[np.float32]
Random = np.random.Generator
Plant = Callable[[Samples, float, float, Random], Samples]


@dataclass(frozen=True)
class Fault:
    """A kind of fault: how it is planted, and the strengths to try, from faint to strong."""

    name: str
    unit: Unit
    strengths: tuple[float, ...]
    plant: Plant


def tone(signal: Samples, strength: float, rate: float, rng: Random) -> Samples:
    """Add a steady tone of a random frequency."""
    time = np.arange(len(signal)) / rate
    turns = _frequency(rate, rng) * time + rng.random()
    return _added(signal, math.sqrt(2) * np.sin(2 * np.pi * turns), strength)


def hiss(signal: Samples, strength: float, rate: float, rng: Random) -> Samples:
    """Add the noise of a leak: a random octave."""
    noise = rng.standard_normal(len(signal))
    octave = _filtered(noise, _octave(len(signal), rate, _frequency(rate, rng)))
    return _added(signal, octave / _rms(octave), strength)


def knock(signal: Samples, strength: float, rate: float, rng: Random) -> Samples:
    """Add one knock at a random time; its level is that of its loudest 20 ms."""
    return _struck(signal, rng.random(1), strength, rate, rng)


def knocks(signal: Samples, strength: float, rate: float, rng: Random) -> Samples:
    """Add knocks, 2 to 12 a second, nearly regular; their level is that of the loudest 20 ms."""
    per_second = rng.uniform(2, 12)
    count = max(int(len(signal) / rate * per_second), 1)
    gaps = 1 + 0.1 * rng.standard_normal(count)
    return _struck(signal, (np.cumsum(gaps) / count) % 1, strength, rate, rng)


def louder_octave(signal: Samples, strength: float, rate: float, rng: Random) -> Samples:
    """Make a random octave louder."""
    octave = _octave(len(signal), rate, _frequency(rate, rng))
    return _filtered(signal, _amplitude(strength * octave))


def quieter_octave(signal: Samples, strength: float, rate: float, rng: Random) -> Samples:
    """Make a random octave quieter."""
    return louder_octave(signal, -strength, rate, rng)


def louder(signal: Samples, strength: float, rate: float, rng: Random) -> Samples:  # noqa: ARG001
    """Make everything louder."""
    return np.asarray(signal * _amplitude(strength), np.float32)


def quieter(signal: Samples, strength: float, rate: float, rng: Random) -> Samples:
    """Make everything quieter."""
    return louder(signal, -strength, rate, rng)


def muffled(signal: Samples, strength: float, rate: float, rng: Random) -> Samples:  # noqa: ARG001
    """Make the highest tones quieter, those below by less: nothing below `LOWEST`."""
    hertz = np.fft.rfftfreq(len(signal), 1 / rate)
    octaves = np.log2(np.maximum(hertz, LOWEST) / LOWEST) / np.log2(rate / 2 / LOWEST)
    return _filtered(signal, _amplitude(-strength * octaves))


def wavering(signal: Samples, strength: float, rate: float, rng: Random) -> Samples:
    """Let the level rise and fall once to eight times a second."""
    turns = rng.uniform(1, 8) * np.arange(len(signal)) / rate + rng.random()
    return np.asarray(signal * _amplitude(strength * np.sin(2 * np.pi * turns)), np.float32)


def missing(signal: Samples, strength: float, rate: float, rng: Random) -> Samples:  # noqa: ARG001
    """Make a stretch of a recording, where it is loudest, as quiet as its quiet moments."""
    frame = max(round(FRAME_SECONDS * rate), 1)
    levels = np.sqrt(_frame_means(signal.astype(np.float64) ** 2, frame))
    length = min(max(round(strength / 100 * len(levels)), 1), len(levels))
    start = int(np.convolve(levels**2, np.ones(length), "valid").argmax())
    quiet = float(np.quantile(levels, QUIET_MOMENTS))
    gains = np.ones(len(levels))
    stretch = slice(start, start + length)
    gains[stretch] = np.minimum(quiet / np.maximum(levels[stretch], 1e-12), 1)
    centres = (np.arange(len(levels)) + 0.5) * frame
    return np.asarray(signal * np.interp(np.arange(len(signal)), centres, gains), np.float32)


def slower(signal: Samples, strength: float, rate: float, rng: Random) -> Samples:  # noqa: ARG001
    """Let all take longer, at a lower pitch; above the highest that is left, all stays as it is."""
    import soxr

    factor = 1 + strength / 100
    stretched = soxr.resample(signal, rate, rate * factor, quality="HQ")[: len(signal)]
    spectrum, before = np.fft.rfft(stretched, len(signal)), np.fft.rfft(signal)
    top = int(0.95 * len(spectrum) / factor)
    spectrum[top:] = before[top:]
    return np.asarray(np.fft.irfft(spectrum, len(signal)), np.float32)


def mixed_with(others: Sequence[Samples]) -> Plant:
    """Return a fault that puts a share of another sound in a sound's place, as DG-Mix mixes.

    `others` are the sounds, of the same sample rate; each is made as loud as the recording.
    """

    def mixed(signal: Samples, strength: float, rate: float, rng: Random) -> Samples:  # noqa: ARG001
        other = others[int(rng.integers(len(others)))]
        other = np.resize(np.roll(other, -rng.integers(len(other))), len(signal))
        other = other * (_rms(signal) / max(_rms(other), 1e-12))
        share = strength / 100
        return np.asarray((1 - share) * signal + share * other, np.float32)

    return mixed


LEVELS = {low: tuple(float(low + 6 * i) for i in range(7)) for low in (-42, -36, -30, -18)}
DECIBELS = (1.0, 2.0, 3.0, 4.0, 6.0, 9.0, 12.0)
SHARES = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 50.0)
FAULTS = (
    Fault("a steady tone", "level", LEVELS[-42], tone),
    Fault("a hiss", "level", LEVELS[-36], hiss),
    Fault("a single knock", "level", LEVELS[-18], knock),
    Fault("knocks, 2 to 12 a second", "level", LEVELS[-30], knocks),
    Fault("an octave louder", "dB", DECIBELS, louder_octave),
    Fault("an octave quieter", "dB", DECIBELS, quieter_octave),
    Fault("everything louder", "dB", DECIBELS, louder),
    Fault("everything quieter", "dB", DECIBELS, quieter),
    Fault("high tones quieter", "dB", DECIBELS, muffled),
    Fault("a level that wavers", "dB", (0.25, 0.5, 1.0, 2.0, 3.0, 6.0, 9.0), wavering),
    Fault("loudest moments missing", "% of the time", SHARES, missing),
    Fault("running slower", "%", SHARES, slower),
)
NOTHING = Fault("nothing", "%", (0.0,), lambda signal, *_: signal)


def faults_with(others: Sequence[Samples], name: str) -> tuple[Fault, ...]:
    """Return all faults; where there are `others`, other sounds, the mixture with them too."""
    if not others:
        return FAULTS
    shares = (5.0, 10.0, 20.0, 30.0, 40.0, 60.0, 100.0)
    return (*FAULTS, Fault(name, "% of the sound", shares, mixed_with(others)))


def _frequency(rate: float, rng: Random) -> float:
    """Return a random frequency in Hz, any octave as likely as any other."""
    return float(np.exp(rng.uniform(np.log(LOWEST), np.log(HIGHEST * rate))))


def _octave(samples: int, rate: float, centre: float) -> NDArray[np.float64]:
    """Return a gain (bin,): 1 in the octave around a frequency, 0 a third of an octave off it."""
    hertz = np.fft.rfftfreq(samples, 1 / rate)
    away = np.abs(np.log2(np.maximum(hertz, 1e-3) / centre)) - 0.5
    return np.asarray(0.5 + 0.5 * np.cos(np.pi * np.clip(3 * away, 0, 1)))


def _struck(
    signal: Samples, places: NDArray[np.float64], strength: float, rate: float, rng: Random
) -> Samples:
    """Add one sound of a knock, drawn anew, at places between 0 and 1."""
    stroke = _stroke(rate, rng)
    frame = min(max(round(FRAME_SECONDS * rate), 1), len(stroke))
    loudest = np.sqrt(np.convolve(stroke**2, np.ones(frame) / frame, "valid").max())
    wave = np.zeros(len(signal) + len(stroke))
    for place in places:
        start = int(place * len(signal))
        wave[start : start + len(stroke)] += stroke
    return _added(signal, wave[: len(signal)] / loudest, strength)


def _stroke(rate: float, rng: Random) -> NDArray[np.float64]:
    """Return a decaying sound of one to three resonances and a click."""
    time = np.arange(max(round(0.15 * rate), 2)) / rate
    stroke = 0.3 * rng.standard_normal(len(time)) * np.exp(-time / 0.002)
    for _ in range(rng.integers(1, 4)):
        decay, weight = np.exp(rng.uniform(np.log(0.003), np.log(0.03))), rng.uniform(0.3, 1)
        wave = np.sin(2 * np.pi * _frequency(rate, rng) * time + 2 * np.pi * rng.random())
        stroke += weight * np.exp(-time / decay) * wave
    return np.asarray(stroke)


def _added(signal: Samples, sound: NDArray[np.floating], strength: float) -> Samples:
    """Add a sound, whose root mean square is 1 while it lasts, at a level beside the signal."""
    return np.asarray(signal + _rms(signal) * _amplitude(strength) * sound, np.float32)


def _filtered(signal: NDArray[np.floating], gain: NDArray[np.floating]) -> Samples:
    return np.asarray(np.fft.irfft(np.fft.rfft(signal) * gain, len(signal)), np.float32)


def _frame_means(values: NDArray[np.float64], frame: int) -> NDArray[np.float64]:
    starts = np.arange(0, len(values), frame)
    return np.asarray(np.add.reduceat(values, starts) / np.diff(np.append(starts, len(values))))


def _rms(signal: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.square(signal, dtype=np.float64))))


def _amplitude(decibels: float | NDArray[np.floating]) -> NDArray[np.float64]:
    return np.asarray(10 ** (np.asarray(decibels, np.float64) / 20))
