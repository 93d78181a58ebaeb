"""Descriptions of a clip among which `benchmarks/choose_default.py` chooses, and their metrics.

Each is a pure function of the levels (frame, mel) in dB, and a fixed metric: the distance of two
clips is the root mean square, over dimensions, of their difference in units of a fixed spread. The
spread is that of healthy clips of the machines that dgmix simulates (`choose_default.py --spreads`
prints it), as a straight line from the first dimension to the last; as a table where it has as many
numbers as the view has dimensions; as one number of its size for cepstra, which no line fits. So no
distance depends on the clips that a detector learns from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dgmix.detect.views.blocks import Levels
from dgmix.detect.views.levels import LEAST_CHANGE, change, mean, peak, q90
from dgmix.detect.views.rhythm import rhythm

CEPSTRA = 20
TINY_POWER = 1e-10
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class CandidateView:
    """A description (dim,) of levels (frame, mel), and the spread of healthy clips in it.

    `bands` are the parts of the description that are compared each by itself.
    """

    describe: Callable[[Levels], Levels]
    spread: tuple[float, ...]
    bands: int = 1

    def scaled(self, described: NDArray[np.floating]) -> Floats:
        """Return descriptions (clip, dim) in units of the spread."""
        size = described.shape[1]
        known = np.linspace(0, 1, len(self.spread))
        spread = np.interp(np.linspace(0, 1, size), known, np.array(self.spread))
        return np.asarray(described / spread, np.float64)

    def parts(self, described: NDArray[np.floating]) -> list[Floats]:
        """Return the parts (clip, dim) whose Euclidean distance is the view's metric."""
        scaled = self.scaled(described)
        edges = np.linspace(0, scaled.shape[1], self.bands + 1).round().astype(int)
        return [scaled[:, a:b] / np.sqrt(b - a) for a, b in pairwise(edges)]


def quantile(share: float) -> Callable[[Levels], Levels]:
    """Return the view of the level that the rest of the frames exceed, of each band (mel,)."""

    def describe(levels: Levels) -> Levels:
        rank = int(share * (len(levels) - 1))
        return np.asarray(np.partition(levels, rank, axis=0)[rank])

    return describe


def change_over(frames: int) -> Callable[[Levels], Levels]:
    """Return the view of how much the level changes over so many frames, of each band (mel,).

    20 · log10 of the standard deviation over time of the difference, as `change`. Of a clip
    that is too short for it: over as many frames as it has.
    """

    def describe(levels: Levels) -> Levels:
        lag = max(min(frames, len(levels) - 1), 0)
        steps = levels[lag:] - levels[: len(levels) - lag]
        return _as_level(steps.std(0))

    return describe


def deviation(levels: Levels) -> Levels:
    """Return the standard deviation over time of each band's level (mel,), in dB."""
    return np.asarray(levels.std(0))


def loudness(levels: Levels) -> Levels:
    """Return how loud the clip is as a whole, and how that goes (10,), in dB.

    Of the power of all bands together: its lowest level, 10th percentile, median, 90th percentile,
    highest level, mean and standard deviation; and of its change from frame to frame, without
    sign: mean, largest, and the standard deviation of the change.
    """
    power = (10 ** (levels.astype(np.float64) / 10)).sum(1)
    level = 10 * np.log10(np.maximum(power, 1e-10))
    change = np.diff(level) if len(level) > 1 else np.zeros(1)
    moments = [level.mean(), level.std(), np.abs(change).mean(), np.abs(change).max()]
    return np.array([*np.quantile(level, [0, 0.1, 0.5, 0.9, 1]), *moments, change.std()], "f4")


def cepstrum(levels: Levels) -> Levels:
    """Return the mean, the deviation and the deviation of the steps of 20 cepstra (60,), in dB.

    The first coefficients of the cosine transform over bands (Davis & Mermelstein 1980), as in
    the usual MFCC statistics.
    """
    cepstra = _cepstra(levels)
    return np.concatenate([cepstra.mean(0), cepstra.std(0), _steps(cepstra).std(0)]).astype(
        np.float32
    )


