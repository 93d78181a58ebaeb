"""Views: fixed-length descriptions of a clip, learned or raw, that a scorer can compare.

The raw views are the baselines that every table shows beside DG-Mix (DESIGN §1.7). To add one,
write a function from a bank to `(clip, dim)` and put it in `RAW_VIEWS`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.audio.features import FLOOR


@dataclass(frozen=True)
class RawView:
    """How to describe a clip, and whether each number is standardised over the training clips."""

    describe: Callable[[NDArray[np.float32]], NDArray[np.float32]]
    standardize: bool

    def __call__(
        self, training: MelBank, test: MelBank
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the view of training and test clips, each float64 (clip, dim)."""
        first, second = self._of(training), self._of(test)
        if not self.standardize:
            return first, second
        mean, std = first.mean(0), np.maximum(first.std(0), 1e-9)
        return (first - mean) / std, (second - mean) / std

    def _of(self, bank: MelBank) -> NDArray[np.float64]:
        return np.stack([self.describe(bank[i]) for i in range(len(bank))]).astype(np.float64)


def logmel(mel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the level in decibels of linear magnitudes, of the same shape."""
    return np.asarray(20 * np.log10(np.maximum(mel, FLOOR)), np.float32)


def logmel_mean(mel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean level over time, (mel,), of a clip (frame, mel)."""
    return np.asarray(logmel(mel).mean(0))


def logmel_max(mel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the highest level over time, (mel,), of a clip (frame, mel)."""
    return logmel(mel.max(0))


RAW_VIEWS = {
    "logmel-mean": RawView(logmel_mean, standardize=False),
    "logmel-max": RawView(logmel_max, standardize=True),
}
