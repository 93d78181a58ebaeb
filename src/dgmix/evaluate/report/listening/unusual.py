"""The most unusual region of a recording: one stretch of time, one range of bands, in words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from dgmix.detect.localize import Localization

Floats = NDArray[np.floating]

FAR = 0.5
ABOUT = 0.99
MOSTLY = 0.8


@dataclass(frozen=True)
class Region:
    """A stretch of frames and bands around the most unusual place of a recording.

    `frames` and `bands` are first and last index, both included, and `seconds` and `hertz` where
    they begin and end; `when` (seconds) and `where` (Hz) are the most unusual moment and band
    inside, and `peak` is how unusual that moment is, 1 being as far as healthy recordings go;
    `profile` (mel,) is how unusual each band is in that stretch of time; `throughout` says that
    the stretch is most of the recording.
    """

    frames: tuple[int, int]
    bands: tuple[int, int]
    seconds: tuple[float, float]
    hertz: tuple[float, float]
    when: float
    where: float
    peak: float
    profile: Floats
    throughout: bool


def most_unusual(localization: Localization) -> Region:
    """Return the region around the most unusual moment of a recording.

    It reaches, in time and then in frequency, as far as the surprise stays above half of its peak:
    a click gives a short stretch of all bands, a tone all the time in a few bands.
    """
    moment = _middle_of_peak(localization.over_time)
    frames = _reach(localization.over_time, moment)
    profile = localization.surprise[frames[0] : frames[1] + 1].mean(0)
    band = int(profile.argmax())
    bands = _reach(profile, band)
    times, hertz = _edges(localization.seconds), _edges(localization.hertz)
    return Region(
        frames,
        bands,
        (float(times[frames[0]]), float(times[frames[1] + 1])),
        (float(hertz[bands[0]]), float(hertz[bands[1] + 1])),
        float(localization.seconds[moment]),
        float(localization.hertz[band]),
        float(localization.over_time.max()),
        profile,
        frames[1] - frames[0] + 1 >= MOSTLY * len(localization.over_time),
    )


def excess(level: Floats, region: Region, usual: Floats) -> float:
    """Return how many decibels louder a region is than the healthy recordings are there.

    `level` (frame, mel) in dB, `usual` (mel,) the healthy mean level of each band.
    """
    (first, last), (low, high) = region.frames, region.bands
    off = level[first : last + 1, low : high + 1] - usual[low : high + 1]
    return float(off.mean())


def in_words(region: Region) -> str:
    """Return where the region is, as in "at 3.2 s, around 2.4 kHz"."""
    time = "throughout" if region.throughout else f"at {region.when:.1f} s"
    return f"{time}, around {frequency(region.where)}"


def extent_in_words(region: Region) -> str:
    """Return how far the region reaches, as in "3.0 to 3.5 s, 1.9 to 3.1 kHz"."""
    begin, end = (f"{value:.1f}" for value in region.seconds)
    time = f"{begin} to {end} s" if begin != end else f"{begin} s"
    low, high = (frequency(value) for value in region.hertz)
    if low.split()[-1] == high.split()[-1]:
        low = low.split()[0]
    return f"{time}, {low} to {high}"


def frequency(hertz: float) -> str:
    """Return a frequency as people write it, in two figures."""
    if round(hertz) < 995:
        return f"{float(f'{hertz:.2g}'):g} Hz"
    return f"{float(f'{hertz / 1000:.2g}'):g} kHz"


def _middle_of_peak(values: Floats) -> int:
    """Return the index of the maximum, the middle one where several are about as high."""
    highest = np.flatnonzero(values >= ABOUT * values.max())
    return int(highest[len(highest) // 2])


def _reach(values: Floats, peak: int) -> tuple[int, int]:
    """Return the first and last index around one where values stay above half of the maximum."""
    below = np.flatnonzero(values < FAR * values.max())
    split = int(np.searchsorted(below, peak))
    first = int(below[split - 1]) + 1 if split else 0
    last = int(below[split]) - 1 if split < len(below) else len(values) - 1
    return first, last


def _edges(centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the borders (n + 1,) half way between `centres` (n,), the outer ones at the ends."""
    middle = (centres[1:] + centres[:-1]) / 2
    return np.concatenate([centres[:1], middle, centres[-1:]])
