"""Faults planted in spectrograms of healthy clips, of every kind that a machine may have.

What is chosen on few sets lacks what only another set asks for: two sets without a knock among
their faults choose a detector that is deaf to knocks. Planted faults of many kinds in healthy clips
of any machine ask for all of them (pseudo-anomalies; Wilkinghoff & Tan 2026 found diverse ones to
choose as well as labels do). Each function returns linear mel magnitudes (frame, mel) of a clip
that has the fault, at a random place, from a sixteenth of the bands to all, and of a strength from
nothing to what nobody misses.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Magnitudes = NDArray[np.float64]
Random = np.random.Generator
FRAMES_PER_SECOND = 31.25
LEAST = 1e-5


def knock(clip: Magnitudes, random: Random) -> Magnitudes:
    """One short stroke of a frame that rings off in the next."""
    band = _band(clip, random)
    at = random.integers(len(clip))
    stroke = _rms(clip)[band] * 10 ** (random.uniform(0, 25) / 20)
    faulty = clip.copy()
    for frame, share in ((at, 1.0), (at + 1, 0.4)):
        if frame < len(clip):
            faulty[frame, band] = np.hypot(faulty[frame, band], share * stroke)
    return faulty


def tone(clip: Magnitudes, random: Random) -> Magnitudes:
    """A steady tone in a band and, weaker, in its neighbours."""
    centre = random.integers(1, clip.shape[1] - 1)
    level = _rms(clip)[centre] * 10 ** (random.uniform(0, 20) / 20)
    faulty = clip.copy()
    for band, share in ((centre - 1, 0.4), (centre, 1.0), (centre + 1, 0.4)):
        faulty[:, band] = np.hypot(faulty[:, band], share * level)
    return faulty


def louder_band(clip: Magnitudes, random: Random) -> Magnitudes:
    """Some bands louder all the time."""
    return _gain(clip, _band(clip, random), random.uniform(0, 10))


def quieter_band(clip: Magnitudes, random: Random) -> Magnitudes:
    """Some bands quieter all the time."""
    return _gain(clip, _band(clip, random), -random.uniform(0, 10))


def roughness(clip: Magnitudes, random: Random) -> Magnitudes:
    """Levels that jump from frame to frame."""
    jumps = random.uniform(0, 5) * random.standard_normal((len(clip), 1))
    return _gain(clip, _band(clip, random), jumps)


def flutter(clip: Magnitudes, random: Random) -> Magnitudes:
    """A level that rises and falls once to eight times a second."""
    phase = 2 * np.pi * random.uniform(1, 8) / FRAMES_PER_SECOND * np.arange(len(clip))
    wave = np.sin(phase + random.uniform(0, 2 * np.pi))[:, None]
    return _gain(clip, _band(clip, random), random.uniform(0, 8) * wave)


def missing_stroke(clip: Magnitudes, random: Random) -> Magnitudes:
    """The loudest tenth of the clip is as quiet as its quiet moments."""
    length = max(len(clip) // 10, 1)
    power = np.convolve((clip**2).sum(1), np.ones(length), "valid")
    start = int(power.argmax())
    faulty = clip.copy()
    quiet = np.quantile(clip, random.uniform(0.1, 0.4), axis=0)
    faulty[start : start + length] = np.minimum(faulty[start : start + length], quiet)
    return faulty


def slower(clip: Magnitudes, random: Random) -> Magnitudes:
    """All that happens takes longer, up to twice as long."""
    factor = random.uniform(1, 2)
    return clip[(np.arange(len(clip)) / factor).astype(int)]


def bursts(clip: Magnitudes, random: Random) -> Magnitudes:
    """Some frames, a twentieth of all, are louder."""
    loud = (random.random((len(clip), 1)) < 0.05).astype(float)
    loud[random.integers(len(clip))] = 1
    return _gain(clip, _band(clip, random), random.uniform(0, 15) * loud)


FAULTS: dict[str, Callable[[Magnitudes, Random], Magnitudes]] = {
    fault.__name__.replace("_", " "): fault
    for fault in (
        knock,
        tone,
        louder_band,
        quieter_band,
        roughness,
        flutter,
        missing_stroke,
        slower,
        bursts,
    )
}


def planted(clip: NDArray[np.floating], fault: str, seed: tuple[int, ...]) -> NDArray[np.float32]:
    """Return the magnitudes (frame, mel) of a healthy clip with a fault, float32."""
    random = np.random.default_rng(seed)
    faulty = FAULTS[fault](np.maximum(np.asarray(clip, np.float64), LEAST), random)
    return np.asarray(faulty, np.float32)


def _band(clip: Magnitudes, random: Random) -> slice:
    """Return a random run of bands, from a sixteenth of them to all."""
    bands = clip.shape[1]
    width = int(random.integers(max(bands // 16, 1), bands + 1))
    start = int(random.integers(bands - width + 1))
    return slice(start, start + width)


def _rms(clip: Magnitudes) -> Magnitudes:
    return np.asarray(np.sqrt((clip**2).mean(0)))


def _gain(clip: Magnitudes, band: slice, decibels: float | Magnitudes) -> Magnitudes:
    faulty = clip.copy()
    faulty[:, band] *= 10 ** (np.asarray(decibels) / 20)
    return faulty
