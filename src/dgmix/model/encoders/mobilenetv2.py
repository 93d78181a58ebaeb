"""The reduced MobileNetV2 of DG-Mix (Sandler et al. 2018, arXiv 1801.04381; DESIGN §1.2)."""

from __future__ import annotations

import math

from torch import Tensor, nn

from dgmix.config import EncoderSettings
from dgmix.errors import InputError

BLOCKS = (  # expansion, channels, repetitions, stride of the first
    (1, 8, 1, 1),
    (6, 16, 2, 2),
    (6, 16, 3, 2),
    (6, 32, 4, 2),
    (6, 48, 3, 1),
    (6, 80, 3, 2),
    (6, 160, 1, 1),
)
STEM, WIDE, LAST = 16, 32, 320
DOWNSAMPLING = 2 * math.prod(stride for *_, stride in BLOCKS)


class MobileNetV2(nn.Module):
    """(crop, 1, mel, frame) → (crop, 320) for the standard width.

    The published network sees the same spectrogram on three channels. One channel is the same
    function when its stem weights are spread like the sum of three (DESIGN §1.2), which torch's
    initialisation does of itself: its variance is 1 / (3 · fan-in), so that both have 1/27.
    """

    def __init__(self, settings: EncoderSettings, n_mels: int, frames: int) -> None:
        super().__init__()

        def scaled(channels: int) -> int:
            return max(4, round(channels * settings.width))

        self.embedding_size = scaled(LAST)
        layers: list[nn.Module] = [
            _conv_norm(1, scaled(STEM), 3, stride=2),
            _conv_norm(scaled(STEM), scaled(WIDE), 3),
        ]
        channels = scaled(WIDE)
        for expansion, width, repetitions, first_stride in BLOCKS:
            for repetition in range(repetitions):
                stride = first_stride if repetition == 0 else 1
                layers.append(InvertedResidual(channels, scaled(width), expansion, stride))
                channels = scaled(width)
        self.features = nn.Sequential(*layers, _conv_norm(channels, self.embedding_size, 1))
        self.pool = GlobalDepthwise(self.embedding_size, _reduced(n_mels), _reduced(frames))

    def forward(self, mels: Tensor) -> Tensor:
        """Return the embeddings `(crop, embedding_size)` of crops `(crop, 1, mel, frame)`."""
        pooled: Tensor = self.pool(self.features(mels))
        return pooled.flatten(1)


class InvertedResidual(nn.Module):
    """Expand 1×1, filter each channel 3×3, project 1×1; add the input where shapes allow."""

    def __init__(self, inputs: int, outputs: int, expansion: int, stride: int) -> None:
        super().__init__()
        hidden = inputs * expansion
        expand = [_conv_norm(inputs, hidden, 1)] if expansion > 1 else []
        self.layers = nn.Sequential(
            *expand,
            _conv_norm(hidden, hidden, 3, stride=stride, groups=hidden),
            nn.Conv2d(hidden, outputs, 1, bias=False),
            nn.BatchNorm2d(outputs),
        )
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Return `(crop, outputs, height / stride, width / stride)`."""
        y: Tensor = self.layers(x)
        return x + y if self.residual else y


class GlobalDepthwise(nn.Sequential):
    """Learned pooling: a depthwise convolution as large as the map, ReLU6, depthwise 1×1."""

    def __init__(self, channels: int, height: int, width: int) -> None:
        super().__init__(
            nn.Conv2d(channels, channels, (height, width), groups=channels, bias=False),
            nn.ReLU6(inplace=True),
            nn.Conv2d(channels, channels, 1, groups=channels, bias=False),
        )


def _conv_norm(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU6(inplace=True),
    )


def _reduced(size: int) -> int:
    if size < 1:
        raise InputError("input.crop_seconds: a crop must hold at least one frame; make it longer")
    return math.ceil(size / DOWNSAMPLING)
