"""How the loudness of a recording goes over time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dgmix.detect.views.levels import Levels

TENTHS = (0, 1, 5, 9, 10)


def course(levels: Levels) -> Levels:
    """Return ten numbers of the loudness over time, in decibels, of levels (frame, mel).

    Its least value, tenth, fiftieth and ninetieth percentile (order statistics, the next lower
    one), largest value, mean and deviation; then mean, largest value and deviation of its changes
    from frame to frame.
    """
    return course_of(loudness(levels))


def loudness(levels: Levels) -> NDArray[np.float64]:
    """Return the loudness (frame,) of levels (frame, mel), the sum of the powers of the bands."""
    return np.asarray(10 * np.log10((10 ** (levels.astype(np.float64) / 10)).sum(1)), np.float64)


def course_of(loudness: NDArray[np.float64]) -> Levels:
    """Return what `course` does, of the loudness (frame,)."""
    changes = np.abs(np.diff(loudness)) if len(loudness) > 1 else np.zeros(1)
    return np.asarray(
        [
            *np.sort(loudness)[[tenths * (len(loudness) - 1) // 10 for tenths in TENTHS]],
            *(loudness.mean(), loudness.std()),
            *(changes.mean(), changes.max(), changes.std()),
        ],
        np.float32,
    )
