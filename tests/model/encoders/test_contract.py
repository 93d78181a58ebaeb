"""What every encoder must do, and the size that the published one has."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from dgmix.config import EncoderSettings, InputSettings, Recipe
from dgmix.errors import InputError
from dgmix.model.encoders import ENCODERS, build_encoder
from dgmix.model.encoders.mobilenetv2 import ReLU6
from dgmix.model.network import build_network
from dgmix.testing import check_encoder

FRAMES = 64  # whole patches, of which one encoder is made
SAMPLES = 8192
WIDTHS = {"aisfx": 0.25, "beats": 1 / 12, "eat": 1 / 12, "spectra": 0.25}  # that would take long


@pytest.fixture(params=ENCODERS)
def encoder(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    settings = EncoderSettings(name=request.param, width=WIDTHS.get(request.param, 1.0))
    return build_encoder(settings, 128, FRAMES, samples=SAMPLES)


def crops_of(encoder: nn.Module, count: int) -> torch.Tensor:
    signal = getattr(encoder, "takes", "mel") == "waveform"
    return torch.randn((count, SAMPLES) if signal else (count, 1, 128, FRAMES))


@pytest.mark.parametrize("name", ENCODERS)
def test_can_be_plugged_in(name: str) -> None:
    own: Any = ENCODERS[name]
    made = own if isinstance(own, type) else type(name, (), {"__new__": lambda _, *of: own(*of)})
    check_encoder(made, EncoderSettings(width=WIDTHS.get(name, 1.0)), frames=FRAMES)


@torch.inference_mode()
def test_can_be_exported_for_any_number_of_crops(encoder: nn.Module) -> None:
    crops = crops_of(encoder, 3)
    number = {0: torch.export.Dim("crop", min=1, max=64)}
    program = torch.export.export(encoder.eval(), (crops[:2],), dynamic_shapes=(number,))
    torch.testing.assert_close(program.module()(crops), encoder(crops))


def test_untrained_embeddings_differ_between_crops(encoder: nn.Module) -> None:
    embedding = encoder.train()(crops_of(encoder, 16))
    assert embedding.std(0).mean() > 0.05


def test_size_of_the_published_encoder() -> None:
    encoder = build_encoder(EncoderSettings(), 128, 63)
    assert encoder.embedding_size == 320
    assert sum(p.numel() for p in encoder.parameters()) == 539_728
    assert encoder.pool[0].kernel_size == (4, 2)


def test_the_light_encoder_is_half_as_large() -> None:
    encoder = build_encoder(EncoderSettings(name="light"), 128, 63)
    assert encoder.embedding_size == 320
    assert sum(p.numel() for p in encoder.parameters()) == 270_160
    assert encoder.pool[0].kernel_size == (4, 2)


def test_relu6_equals_torch_s_to_the_bit_and_takes_its_input_over() -> None:
    values = 10 * torch.randn(4, 3, 8, 8)
    values[0] = torch.tensor([0.0, 6.0, -0.0])[:, None, None]
    outcomes = []
    for activation in (ReLU6(), nn.ReLU6()):
        x = values.clone().requires_grad_()
        taken = x * 1
        y = activation(taken)
        (y * torch.linspace(-1, 1, 8)).square().sum().backward()
        outcomes.append((y.detach(), x.grad))
        assert (y.data_ptr() == taken.data_ptr()) == isinstance(activation, ReLU6)
    assert all(torch.equal(one, two) for one, two in zip(*outcomes, strict=True))


def test_one_channel_is_three_that_hear_the_same() -> None:
    torch.manual_seed(0)
    ours = build_encoder(EncoderSettings(), 128, 63).features[0][0].weight
    theirs = nn.Conv2d(3, 1000, 3, bias=False).weight.sum(1)
    assert ours.std().item() == pytest.approx(theirs.std().item(), rel=0.15)


@pytest.mark.parametrize(("bands", "seconds"), [(64, 1.0), (128, 2.0), (96, 3.3)])
def test_other_input_sizes(bands: int, seconds: float) -> None:
    recipe = Recipe.model_validate(
        {"features": {"n_mels": bands}, "input": InputSettings(crop_seconds=seconds)}
    )
    network = build_network(recipe, 0).eval()
    assert network(torch.rand(2, network.crop_frames, bands)).shape == (2, 320)


def test_two_second_crops_have_63_frames() -> None:
    assert build_network(Recipe(), 0).crop_frames == 63


def test_an_empty_crop_is_refused() -> None:
    with pytest.raises(InputError, match="crop_seconds"):
        build_encoder(EncoderSettings(), 128, 0)


@pytest.mark.parametrize(("name", "least"), [("aisfx", 8), ("beats", 16), ("eat", 16)])
def test_a_crop_too_small_to_be_pooled_is_refused(name: str, least: int) -> None:
    settings = EncoderSettings(name=name, width=0.1)
    for setting, size in (("crop_seconds", (128, least - 1)), ("n_mels", (least - 1, 128))):
        sentence = rf"{setting}: encoder '{name}' needs crops of .*, not {least - 1}; raise it"
        with pytest.raises(InputError, match=sentence):
            build_encoder(settings, *size)
    smallest = build_encoder(settings, least, least).eval()
    assert smallest(torch.zeros(1, 1, least, least)).isfinite().all()
