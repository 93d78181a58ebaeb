"""Faults planted in the signals of recordings, which become features."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import Half, MelBank, half_mel
from dgmix.audio.cache import in_order
from dgmix.audio.features import MelSpectrogram
from dgmix.config import Recipe
from dgmix.detect.planting.faults import Fault
from dgmix.workers import single_threaded, threads

Samples = NDArray[np.float32]


@dataclass(frozen=True)
class Planting:
    """A fault of a strength; `seed` is that of all that is random about it."""

    fault: Fault
    strength: float
    seed: tuple[int, ...]

    def planted_in(self, signal: Samples, rate: float) -> Samples:
        """Return a signal (sample,) of a sample rate in Hz with the fault."""
        rng = np.random.default_rng(self.seed)
        return self.fault.plant(signal, self.strength, rate, rng)


def bank_of(plantings: Sequence[Planting], signal: Samples, recipe: Recipe) -> MelBank:
    """Return the features of a signal (sample,), once with each of some faults."""
    rate = recipe.audio.rate
    mel = MelSpectrogram(recipe.features, rate)

    def made(planting: Planting) -> Half:
        return half_mel(planting.planted_in(signal, rate), mel)

    with single_threaded(), closing(in_order(made, plantings, threads())) as features:
        bank = MelBank(list(features), recipe.features.n_mels)
    return bank.with_signals(lambda index: plantings[index].planted_in(signal, rate))
