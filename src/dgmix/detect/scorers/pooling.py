"""From the scores of a clip's vectors to that of the clip."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dgmix.detect.windows import Windows

Floats = NDArray[np.float64]


def pool(how: str, values: Floats, clips: NDArray[np.int64], count: int) -> Floats:
    """Return one value (clip,) for each of `count` clips, of those (vector,) of their vectors.

    `how` is the setting `detect.pool`; `clips` (vector,) says which clip a vector is of.
    """
    if len(clips) == count:
        return values
    windows = Windows(clips, np.zeros_like(clips), count)
    return windows.max(values) if how == "max-distance" else windows.mean(values)
