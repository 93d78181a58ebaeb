"""Training in bfloat16: chosen where it pays, close to float32, and gone afterwards."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from dgmix.config import EncoderSettings, Recipe
from dgmix.model import precision
from dgmix.model.batch import Batch
from dgmix.model.distributed import ALONE
from dgmix.model.encoders import build_encoder
from dgmix.model.encoders.strided import StridedDepthwise
from dgmix.model.joint import _normalize
from dgmix.model.network import build_network
from dgmix.model.objectives import build_objective
from dgmix.model.precision import computing_in, multiplies_bfloat16, training_dtype

HERE = torch.device("cpu")


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


class Bearing(nn.Linear):
    trains_in_bfloat16 = True


@pytest.mark.parametrize("native", [True, False])
def test_auto_is_bfloat16_where_hardware_and_encoder_bear_it(
    native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda _: native)
    wanted = torch.bfloat16 if native else torch.float32
    assert training_dtype("auto", Bearing(1, 1), HERE) == wanted
    assert training_dtype("auto", nn.Linear(1, 1), HERE) == torch.float32
    assert training_dtype("bfloat16", nn.Linear(1, 1), HERE) == torch.bfloat16
    assert training_dtype("float32", Bearing(1, 1), HERE) == torch.float32


def test_maps_of_one_frame_are_in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "multiplies_bfloat16", lambda _: True)
    for frames, wanted in ((32, torch.float32), (33, torch.bfloat16)):
        encoder = build_encoder(EncoderSettings(name="resnet"), 64, frames)
        assert training_dtype("auto", encoder, HERE) == wanted
        narrowest = encoder.get_submodule("blocks")(
            encoder.get_submodule("stem")(torch.zeros(2, 1, 64, frames))
        )
        assert (narrowest.shape[3] > 1) == (wanted == torch.bfloat16)


@pytest.mark.parametrize(
    ("features", "native"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, True),
        ({"amx_bf16": True}, True),
        ({"avx512_f": True, "avx512_bf16": False}, False),
        ({}, False),
    ],
)
def test_a_processor_tells_whether_it_has_instructions_for_it(
    features: dict[str, bool], native: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: features)
    assert multiplies_bfloat16(HERE) is native


def test_modules_compute_in_it_and_are_themselves_again_afterwards() -> None:
    layer, x = nn.Linear(300, 2), torch.randn(5, 300)
    exact = layer(x)
    with computing_in(torch.bfloat16, [layer]):
        rounded = layer(x)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(rounded, functional.linear(x, layer.weight, layer.bias).float())
    assert rounded.dtype == layer.weight.dtype == torch.float32
    assert not torch.equal(rounded, exact)
    assert torch.equal(layer(x), exact)
    with computing_in(torch.float32, [layer]):
        assert torch.equal(layer(x), exact)


@pytest.mark.parametrize("size", [(8, 6), (7, 5), (1, 2)])
def test_a_strided_convolution_and_its_gradients_are_the_same_when_thinned(
    size: tuple[int, int],
) -> None:
    """Small whole numbers have no rounding in any type: all must be equal."""
    layer = StridedDepthwise(4, 4, 3, 2, 1, groups=4, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.randint(-2, 3, layer.weight.shape))
    x = torch.randint(-2, 3, (2, 4, *size)).float()
    gradients = []
    for dtype in (torch.float32, torch.bfloat16):
        x = x.detach().requires_grad_()
        layer.zero_grad()
        with computing_in(dtype, [layer]):
            y = layer(x)
        (y * (torch.arange(y.numel()).view_as(y) % 3)).sum().backward()
        gradients.append([y.detach(), x.grad, layer.weight.grad])
    for exact, thinned in zip(*gradients, strict=True):
        assert exact is not None
        assert torch.equal(exact, thinned)


def test_the_loss_is_that_of_float32_up_to_rounding(tiny: Recipe) -> None:
    batch = Batch(torch.randn(32, 1, 32, 16), torch.zeros(32, dtype=torch.long), torch.rand(16))
    network = build_network(tiny, 0).train()
    objective = build_objective("pretrain", tiny.pretrain, network.embedding_size, 1)
    exact = objective(network.encoder, batch).loss
    with computing_in(torch.bfloat16, [network.encoder, *objective.children()]):
        rounded = objective(network.encoder, batch).loss
    assert rounded.dtype == torch.float32
    assert rounded != exact
    assert torch.isclose(rounded, exact, rtol=0.1)


def test_a_shared_batch_norm_takes_its_moments_in_float32() -> None:
    norm = nn.BatchNorm2d(3).train()
    x = (torch.randn(8, 3, 5, 5) + 100).bfloat16()
    joint = _normalize(norm, ALONE, x)
    assert joint.dtype == torch.bfloat16
    assert torch.allclose(joint.float(), nn.BatchNorm2d(3)(x.float()), atol=0.02)
