"""Convolutions with a stride, in the form that every processor computes rightly and quickly."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class StridedPointwise(nn.Conv2d):
    """A 1×1 convolution with a stride, of the positions that the stride leaves.

    oneDNN (v3.12 and before) computes the weights' gradient of the strided one outside of its
    memory where a processor has AVX2 alone and there are fewer than eight input channels.
    """

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__(inputs, outputs, 1, bias=False)
        self.thinning = stride

    def forward(self, x: Tensor) -> Tensor:
        """Return `(crop, channels, height / stride, width / stride)`."""
        return super().forward(thinned(x, (self.thinning, self.thinning)))


class StridedDepthwise(nn.Conv2d):
    """A depthwise convolution with a stride, thinned after it where bfloat16 computes on a CPU.

    oneDNN has no fast gradient for the strided one in that type; for all positions it has.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return `(crop, channels, height / stride, width / stride)`."""
        if x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return super().forward(x)
        everywhere = functional.conv2d(x, self.weight, padding=self.padding, groups=self.groups)
        return thinned(everywhere, self.stride)


def thinned(x: Tensor, stride: tuple[int, ...]) -> Tensor:
    """Return every `stride`-th row and column of `(crop, channel, row, column)`.

    As a mean over one value each: unlike a slice, it and its gradient stay channels_last.
    """
    return functional.avg_pool2d(x, 1, stride)
