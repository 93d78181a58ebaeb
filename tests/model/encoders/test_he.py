"""He's normal first weights over the fan-out."""

from __future__ import annotations

import math

import torch
from torch import nn

from dgmix.config import EncoderSettings, load_recipe
from dgmix.model.encoders import build_encoder
from dgmix.model.network import build_network


def convolutions(name: str, init: str = "he-fan-out") -> list[nn.Conv2d]:
    torch.manual_seed(0)
    encoder = build_encoder(EncoderSettings(name=name, init=init), 128, 63)
    return [m for m in encoder.modules() if isinstance(m, nn.Conv2d)]


def test_weights_are_spread_by_the_formula_of_the_reproduction() -> None:
    """sqrt(2 / (height · width · outputs)), also of depthwise ones; a sum of three at the stem."""
    stem, *others = convolutions("mobilenetv2")
    for layer, factor in [(stem, math.sqrt(3)), *((each, 1.0) for each in others)]:
        height, width = layer.kernel_size
        expected = factor * math.sqrt(2 / (height * width * layer.out_channels))
        count = layer.weight.numel()
        standardised = layer.weight.detach() / expected
        assert abs(float(standardised.mean())) < 5 / math.sqrt(count)  # five standard errors
        assert abs(float(standardised.square().mean()) - 1) < 5 * math.sqrt(2 / count)


def test_a_network_of_one_channel_keeps_its_stem() -> None:
    stem = convolutions("resnet")[0]
    assert abs(float(stem.weight.detach().square().mean()) * 49 * 16 / 2 - 1) < 5 * math.sqrt(
        2 / 784
    )


def test_they_come_from_the_seed() -> None:
    recipe = load_recipe("published")
    one, two, other = (build_network(recipe, seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(value, two[name]) for name, value in one.items())
    name = "encoder.features.0.0.weight"
    assert not torch.equal(one[name], other[name])
