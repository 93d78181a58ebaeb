"""Filters along time, the same for every band, and how strongly each band answers to each.

A linear filter bank with log-energy pooling: how a mel band moves within 0.3 s (beats, strokes,
flutter), as one number per filter. A band's steady level does not count.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from dgmix.config import EncoderSettings
from dgmix.errors import InputError

FILTERS = 4
TAPS = 9  # frames: 0.29 s
FLOOR = 1e-3  # keeps the logarithm of a band at rest finite


class TemporalFilters(nn.Module):
    """(crop, 1, mel, frame) → (crop, 4 · mel) for the standard width.

    Everything up to the energies is linear. A crop too short for the filters to run along it is
    continued by its first and last frame.
    """

    def __init__(self, settings: EncoderSettings, n_mels: int, frames: int) -> None:
        super().__init__()
        if frames < 2:
            raise InputError(
                "input.crop_seconds: encoder 'temporal' needs crops of at least two frames; "
                "make them longer"
            )
        filters = max(1, round(FILTERS * settings.width))
        self.embedding_size = filters * n_mels
        self.margin = TAPS // 2 if frames < 2 * TAPS else 0
        self.filters = nn.Sequential(
            nn.Conv2d(1, filters, (1, TAPS), bias=False), nn.BatchNorm2d(filters)
        )

    def forward(self, mels: Tensor) -> Tensor:
        """Return the embeddings `(crop, filter · mel)` of crops `(crop, 1, mel, frame)`."""
        continued = functional.pad(mels, (self.margin, self.margin, 0, 0), mode="replicate")
        return log_deviation(self.filters(continued)).flatten(1)


def log_deviation(outputs: Tensor) -> Tensor:
    """Return ½ log(variance over the last axis + 0.001): a standard deviation's logarithm."""
    return 0.5 * (outputs.var(-1, unbiased=False) + FLOOR).log()
