"""The official MobileNetV2 baseline of DCASE 2022 Task 2, in PyTorch.

Dohi et al. 2022 (arXiv 2206.05876): MobileNetV2 (Sandler et al. 2018) of half the width learns to
tell the sections of a machine type apart by images of 64 frames of log-mel. The anomaly score of a
clip is the mean over its images of log (1 - p) - log p, p the probability of its own section.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from official import Vectors, clip_means, fit, keras_start, seeded
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from dgmix.audio.bank import MelBank
from dgmix.model.encoders.mobilenetv2 import BLOCKS, InvertedResidual, ReLU6

FRAMES, HOP = 64, 8
EPOCHS, BATCH, RATE = 20, 32, 1e-5
STEM, LAST = 16, 1280
EPSILON = float(np.finfo(np.float64).eps)


class SectionClassifier(nn.Sequential):
    """Images (image, frame, mel) to the logits (image, section); DG-Mix's blocks are of it too."""

    def __init__(self, sections: int) -> None:
        layers, channels = [*convolution(3, STEM, 3, 2)], STEM
        for expansion, width, repetitions, stride in BLOCKS:
            for repetition in range(repetitions):
                step = 1 if repetition else stride
                layers.append(InvertedResidual(channels, width, expansion, step))
                channels = width
        layers += [*convolution(channels, LAST, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        super().__init__(*layers, nn.Linear(LAST, sections))
        self.apply(keras_start)

    def forward(self, images: Tensor) -> Tensor:
        channels = images.unsqueeze(1).expand(-1, 3, -1, -1)
        channels = channels.contiguous(memory_format=torch.channels_last)  # the faster layout
        for layer in self:
            channels = layer(channels)
        return channels


def convolution(inputs: int, outputs: int, kernel: int, stride: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
    return [conv, nn.BatchNorm2d(outputs), ReLU6()]


def scores(
    training: MelBank,
    sections: Sequence[str],
    test: MelBank,
    queries: Sequence[str],
    seed: int,
    log: Path,
    device: str = "cpu",
    epochs: int = EPOCHS,
) -> NDArray[np.float64]:
    """Return the anomaly scores (clip,) of test clips of `asked` (clip,) sections.

    The model learns the `sections` (clip,) of the training clips, of which there must be several.
    """
    vectors = Vectors.of(training, FRAMES, HOP, device)
    names = sorted(set(sections))
    labels = torch.tensor([names.index(section) for section in sections]).to(device)[vectors.clips]
    with seeded(seed):
        model = SectionClassifier(len(names)).to(device)

    def loss_of(chosen: Tensor) -> Tensor:
        return cross_entropy(model(vectors[chosen]), labels[chosen])

    fit(model, loss_of, len(vectors), epochs, BATCH, RATE, seed, log)
    own = torch.tensor([names.index(section) for section in queries]).to(device)
    return score(model, Vectors.of(test, FRAMES, HOP, device), own)


@torch.no_grad()
def score(model: nn.Module, images: Vectors, sections: Tensor) -> NDArray[np.float64]:
    """Return how unlike its section (clip,) each clip sounds, (clip,)."""
    values = [
        unlikeness(model(images[chosen]), sections[images.clips[chosen]])
        for chosen in images.batches(8 * BATCH)
    ]
    return clip_means(torch.cat(values), images.clips)


def unlikeness(logits: Tensor, sections: Tensor) -> Tensor:
    """Return log (1 - p) - log p (image,) of the probability p of each image's section."""
    p = logits.double().softmax(1).gather(1, sections[:, None]).squeeze(1)
    return (1 - p).clamp_min(EPSILON).log() - p.clamp_min(EPSILON).log()
