"""Cepstral statistics: the shape of the spectrum, without its details, and how it changes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dgmix.detect.views.levels import Levels

COEFFICIENTS = 20


def cepstrum(levels: Levels) -> Levels:
    """Return statistics of the first 20 cepstral coefficients (60,) of levels (frame, mel).

    Their mean and deviation over time, and the deviation of their difference to the frame before.
    The coefficients are those of the orthonormal DCT-II over the mel bands (Davis, Mermelstein
    1980).
    """
    coefficients = levels @ cosines(levels.shape[1]).T
    steps = np.diff(coefficients, axis=0) if len(levels) > 1 else 0 * coefficients
    statistics = (coefficients.mean(0), coefficients.std(0), steps.std(0))
    return np.concatenate(statistics).astype(np.float32)


def cosines(bands: int) -> NDArray[np.float64]:
    """Return the first 20 rows (coefficient, band) of the orthonormal DCT-II."""
    order = np.arange(COEFFICIENTS)[:, None]
    waves = np.cos(np.pi / bands * (np.arange(bands) + 0.5) * order) * np.sqrt(2 / bands)
    waves[0] /= np.sqrt(2)
    return np.asarray(waves, np.float64)
