"""The autoencoder of the official baselines of DCASE Task 2: what it leaves unexplained of a crop.

Koizumi et al. 2020 (arXiv 2006.05822); as Harada et al. 2023 (arXiv 2303.00455) publish it, five
frames of log-mel go through 128-128-128-128-8-128-128-128-128 units and back.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from dgmix.config import EncoderSettings
from dgmix.model.encoders.size import check_size

HIDDEN, BOTTLENECK, DEPTH = 128, 8, 4
MOMENTUM, EPSILON = 0.01, 1e-3  # of the batch norms


class Autoencoder(nn.Module):
    """(crop, 1, mel, frame) → (crop, frame · mel): the crop less its reconstruction."""

    def __init__(self, settings: EncoderSettings, n_mels: int, frames: int) -> None:
        super().__init__()
        check_size("autoencoder", 1, n_mels, frames)
        self.embedding_size = n_mels * frames
        hidden = [max(BOTTLENECK, round(HIDDEN * settings.width))] * DEPTH
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise([self.embedding_size, *hidden, BOTTLENECK, *hidden]):
            layers.append(nn.Linear(inputs, outputs))
            layers.append(nn.BatchNorm1d(outputs, momentum=MOMENTUM, eps=EPSILON))
            layers.append(nn.ReLU())
        self.layers = nn.Sequential(*layers, nn.Linear(hidden[-1], self.embedding_size))

    def forward(self, mels: Tensor) -> Tensor:
        """Return the residuals `(crop, frame · mel)`, frame after frame."""
        vectors = mels.transpose(2, 3).flatten(1)
        residuals: Tensor = vectors - self.layers(vectors)
        return residuals
