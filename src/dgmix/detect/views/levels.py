"""Statistics over time of the level of each mel band.

Each takes levels in decibels, float32 (frame, mel), and returns one number of each band, (mel,).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.features import FLOOR

LEAST_CHANGE = 0.01  # dB: what changes less does not change
Levels = NDArray[np.float32]


def logmel(mel: NDArray[np.float32]) -> Levels:
    """Return the level in decibels of linear magnitudes, of the same shape."""
    return np.asarray(20 * np.log10(np.maximum(mel, FLOOR)), np.float32)


def mean(levels: Levels) -> Levels:
    """Return each band's mean level (mel,): the sound as it mostly is."""
    return np.asarray(levels.mean(0))


def peak(levels: Levels) -> Levels:
    """Return each band's highest level (mel,): strokes, knocks, clicks."""
    return np.asarray(levels.max(0))


def q90(levels: Levels) -> Levels:
    """Return the level that a tenth of the frames exceed, of each band (mel,): its louder moments.

    The 90th percentile, an order statistic: the next lower one where it falls between two frames.
    """
    rank = 9 * (len(levels) - 1) // 10
    return np.asarray(np.partition(levels, rank, axis=0)[rank])


def floor(levels: Levels) -> Levels:
    """Return each band's lowest level (mel,): what never stops."""
    return np.asarray(levels.min(0))


def change(levels: Levels) -> Levels:
    """Return how much each band's level changes from frame to frame (mel,): how rough it is.

    The standard deviation over time of the difference to the frame before, itself as a level:
    20 · log10 of its value in decibels, at least that of `LEAST_CHANGE`.
    """
    steps = np.diff(levels, axis=0, prepend=levels[:1])[1:] if len(levels) > 1 else 0 * levels
    return np.asarray(20 * np.log10(np.maximum(steps.std(0), LEAST_CHANGE)), np.float32)
