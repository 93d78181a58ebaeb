"""Training crops: which clip, from which frame on, mixed how much; all of it from the seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.config import Classes, StageSettings
from dgmix.model.batch import Batch
from dgmix.model.network import Network

SMALLEST_BATCH = 4  # two halves of two crops: the least that a covariance can be computed of


@dataclass(frozen=True)
class TrainingCrops:
    """The training clips of one machine: their mels and the index of each one's class."""

    bank: MelBank
    classes: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        bank: MelBank,
        sections: Sequence[str],
        attributes: Sequence[str] = (),
        classes: Classes = "sections",
    ) -> TrainingCrops:
        """Return the crops of clips whose sections and attributes are given by name (clip,).

        A class is a section, or with `classes="attributes"` a section's clips of equal attributes.
        """
        of_section = classes == "sections" or not attributes
        names = (
            sections if of_section else list(map(" ".join, zip(sections, attributes, strict=True)))
        )
        return cls(bank, np.unique(np.array(names), return_inverse=True)[1].astype(np.int64))

    @property
    def class_count(self) -> int:
        """How many classes the clips are of."""
        return int(self.classes.max()) + 1

    def steps_per_epoch(self, settings: StageSettings) -> int:
        """Return the number of batches that an epoch is divided into."""
        crops = max(SMALLEST_BATCH, len(self.bank) * settings.crops_per_clip)
        return max(1, round(crops / settings.batch_size))

    def epoch(
        self, network: Network, settings: StageSettings, rng: np.random.Generator
    ) -> Iterator[Batch]:
        """Yield the batches of one epoch; every clip is heard `crops_per_clip` times.

        Crops are dealt to batches of nearly equal, even size, at least four: no small last batch.
        Where a number has to be made even, or four, some clips are heard once more.
        """
        for clips in deal(len(self.bank), settings, self.steps_per_epoch(settings), rng):
            starts = self._starts(clips, network.crop_frames, rng)
            weights = rng.beta(settings.alpha, settings.alpha, len(clips) // 2)
            mels = torch.from_numpy(self.bank.crops(clips, starts, network.crop_frames))
            self.bank.release()
            yield Batch(
                network.transform(mels.to(network.device, non_blocking=True)),
                torch.from_numpy(self.classes[clips]).to(network.device),
                torch.from_numpy(weights.astype(np.float32)).to(network.device),
            )

    def _starts(
        self, clips: NDArray[np.int64], length: int, rng: np.random.Generator
    ) -> NDArray[np.int64]:
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


def deal(
    clips: int, settings: StageSettings, batches: int, rng: np.random.Generator
) -> list[NDArray[np.int64]]:
    """Return an epoch's clip indices, shuffled, in `batches` parts of even size ≥ 4."""
    order = np.concatenate([rng.permutation(clips) for _ in range(settings.crops_per_clip)])
    wanted = max(2 * round(np.ceil(len(order) / 2)), SMALLEST_BATCH * batches)
    extra = rng.integers(0, clips, wanted - len(order))
    pairs = np.concatenate([order, extra]).reshape(-1, 2)
    return [part.T.reshape(-1) for part in np.array_split(pairs, batches)]
