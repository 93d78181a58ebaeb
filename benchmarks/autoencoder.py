"""The official autoencoder baseline of DCASE 2022 Task 2, in PyTorch.

Koizumi et al. 2020 (arXiv 2006.05822); as Dohi et al. 2022 (arXiv 2206.05876) publish it for Keras:
five frames of log-mel through 128-128-128-128-8-128-128-128-128 units and back, one model a
machine type. The anomaly score is the mean squared error of reconstruction over a clip.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from official import Vectors, clip_means, fit, keras_start, seeded
from torch import Tensor, nn

from dgmix.audio.bank import MelBank

FRAMES, HOP = 5, 1
HIDDEN = (128, 128, 128, 128, 8, 128, 128, 128, 128)
EPOCHS, BATCH, RATE = 100, 512, 1e-3


class Autoencoder(nn.Sequential):
    """Vectors (vector, size) to their reconstructions, of the same shape."""

    def __init__(self, size: int, hidden: Sequence[int] = HIDDEN) -> None:
        layers: list[nn.Module] = []
        for before, after in zip((size, *hidden), hidden, strict=False):
            layers += [nn.Linear(before, after), nn.BatchNorm1d(after), nn.ReLU(inplace=True)]
        super().__init__(*layers, nn.Linear(hidden[-1], size))
        self.apply(keras_start)


def scores(
    training: MelBank,
    sections: Sequence[str],  # noqa: ARG001 - one model for all sections
    test: MelBank,
    asked: Sequence[str],  # noqa: ARG001
    seed: int,
    log: Path,
    device: str = "cpu",
    epochs: int = EPOCHS,
) -> NDArray[np.float64]:
    """Return the anomaly scores (clip,) of test clips by a model trained on training clips."""
    heard = Vectors.of(training, FRAMES, HOP, device)
    with seeded(seed):
        model = Autoencoder(FRAMES * training.n_mels).to(device)

    def loss_of(chosen: Tensor) -> Tensor:
        return errors(model, heard[chosen]).mean()

    fit(model, loss_of, len(heard), epochs, BATCH, RATE, seed, log)
    return score(model, Vectors.of(test, FRAMES, HOP, device))


def errors(model: nn.Module, vectors: Tensor) -> Tensor:
    """Return the mean squared errors (vector,) of reconstructing vectors (vector, frame, mel)."""
    flat = vectors.flatten(1)
    found: Tensor = (model(flat) - flat).square().mean(1)
    return found


@torch.no_grad()
def score(model: nn.Module, vectors: Vectors) -> NDArray[np.float64]:
    """Return the mean error (clip,) of each clip."""
    found = [errors(model, vectors[chosen]) for chosen in vectors.batches(8 * BATCH)]
    return clip_means(torch.cat(found), vectors.clips)
