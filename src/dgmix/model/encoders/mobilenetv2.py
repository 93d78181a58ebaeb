"""The reduced MobileNetV2 of DG-Mix (Sandler et al. 2018, arXiv 1801.04381; DESIGN §1.2).

And a lighter one for CPUs, where the time goes into large maps: it halves the map once more at the
start and once less later, widens less inside its blocks and has fewer of them.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from dgmix.config import EncoderSettings
from dgmix.errors import InputError
from dgmix.model.encoders.strided import StridedDepthwise

BLOCKS = (  # expansion, channels, repetitions, stride of the first
    (1, 8, 1, 1),
    (6, 16, 2, 2),
    (6, 16, 3, 2),
    (6, 32, 4, 2),
    (6, 48, 3, 1),
    (6, 80, 3, 2),
    (6, 160, 1, 1),
)
LIGHT_BLOCKS = (
    (1, 16, 1, 1),
    (3, 16, 1, 1),
    (3, 32, 2, 2),
    (4, 48, 2, 2),
    (4, 80, 2, 2),
    (4, 160, 1, 1),
)
STEM, WIDE, LAST = 16, 32, 320
Blocks = tuple[tuple[int, int, int, int], ...]


class MobileNetV2(nn.Module):
    """(crop, 1, mel, frame) → (crop, 320) for the standard width.

    The published network sees the same spectrogram on three channels. One channel is the same
    function when its stem weights are spread like the sum of three (DESIGN §1.2), which torch's
    initialisation does of itself: its variance is 1 / (3 · fan-in), so that both have 1/27.
    """

    trains_in_bfloat16 = True
    stem_channels = 3  # of the published network

    def __init__(
        self,
        settings: EncoderSettings,
        n_mels: int,
        frames: int,
        blocks: Blocks = BLOCKS,
        second_stride: int = 1,
    ) -> None:
        super().__init__()
        downsampling = 2 * second_stride * math.prod(stride for *_, stride in blocks)

        def scaled(channels: int) -> int:
            return max(4, round(channels * settings.width))

        self.embedding_size = scaled(LAST)
        layers: list[nn.Module] = [
            _conv_norm(1, scaled(STEM), 3, stride=2),
            _conv_norm(scaled(STEM), scaled(WIDE), 3, second_stride),
        ]
        channels = scaled(WIDE)
        for expansion, width, repetitions, first_stride in blocks:
            for repetition in range(repetitions):
                stride = first_stride if repetition == 0 else 1
                layers.append(InvertedResidual(channels, scaled(width), expansion, stride))
                channels = scaled(width)
        self.features = nn.Sequential(*layers, _conv_norm(channels, self.embedding_size, 1))
        size = [_reduced(length, downsampling) for length in (n_mels, frames)]
        self.pool = GlobalDepthwise(self.embedding_size, *size)

    def segments(self) -> list[nn.Module]:
        """Return the parts that are computed one after another."""
        return list(self.features)

    def forward(self, mels: Tensor) -> Tensor:
        """Return the embeddings `(crop, embedding_size)` of crops `(crop, 1, mel, frame)`."""
        pooled: Tensor = self.pool(self.features(mels))
        return pooled.flatten(1)


def light(settings: EncoderSettings, n_mels: int, frames: int) -> MobileNetV2:
    """Return the light encoder: half the weights, less than half the time (docs/decisions/0010)."""
    return MobileNetV2(settings, n_mels, frames, LIGHT_BLOCKS, second_stride=2)


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
            ReLU6(),
            nn.Conv2d(channels, channels, 1, groups=channels, bias=False),
        )


class ReLU6(nn.ReLU6):
    """ReLU6 that overwrites its input and remembers its output alone, to the bit like torch's.

    torch's keeps a copy of what it overwrites. The output, which the next layer keeps anyway,
    says as well where the slope is 1: strictly between 0 and 6.
    """

    def __init__(self) -> None:
        super().__init__(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """Return `x`, limited to [0, 6] in place."""
        if torch.is_grad_enabled() and x.requires_grad:
            limited: Tensor = _Limit.apply(x)  # type: ignore[no-untyped-call]
            return limited
        return super().forward(x)


class _Limit(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.mark_dirty(x.clamp_(0, 6))
        ctx.save_for_backward(x)
        return x

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        limited: Tensor = torch.ops.aten.hardtanh_backward(grad, *ctx.saved_tensors, 0.0, 6.0)
        return limited


def _conv_norm(
    inputs: int, outputs: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    kind = StridedDepthwise if groups > 1 and stride > 1 else nn.Conv2d
    return nn.Sequential(
        kind(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs),
        ReLU6(),
    )


def _reduced(size: int, downsampling: int) -> int:
    if size < 1:
        raise InputError("input.crop_seconds: a crop must hold at least one frame; make it longer")
    return math.ceil(size / downsampling)
