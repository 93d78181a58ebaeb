"""A residual network on the spectrogram of a whole clip, and how its maps vary over time.

The spectrogram part of the systems of Wilkinghoff (ICASSP 2023, "Design choices for learning
embeddings from auxiliary tasks for domain generalization in anomalous sound detection"): a 7×7
stem, then four pairs of pre-activation blocks (He et al. 2016, arXiv 1603.05027). Time is pooled by
mean and deviation (statistics pooling, Snyder et al. 2018), so that crops of any length have one
size; frequency is not pooled, since a machine's bands do not move.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn

from dgmix.config import EncoderSettings
from dgmix.model.encoders.size import check_size
from dgmix.model.encoders.strided import StridedPointwise

CHANNELS = (16, 32, 64, 128)
EMBEDDING = 128
DOWNSAMPLING = 2 ** (1 + len(CHANNELS))
LEAST_VARIANCE = 1e-4


class ResNet(nn.Module):
    """(crop, 1, mel, frame) → (crop, 128) for the standard width."""

    def __init__(self, settings: EncoderSettings, n_mels: int, frames: int) -> None:
        super().__init__()
        check_size("resnet", 1, n_mels, frames)
        # oneDNN 3.12 reads memory that nothing wrote where a map becomes one frame wide in bfloat16
        self.trains_in_bfloat16 = frames > DOWNSAMPLING
        first, *_, last = channels = [max(4, round(c * settings.width)) for c in CHANNELS]
        self.embedding_size = max(4, round(EMBEDDING * settings.width))
        self.stem = nn.Sequential(
            nn.Conv2d(1, first, 7, stride=2, padding=3, bias=False),
            nn.BatchNorm2d(first),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, padding=1),
        )
        blocks: list[nn.Module] = []
        for number, (inputs, outputs) in enumerate(pairwise([first, *channels])):
            blocks.append(ResidualBlock(inputs, outputs, stride=2 if number else 1))
            blocks.append(ResidualBlock(outputs, outputs, stride=1))
        self.blocks = nn.Sequential(*blocks)
        bands = math.ceil(n_mels / DOWNSAMPLING)
        self.embed = nn.Linear(2 * last * bands, self.embedding_size, bias=False)

    def segments(self) -> list[nn.Module]:
        """Return the parts that are computed one after another."""
        return [self.stem, *self.blocks]

    def forward(self, mels: Tensor) -> Tensor:
        """Return the embeddings `(crop, embedding_size)` of crops `(crop, 1, mel, frame)`."""
        embedding: Tensor = self.embed(statistics_over_time(self.blocks(self.stem(mels))))
        return embedding


class ResidualBlock(nn.Module):
    """Twice batch norm, ReLU, 3×3; the input is added, by a 1×1 where its shape differs."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.ReLU(),
            nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False),
        )
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else StridedPointwise(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """Return `(crop, outputs, height / stride, width / stride)`."""
        y: Tensor = self.layers(x) + self.shortcut(x)
        return y


def statistics_over_time(maps: Tensor) -> Tensor:
    """Return mean and deviation over time of maps (crop, channel, band, frame).

    Float32 (crop, 2 · channel · band), all means first. A deviation is at least 0.01.
    """
    maps = maps.float()
    deviation = (maps.var(3, correction=0) + LEAST_VARIANCE).sqrt()
    return torch.cat([maps.mean(3), deviation], 1).flatten(1)
