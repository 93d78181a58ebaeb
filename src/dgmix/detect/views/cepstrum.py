"""Cepstral statistics: the shape of the spectrum, without its details, and how it changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dgmix.detect.views.base import RawView
from dgmix.detect.views.blocks import Levels, Moments, Steps

if TYPE_CHECKING:
    from torch import Tensor

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


def cepstrum_of_tensors(levels: Tensor) -> Tensor:
    """Return what `cepstrum` does of tensors (frame, mel)."""
    import torch

    coefficients = levels @ torch.from_numpy(cosines(levels.shape[1])).T
    steps = coefficients[1:] - coefficients[:-1]
    count = torch.sym_max(levels.shape[0] - 1, 1)  # type: ignore[no-untyped-call]
    centred = steps - steps.sum(0) / count
    deviation = (centred.square().sum(0) / count).sqrt()
    return torch.cat([coefficients.mean(0), coefficients.std(0, correction=0), deviation])


class _CepstrumBlocks:
    def __init__(self, n_mels: int) -> None:
        self._cosines = cosines(n_mels).T
        size = self._cosines.shape[1]
        self._values, self._steps = Moments(size), Steps(size)

    def add(self, _: NDArray[np.float32], levels: Levels) -> None:
        coefficients = levels @ self._cosines
        self._values.add(coefficients)
        self._steps.add(coefficients)

    def result(self) -> Levels:
        parts = self._values.mean, self._values.deviation, self._steps.moments.deviation
        return np.concatenate(parts).astype(np.float32)


CEPSTRUM = RawView(
    cepstrum, "spectral shape", (2.0,), blocks=_CepstrumBlocks, tensors=cepstrum_of_tensors
)
