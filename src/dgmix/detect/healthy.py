"""What a detector keeps of each healthy recording, besides how it sounds."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.config import Recipe


@dataclass(frozen=True)
class Healthy:
    """The healthy recordings by their content.

    `digests` int64 (clip,): tells recordings apart by their features; `seconds` float64 (clip,):
    their durations, in whole frames; `trained`: on how many of them, the first ones, the network
    was trained.
    """

    digests: NDArray[np.int64]
    seconds: NDArray[np.float64]
    trained: int = 0

    @classmethod
    def of(cls, bank: MelBank, recipe: Recipe, trained: int = 0) -> Healthy:
        """Return what is kept of the clips of a bank."""
        hop = recipe.features.hop_length / recipe.audio.sample_rate
        return cls(_digests(bank), np.asarray(bank.frames * hop, np.float64), trained)

    @property
    def recordings(self) -> NDArray[np.int64]:
        """Which recording each clip is, int64 (clip,): copies are one."""
        return np.unique(self.digests, return_inverse=True)[1].astype(np.int64)

    def knows(self, bank: MelBank) -> NDArray[np.bool_]:
        """Return which clips (clip,) of a bank are among these."""
        return np.isin(_digests(bank), self.digests)

    def with_more(self, other: Healthy) -> Healthy:
        """Return these recordings and, after them, those of `other`."""
        return Healthy(
            np.concatenate([self.digests, other.digests]),
            np.concatenate([self.seconds, other.seconds]),
            self.trained,
        )


def _digests(bank: MelBank) -> NDArray[np.int64]:
    digests = [hashlib.blake2b(digest_size=8) for _ in range(len(bank))]
    for index, digest in enumerate(digests):
        for block in bank.blocks(index):
            digest.update(np.ascontiguousarray(block).data)
    return np.frombuffer(b"".join(each.digest() for each in digests), "<i8").astype(np.int64)
