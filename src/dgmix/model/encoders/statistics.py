"""Statistics of every band over time, of a spectrogram that a few convolutions have changed.

What a machine does over a whole clip, and how evenly, says more about simulated faults than what
a convolutional network makes of it: its pooling forgets by how much a band varies. Statistics
pooling as in x-vectors (Snyder et al. 2018); the convolutions are a residual that starts at zero
(Goyal et al. 2017, arXiv 1706.02677), so that training begins at the plain statistics.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dgmix.config import EncoderSettings
from dgmix.errors import InputError

HIDDEN = 8
SLOPE = 0.1
LEAST_VARIANCE = 1e-4


class Statistics(nn.Module):
    """(crop, 1, mel, frame) → (crop, 3 · mel): mean, deviation and change of every band.

    The embedding of a crop of any length has the same size. `settings.width` multiplies the hidden
    channels of the convolutions.
    """

    def __init__(self, settings: EncoderSettings, n_mels: int, frames: int) -> None:
        super().__init__()
        if frames < 1:
            raise InputError(
                "input.crop_seconds: a crop must hold at least one frame; make it longer"
            )
        self.embedding_size = 3 * n_mels
        hidden = max(4, round(HIDDEN * settings.width))
        self.change = nn.Sequential(
            nn.Conv2d(1, hidden, 5, padding=2),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Conv2d(hidden, hidden, 3, padding=1),
            nn.LeakyReLU(SLOPE, inplace=True),
            nn.Conv2d(hidden, 1, 3, padding=1),
        )
        for parameter in self.change[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, mels: Tensor) -> Tensor:
        """Return the embeddings `(crop, 3 · mel)` of crops `(crop, 1, mel, frame)`."""
        return band_statistics((mels + self.change(mels)).squeeze(1))


def band_statistics(levels: Tensor) -> Tensor:
    """Return mean, standard deviation and rms change per frame of `levels` (crop, band, frame).

    (crop, 3 · band), all means first. A crop of one frame has no change. Deviation and change are
    at least 0.01, where their slope would be infinite.
    """
    variance = levels.var(2, correction=0)
    steps = (levels[:, :, 1:] - levels[:, :, :-1]).square().sum(2) / max(1, levels.shape[2] - 1)
    spreads = [(square + LEAST_VARIANCE).sqrt() for square in (variance, steps)]
    return torch.cat([levels.mean(2), *spreads], 1)
