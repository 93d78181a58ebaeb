"""The statistics encoder: plain statistics at first, and what its convolutions can change."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from dgmix.config import EncoderSettings
from dgmix.errors import InputError
from dgmix.model.encoders.statistics import Statistics, band_statistics


def crops(count: int = 3, bands: int = 5, frames: int = 20) -> Tensor:
    generator = np.random.default_rng(0)
    return torch.from_numpy(generator.normal(0, 3, (count, 1, bands, frames)).astype(np.float32))


def encoder(bands: int = 5, width: float = 1.0) -> Statistics:
    torch.manual_seed(0)
    return Statistics(EncoderSettings(name="statistics", width=width), bands, 20)


def test_untrained_it_gives_the_statistics_of_every_band() -> None:
    inputs = crops()
    levels = inputs[:, 0].double().numpy()
    change = np.sqrt((np.diff(levels, axis=2) ** 2).mean(2))
    expected = np.concatenate([levels.mean(2), levels.std(2), change], 1)
    embedding = encoder()(inputs).detach().numpy()
    np.testing.assert_allclose(embedding, expected, atol=1e-4)


def test_the_convolutions_learn_to_change_them() -> None:
    """One step moves the last convolution, the next one all of them."""
    network, inputs = encoder(), crops()
    optimizer = torch.optim.SGD(network.parameters(), 0.01)
    before = [parameter.clone() for parameter in network.parameters()]
    for _ in range(2):
        optimizer.zero_grad()
        network(inputs).square().mean().backward()
        optimizer.step()
    assert all(
        not torch.equal(new, old) for new, old in zip(network.parameters(), before, strict=True)
    )


@pytest.mark.parametrize("frames", [1, 2, 500])
def test_the_embedding_s_size_does_not_depend_on_the_length(frames: int) -> None:
    embedding = encoder()(crops(frames=frames))
    assert embedding.shape == (3, 15)
    assert torch.isfinite(embedding).all()


def test_silence_has_a_finite_slope() -> None:
    levels = torch.zeros(2, 3, 10, requires_grad=True)
    statistics = band_statistics(levels)
    assert statistics[:, 3:].detach().numpy() == pytest.approx(0.01)
    statistics.sum().backward()
    assert torch.isfinite(levels.grad).all()


def test_the_order_of_frames_matters_to_the_change_alone() -> None:
    levels = crops(frames=20)[:, 0]
    mixed = levels[:, :, torch.randperm(20, generator=torch.Generator().manual_seed(1))]
    one, other = band_statistics(levels), band_statistics(mixed)
    torch.testing.assert_close(one[:, :10], other[:, :10])
    assert (one[:, 10:] - other[:, 10:]).abs().min() > 1e-3


def test_width_widens_the_convolutions_alone() -> None:
    narrow, wide = encoder(), encoder(width=2.0)
    assert narrow.embedding_size == wide.embedding_size == 15
    assert wide.change[0].out_channels == 2 * narrow.change[0].out_channels


def test_an_empty_crop_is_refused() -> None:
    with pytest.raises(InputError, match="crop_seconds"):
        Statistics(EncoderSettings(name="statistics"), 5, 0)
