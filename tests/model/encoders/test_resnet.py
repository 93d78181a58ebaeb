"""The residual network: its size, its blocks, and how it pools over time."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from dgmix.config import EncoderSettings
from dgmix.errors import InputError
from dgmix.model.encoders.resnet import ResidualBlock, ResNet, statistics_over_time


def encoder(bands: int = 64, width: float = 0.25) -> ResNet:
    torch.manual_seed(0)
    return ResNet(EncoderSettings(name="resnet", width=width), bands, 63)


def test_size_of_the_standard_network() -> None:
    network = encoder(128, 1.0)
    assert network.embedding_size == 128
    kernels = [m.weight for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert sum(len(kernel) for kernel in kernels if kernel.shape[2] == 3) == 4 * (
        16 + 32 + 64 + 128
    )
    assert network.embed.in_features == 2 * 128 * 4


@pytest.mark.parametrize(("bands", "frames"), [(33, 1), (64, 2), (100, 63), (128, 313)])
def test_any_length_and_any_number_of_bands(bands: int, frames: int) -> None:
    embedding = encoder(bands).eval()(torch.randn(2, 1, bands, frames))
    assert embedding.shape == (2, 32)
    assert embedding.isfinite().all()


def test_a_block_equals_its_plain_formula() -> None:
    """x + conv(relu(norm(conv(relu(norm(x)))))), and the input is not overwritten."""
    torch.manual_seed(0)
    block = ResidualBlock(3, 3, 1).eval()
    norms = [m for m in block.modules() if isinstance(m, nn.BatchNorm2d)]
    kernels = [m for m in block.modules() if isinstance(m, nn.Conv2d)]
    for norm in norms:
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
    x = torch.randn(2, 3, 5, 7)
    kept = expected = x.clone()
    for norm, kernel in zip(norms, kernels, strict=True):
        expected = torch.conv2d(norm(expected).relu(), kernel.weight, padding=1)
    torch.testing.assert_close(block(x), kept + expected)
    assert torch.equal(x, kept)


def test_a_block_of_another_shape_has_a_shortcut() -> None:
    block = ResidualBlock(3, 5, 2).eval()
    x = torch.randn(2, 3, 6, 8)
    assert block(x).shape == (2, 5, 3, 4)
    for layer in block.layers:
        if isinstance(layer, nn.Conv2d):
            nn.init.zeros_(layer.weight)
    torch.testing.assert_close(block(x), block.shortcut(x))


def maps() -> Tensor:
    return torch.randn(2, 3, 4, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float32)


def test_statistics_over_time_are_mean_and_deviation() -> None:
    statistics = statistics_over_time(maps()).view(2, 2, 3, 4)
    torch.testing.assert_close(statistics[:, 0], maps().mean(3))
    torch.testing.assert_close(statistics[:, 1], maps().std(3, correction=0), atol=1e-4, rtol=1e-4)


def test_when_something_happens_does_not_matter_to_them() -> None:
    later = maps().roll(17, 3)
    torch.testing.assert_close(statistics_over_time(later), statistics_over_time(maps()))


def test_silence_has_a_finite_slope() -> None:
    silent = torch.zeros(2, 3, 4, 5, requires_grad=True)
    statistics_over_time(silent).sum().backward()
    assert silent.grad.isfinite().all()


def test_an_empty_crop_is_refused() -> None:
    with pytest.raises(InputError, match="crop_seconds"):
        ResNet(EncoderSettings(name="resnet"), 128, 0)
