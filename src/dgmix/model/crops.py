"""Training crops: which clip, from which frame on, mixed how much; all of it from the seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.config import Classes, StageSettings
from dgmix.model.batch import Batch
from dgmix.model.network import Network
from dgmix.model.steps import SMALLEST_BATCH, class_names, crops_per_clip, steps_per_epoch

Indices: TypeAlias = NDArray[np.int64]
HALF_BYTES = 2


@dataclass(frozen=True)
class TrainingCrops:
    """The training clips of one machine: their mels, the index of each one's class, its domain."""

    bank: MelBank
    classes: Indices
    domains: tuple[str, ...] = ()
    _copies: dict[torch.device, BankOnDevice] = field(default_factory=dict, compare=False)

    @classmethod
    def of(
        cls,
        bank: MelBank,
        sections: Sequence[str],
        attributes: Sequence[str] = (),
        classes: Classes = "sections",
        domains: Sequence[str] = (),
    ) -> TrainingCrops:
        """Return the crops of clips whose sections, attributes and domains are given (clip,).

        A class is a section, or with `classes="attributes"` a section's clips of equal attributes.
        """
        names = class_names(sections, attributes, classes)
        numbers = np.unique(np.array(names), return_inverse=True)[1].astype(np.int64)
        return cls(bank, numbers, tuple(domains))

    @property
    def class_count(self) -> int:
        """How many classes the clips are of."""
        return int(self.classes.max()) + 1

    def steps_per_epoch(self, settings: StageSettings) -> int:
        """Return the number of batches that an epoch is divided into."""
        return steps_per_epoch(len(self.bank), settings)

    def epoch(
        self, network: Network, settings: StageSettings, rng: np.random.Generator
    ) -> Iterator[Batch]:
        """Yield the batches of one epoch; every clip is used `crops_per_clip` times.

        Crops are dealt to batches of nearly equal, even size, at least four: no small last batch.
        Where a number has to be made even, or four, some clips are used once more.
        """
        device = network.device
        for clips in deal(len(self.bank), settings, self.steps_per_epoch(settings), rng):
            starts = self._starts(clips, network.crop_frames, rng)
            weights = mixing_weights(settings, len(clips) // 2, rng)
            yield Batch(
                self._inputs(network, clips, starts),
                _sent(self.classes[clips], device),
                _sent(weights, device),
            )

    def _inputs(self, network: Network, clips: Indices, starts: Indices) -> torch.Tensor:
        """Return what the network's encoder takes of crops, on its device."""
        device, length = network.device, network.crop_frames
        if network.takes_waveform:
            firsts = starts * network.hop_length
            return _sent(self.bank.signals(clips, firsts, network.crop_samples), device)
        on_device = device in self._copies or stays_on(device, self.bank)
        cut = self._on(device).crops if on_device else self._cut
        inputs: torch.Tensor = network.transform(cut(clips, starts, length).to(device))
        return inputs

    def _on(self, device: torch.device) -> BankOnDevice:
        """Return the clips' mels on a device, moved there at the first call."""
        if device not in self._copies:
            self._copies[device] = BankOnDevice(self.bank, device)
        return self._copies[device]

    def _cut(self, clips: Indices, starts: Indices, length: int) -> torch.Tensor:
        mels = torch.from_numpy(self.bank.crops(clips, starts, length))
        self.bank.release()
        return mels

    def _starts(self, clips: Indices, length: int, rng: np.random.Generator) -> Indices:
        """Return uniformly random first frames; a clip shorter than a crop starts anywhere."""
        frames = self.bank.frames[clips]
        choices = np.where(frames >= length, frames - length + 1, frames)
        return rng.integers(0, choices)

    def level_statistics(self, network: Network) -> tuple[torch.Tensor, torch.Tensor]:
        """Return mean and standard deviation (mel,) of the levels of all frames, as float32."""
        count = 0
        total, squares = torch.zeros(2, self.bank.n_mels, dtype=torch.float64)
        for index in range(len(self.bank)):
            level = network.transform.level(torch.from_numpy(self.bank[index])).double()
            count += len(level)
            total += level.sum(0)
            squares += level.square().sum(0)
            self.bank.release()
        mean = total / count
        variance = squares / count - mean.square()
        return mean.float(), variance.clamp_min(0).sqrt().float()


class BankOnDevice:
    """The mels of a bank in the memory of a device, in half precision; crops are cut there."""

    def __init__(self, bank: MelBank, device: torch.device) -> None:
        self.frames = torch.from_numpy(bank.frames).to(device)
        self.first = self.frames.cumsum(0) - self.frames
        total = int(bank.frames.sum())
        self.mels = torch.empty(total, bank.n_mels, dtype=torch.half, device=device)
        for index, place in enumerate(torch.split(self.mels, bank.frames.tolist())):
            place.copy_(torch.from_numpy(bank[index]))
            bank.release()

    def crops(self, clips: Indices, starts: Indices, length: int) -> torch.Tensor:
        """Return what `MelBank.crops` does, float32 (crop, frame, mel), on the device."""
        device = self.mels.device
        of, start = _sent(clips, device), _sent(starts, device)
        frame = start[:, None] + torch.arange(length, device=device)
        return self.mels[self.first[of, None] + frame % self.frames[of, None]].float()


def stays_on(device: torch.device, bank: MelBank) -> bool:
    """Say whether a bank is to lie on a device: on a GPU, if it takes at most half of its space."""
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return 2 * HALF_BYTES * int(bank.frames.sum()) * bank.n_mels <= free


def _sent(values: NDArray[Any], device: torch.device) -> torch.Tensor:
    """Return an array on a device, without waiting for it where it is a GPU."""
    tensor = torch.from_numpy(values)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor


def mixing_weights(
    settings: StageSettings, pairs: int, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Return λ of pairs, float32 (pair,), from Beta(alpha, alpha); 1 where one is not mixed."""
    weights = rng.beta(settings.alpha, settings.alpha, pairs)
    if settings.mixed < 1:
        weights[rng.random(pairs) >= settings.mixed] = 1
    return weights.astype(np.float32)


def deal(
    clips: int, settings: StageSettings, batches: int, rng: np.random.Generator
) -> list[Indices]:
    """Return an epoch's clip indices, shuffled, in `batches` parts of even size ≥ 4."""
    order = np.concatenate([rng.permutation(clips) for _ in range(crops_per_clip(clips, settings))])
    wanted = max(2 * round(np.ceil(len(order) / 2)), SMALLEST_BATCH * batches)
    extra = rng.integers(0, clips, wanted - len(order))
    pairs = np.concatenate([order, extra]).reshape(-1, 2)
    return [part.T.reshape(-1) for part in np.array_split(pairs, batches)]
