"""How the official baselines of DCASE 2022 Task 2 hear a clip, and how they are trained.

The autoencoder is a recipe of dgmix (`autoencoder`, `mahala`); MobileNetV2 is in `mobilenetv2.py`.

Their log-mel is librosa's: 128 bands of the power spectrum on Slaney's scale and with its norm,
n_fft 1024, hop 512. Two things are left as torch has them, for trainings on few clips: Keras's
slower running averages of batch norm lag behind there, and the last tenth of the vectors, which the
baselines hold out to watch their loss, may be all that there is of the target domain.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dgmix.audio.bank import MelBank
from dgmix.config import AudioSettings, FeatureSettings
from dgmix.model.checkpoint import TrainingLog
from dgmix.progress import progress

AUDIO = AudioSettings(remove_mean=False)
FEATURES = FeatureSettings(power=2, mel_scale="slaney", mel_norm="slaney", window_norm=False)
LEAST = float(np.finfo(np.float64).eps) ** 0.5


@dataclass(frozen=True)
class Vectors:
    """Runs of neighbouring frames of clips.

    `levels` float32 (frame, mel): the log-mel of all clips, one after the other; `frames` int64
    (vector, length): the frames of each run; `clips` int64 (vector,): the clip it is of, ascending.
    """

    levels: Tensor
    frames: Tensor
    clips: Tensor

    @classmethod
    def of(cls, bank: MelBank, length: int, hop: int, device: str = "cpu") -> Vectors:
        """Return the runs of `length` frames every `hop` frames; too short a clip begins again."""
        levels, frames, clips, first = [], [], [], 0
        for index, count in enumerate(bank.frames.tolist()):
            levels.append(torch.from_numpy(logmel(bank[index])))
            starts = torch.arange(0, max(count - length, 0) + 1, hop)
            frames.append(first + (starts[:, None] + torch.arange(length)) % count)
            clips.append(torch.full((len(starts),), index))
            first += count
        return cls(*(torch.cat(parts).to(device) for parts in (levels, frames, clips)))

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, chosen: Tensor) -> Tensor:
        """Return the runs `chosen` (vector,), float32 (vector, length, mel)."""
        return self.levels[self.frames[chosen]]

    def batches(self, size: int) -> Iterator[Tensor]:
        """Yield all vectors by number, in order."""
        yield from torch.split(torch.arange(len(self), device=self.clips.device), size)


def logmel(mel: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return 10 · log10 of powers, whose roots `mel` are; at least float64's epsilon, in dB."""
    return np.asarray(20 * np.log10(np.maximum(mel, LEAST)), np.float32)


def fit(
    model: nn.Module,
    loss_of: Callable[[Tensor], Tensor],
    vectors: int,
    epochs: int,
    batch: int,
    rate: float,
    seed: int,
    log: Path,
) -> None:
    """Train with Adam as Keras has it, in a new order of vectors every epoch.

    `loss_of` gives the loss of vectors by number; a batch of a single vector is left out. Each
    epoch's loss and seconds go to `log`, one line of JSON each, written anew.
    """
    TrainingLog(log).rewind(0)
    optimizer = torch.optim.Adam(model.parameters(), lr=rate, eps=1e-7, fused=True)
    device = next(model.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    model.train()
    with progress("/".join(log.parts[-3:]), epochs) as advance:
        for epoch in range(1, epochs + 1):
            began, losses = time.monotonic(), []
            order = torch.randperm(vectors, generator=generator).to(device)
            for chosen in torch.split(order, batch):
                if len(chosen) > 1:
                    loss = loss_of(chosen)
                    optimizer.zero_grad()
                    torch.autograd.backward(loss)
                    optimizer.step()
                    losses.append(loss.detach())
            mean = float(torch.stack(losses).mean())
            seconds = round(time.monotonic() - began, 3)
            TrainingLog(log).write({"epoch": epoch, "loss": mean, "seconds": seconds})
            advance(note=f"loss {mean:.3g}")
    model.eval()


def clip_means(values: Tensor, clips: Tensor) -> NDArray[np.float64]:
    """Return the mean over each clip's vectors of `values` (vector,), float64 (clip,)."""
    values, clips = values.double().cpu(), clips.cpu()
    return np.asarray((torch.bincount(clips, values) / torch.bincount(clips)).numpy())


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let torch draw from `seed` inside of the block."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def keras_start(module: nn.Module) -> None:
    """Start a layer as Keras does: Glorot's uniform weights, biases 0."""
    if isinstance(module, nn.Linear | nn.Conv2d):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