def cepstral_change(levels: Levels) -> Levels:
    """Return the deviation and the deviation of the steps of 20 cepstra (40,), in dB."""
    return cepstrum(levels)[CEPSTRA:]


def spectral_shape(levels: Levels) -> Levels:
    """Return mean, deviation and deviation of the steps of a spectrum's shape over frames (15,).

    Level, centroid and bandwidth (in bands), flatness, and the band up to which 85 %
    of the power lie, as of `librosa.feature` (McFee et al. 2015), on mel bands.
    """
    power = np.maximum(10 ** (levels.astype(np.float64) / 10), TINY_POWER)
    band, total = np.arange(levels.shape[1]), power.sum(1)
    centroid = power @ band / total
    bandwidth = np.sqrt(np.maximum(power @ band**2 / total - centroid**2, 0))
    flatness = 10 * (np.log10(power).mean(1) - np.log10(power.mean(1)))
    rolloff = (np.cumsum(power, 1) < 0.85 * total[:, None]).sum(1)
    shape = np.stack([10 * np.log10(total), centroid, bandwidth, flatness, rolloff], 1)
    return np.concatenate([shape.mean(0), shape.std(0), _steps(shape).std(0)]).astype(np.float32)


def _cepstra(levels: Levels) -> Floats:
    bands = levels.shape[1]
    order = np.arange(min(CEPSTRA, bands))
    cosines = np.cos(np.pi / bands * np.outer(np.arange(bands) + 0.5, order))
    scale = np.where(order == 0, np.sqrt(1 / bands), np.sqrt(2 / bands))
    return np.asarray(levels @ (cosines * scale), np.float64)


def _steps(values: Floats) -> Floats:
    return np.diff(values, axis=0) if len(values) > 1 else np.zeros_like(values)


def _as_level(change: Levels) -> Levels:
    return np.asarray(20 * np.log10(np.maximum(change, LEAST_CHANGE)), np.float32)


SHAPE_SPREAD = (1.7, 4.8, 1.8, 0.3, 3.0, 0.52, 1.8, 0.70, 0.21, 2.3, 0.30, 1.2, 0.46, 0.18, 1.8)
LOUDNESS_SPREAD = (1.98, 1.94, 1.84, 1.67, 3.07, 1.68, 0.52, 0.18, 2.59, 0.25)
VIEWS = {
    "mean": CandidateView(mean, (2.3, 1.7)),
    "q90": CandidateView(q90, (2.2, 1.7)),
    "q97": CandidateView(quantile(0.97), (2.2, 1.8)),
    "max": CandidateView(peak, (2.6, 3.8)),
    "max-by-band": CandidateView(peak, (2.6, 3.8), bands=4),
    "deviation": CandidateView(deviation, (0.3, 0.7)),
    "change": CandidateView(change, (0.55, 0.7)),
    "change-2": CandidateView(change_over(2), (0.55, 1.0)),
    "rhythm": CandidateView(rhythm, (3.8, 1.0)),
    "rhythm-by-band": CandidateView(rhythm, (3.8, 1.0), bands=4),
    "loudness": CandidateView(loudness, LOUDNESS_SPREAD),
    "cepstrum": CandidateView(cepstrum, (2.0,)),
    "cepstral-change": CandidateView(cepstral_change, (1.0,)),
    "spectral-shape": CandidateView(spectral_shape, SHAPE_SPREAD),
}
# The first of each family, a view of the default as it is, is what is taken where the sets do not
# clearly ask for another. These families stay; the others have to gain something.
FAMILIES: dict[str, tuple[str, ...]] = {
    "level": ("q90", "mean", "q97"),
    "peaks": ("max-by-band", "max"),
    "steadiness": ("change", "deviation"),
    "rhythm": ("rhythm", "rhythm-by-band"),
    "spectral detail": ("cepstrum", "cepstral-change", "spectral-shape"),
}
MORE: dict[str, tuple[str, ...]] = {
    "slower change": ("change-2",),
    "course of loudness": ("loudness",),
}
