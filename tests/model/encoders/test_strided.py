"""Strided convolutions: what they compute, and that they stay inside of their memory."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from torch import nn
from torch.nn import functional

from dgmix.config import EncoderSettings
from dgmix.model.encoders import ENCODERS, build_encoder
from dgmix.model.encoders.strided import StridedPointwise, thinned

LEARN = """
import torch
from dgmix.config import EncoderSettings
from dgmix.model.encoders import build_encoder

for name, width in {widths}:
    encoder = build_encoder(EncoderSettings(name=name, width=width), 32, 16)
    encoder.to(memory_format=torch.channels_last)
    for _ in range(3):
        encoder(torch.randn(8, 1, 32, 16)).square().sum().backward()
"""
WIDTHS = [
    (name, width)
    for width in (0.25, 0.3)
    for name in ("mobilenetv2", "light", "temporal", "statistics", "resnet")
] + [("aisfx", 0.05), ("beats", 1 / 12), ("eat", 1 / 12)]


@pytest.mark.parametrize("size", [(8, 6), (7, 5), (1, 2)])
@pytest.mark.parametrize("channels", [1, 3, 8])
def test_a_thinned_convolution_and_its_gradients_are_those_of_the_strided_one(
    size: tuple[int, int], channels: int
) -> None:
    """Small whole numbers have no rounding: all must be equal."""
    layer = StridedPointwise(channels, 5, 2)
    with torch.no_grad():
        layer.weight.copy_(torch.randint(-2, 3, layer.weight.shape))
    gradients = []
    for convolve in (layer, lambda x: functional.conv2d(x, layer.weight, stride=2)):
        x = torch.arange(2 * channels * size[0] * size[1]) % 5 - 2.0
        x = x.view(2, channels, *size).requires_grad_()
        layer.zero_grad()
        y = convolve(x)
        (y * (torch.arange(y.numel()).view_as(y) % 3)).sum().backward()
        gradients.append([y.detach(), x.grad, layer.weight.grad])
    for ours, plain in zip(*gradients, strict=True):
        assert ours is not None
        assert torch.equal(ours, plain)


def test_thinning_keeps_the_layout() -> None:
    x = torch.randn(2, 8, 6, 5).to(memory_format=torch.channels_last).requires_grad_()
    y = thinned(x, (2, 3))
    assert torch.equal(y, x[:, :, ::2, ::3])
    assert y.is_contiguous(memory_format=torch.channels_last)
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("instructions", ["AVX2", "SSE41"])
def test_narrow_encoders_learn_on_older_processors(instructions: str) -> None:
    """oneDNN, limited to their instructions, under an allocator that checks what is written."""
    checked = {
        "ONEDNN_MAX_CPU_ISA": instructions,
        "LD_PRELOAD": "libc_malloc_debug.so.0",  # of the GNU C library; elsewhere left out
        "GLIBC_TUNABLES": "glibc.malloc.check=3",
    }
    done = subprocess.run(
        [sys.executable, "-c", LEARN.format(widths=WIDTHS)],
        env={**os.environ, **checked},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr


def test_no_encoder_has_a_strided_pointwise_convolution_of_its_own() -> None:
    for name in ENCODERS:
        width = 1 / 12 if name in ("beats", "eat") else 1.0
        encoder = build_encoder(EncoderSettings(name=name, width=width), 128, 64, samples=16_000)
        for layer in encoder.modules():
            if isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1):
                assert layer.stride == (1, 1), name
