"""DG-Mix pre-training written straightforwardly: what `benchmarks/speed.py` measures against.

    python benchmarks/yardstick.py FOLDER [--epochs 3]

The steps of the public reproduction, in the order it takes them: a DataLoader with one worker
decodes every file with librosa in every epoch and cuts a random crop of 2 s; the mel spectrogram
is computed on the fly and fed on three channels; clean and mixed crops pass through the published
encoder one after the other, in torch's default memory layout; LARS steps. Its defects are mended:
the learning rate moves, and no small last batch is trained on. It shares no code with dgmix.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import librosa
import numpy as np
import torch
from pytorch_optimizer import LARS
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

RATE, CROP, N_FFT, HOP, MELS = 16_000, 32_000, 1024, 512, 128
BLOCKS = (
    (1, 8, 1, 1),
    (6, 16, 2, 2),
    (6, 16, 3, 2),
    (6, 32, 4, 2),
    (6, 48, 3, 1),
    (6, 80, 3, 2),
    (6, 160, 1, 1),
)
LEARNING_RATE, FINAL, WARMUP, ALPHA = 0.025, 0.0025, 0.1, 0.5


class Crops(Dataset[Tensor]):
    """A random crop (sample,) of each file, decoded anew whenever it is asked for."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Tensor:
        samples, _ = librosa.load(self.paths[index], sr=RATE, mono=True)
        samples = samples - samples.mean()
        start = int(torch.randint(len(samples) - CROP + 1, ()))
        return torch.from_numpy(samples[start : start + CROP])


class Mel(nn.Module):
    """Signals (..., sample) to linear mel magnitudes (..., mel, frame)."""

    def __init__(self) -> None:
        super().__init__()
        window = torch.hann_window(N_FFT)
        self.register_buffer("window", window / window.square().sum().sqrt())
        filters = librosa.filters.mel(sr=RATE, n_fft=N_FFT, n_mels=MELS, htk=True, norm=None)
        self.register_buffer("filters", torch.from_numpy(filters))

    def forward(self, signals: Tensor) -> Tensor:
        spectrum = torch.stft(
            signals, N_FFT, HOP, window=self.window, pad_mode="reflect", return_complex=True
        )
        return self.filters @ spectrum.abs()


class Block(nn.Module):
    """An inverted residual."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        self.layers = nn.Sequential(
            *(convolution(inputs, hidden, 1) if expansion > 1 else ()),
            *convolution(hidden, hidden, 3, stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x) if self.residual else self.layers(x)


def convolution(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> Iterator[nn.Module]:
    yield nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
    yield nn.BatchNorm2d(outputs)
    yield nn.ReLU6(inplace=True)


def encoder() -> nn.Sequential:
    """Return the published encoder, spectrograms (crop, 3, mel, frame) to (crop, 320)."""
    layers = [*convolution(3, 16, 3, 2), *convolution(16, 32, 3)]
    channels = 32
    for expansion, outputs, repetitions, stride in BLOCKS:
        for repetition in range(repetitions):
            layers.append(Block(channels, outputs, expansion, 1 if repetition else stride))
            channels = outputs
    return nn.Sequential(
        *layers,
        *convolution(channels, 320, 1),
        nn.Conv2d(320, 320, (4, 2), groups=320, bias=False),
        nn.ReLU6(inplace=True),
        nn.Conv2d(320, 320, 1, groups=320, bias=False),
        nn.Flatten(),
    )


def projector() -> nn.Sequential:
    return nn.Sequential(
        *(nn.Linear(320, 1280), nn.BatchNorm1d(1280), nn.ReLU(inplace=True)),
        *(nn.Linear(1280, 1280), nn.BatchNorm1d(1280), nn.ReLU(inplace=True)),
        nn.Linear(1280, 1280, bias=False),
    )


def loss_of(model: nn.Module, mels: Tensor, weights: Tensor) -> Tensor:
    """Return the DG-Mix loss of mels (crop, mel, frame), halves mixed by `weights` (crop / 2,)."""
    x, y = mels.chunk(2)
    share = weights[:, None, None]
    z_x, z_y = model(three_channels(mels)).chunk(2)
    z_mixed = model(three_channels(share * x + (1 - share) * y))
    target = weights[:, None] * z_x + (1 - weights[:, None]) * z_y
    geometric = (z_mixed - target).square().mean()
    variance = (variance_of(z_x) + variance_of(z_y)) / 2
    covariance = covariance_of(z_x) + covariance_of(z_y)
    return 25 * geometric + 25 * variance + covariance


def three_channels(mels: Tensor) -> Tensor:
    return mels.unsqueeze(1).repeat(1, 3, 1, 1)


def variance_of(z: Tensor) -> Tensor:
    return torch.relu(1 - torch.sqrt(z.var(0) + 1e-4)).mean()


def covariance_of(z: Tensor) -> Tensor:
    centred = z - z.mean(0)
    covariance = centred.T @ centred / (len(z) - 1)
    return (covariance.square().sum() - covariance.diagonal().square().sum()) / z.shape[1]


class Yardstick:
    """A training; each `epoch` returns the clips it trained on and the wall-clock seconds."""

    def __init__(self, paths: Sequence[Path], epochs: int, batch_size: int = 64) -> None:
        self.loader = DataLoader(
            Crops(paths), batch_size, shuffle=True, num_workers=1, drop_last=True
        )
        self.mel, self.model = Mel(), nn.Sequential(encoder(), projector())
        self.optimizer = LARS(
            self.model.parameters(), LEARNING_RATE, weight_decay=1e-4, momentum=0.9
        )
        self.steps, self.step = epochs * len(self.loader), 0

    def epoch(self) -> tuple[int, float]:
        began, clips = time.perf_counter(), 0
        for signals in self.loader:
            self.train(self.mel(signals))
            clips += len(signals)
        return clips, time.perf_counter() - began

    def train(self, mels: Tensor) -> float:
        """Take one step on mels (crop, mel, frame) and return the loss."""
        self.optimizer.param_groups[0]["lr"] = learning_rate(self.step, self.steps)
        weights = torch.from_numpy(np.random.beta(ALPHA, ALPHA, len(mels) // 2)).float()  # noqa: NPY002
        loss = loss_of(self.model, mels, weights)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        self.step += 1
        return loss.item()

    @torch.no_grad()
    def embed(self, path: Path) -> Tensor:
        """Return the mean embedding (320,) of a file's windows of 2 s."""
        samples, _ = librosa.load(path, sr=RATE, mono=True)
        windows = torch.from_numpy(samples - samples.mean()).unfold(0, CROP, CROP)
        embedding: Tensor = self.model[0].eval()(three_channels(self.mel(windows))).mean(0)
        return embedding


def learning_rate(step: int, steps: int) -> float:
    """Return the rate of a step: linear warm-up, then half a cosine."""
    warmup = round(WARMUP * steps)
    if step < warmup:
        return LEARNING_RATE * (step + 1) / warmup
    low = LEARNING_RATE * FINAL
    turn = math.pi * (step - warmup + 1) / (steps - warmup)
    return low + (LEARNING_RATE - low) * (1 + math.cos(turn)) / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    training = Yardstick(sorted(options.folder.rglob("*.wav")), options.epochs)
    for _ in range(options.epochs):
        clips, seconds = training.epoch()
        print(f"{clips} clips in {seconds:.2f} s: {clips / seconds:.1f} clips/s", flush=True)


if __name__ == "__main__":
    main()
