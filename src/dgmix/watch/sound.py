"""Sound with its time: what flows from sources to windows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Block:
    """Sound without a gap: `samples` float32 (sample,), full scale ±1, their rate in Hz, and the
    time of the first (UTC seconds). `begins` says that it does not continue the block before."""

    samples: Samples
    sample_rate: int
    start: float
    begins: bool = False

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return len(self.samples) / self.sample_rate

    @property
    def end(self) -> float:
        """The time after its last sample (UTC seconds)."""
        return self.start + self.seconds


def averaged(samples: NDArray[np.floating], channel: int | None) -> Samples:
    """Return one channel of samples (sample, channel), or the average of all, float32 (sample,)."""
    if channel is not None:
        return np.asarray(samples[:, min(channel, samples.shape[1]) - 1], np.float32)
    return np.asarray(samples.mean(1), np.float32)
