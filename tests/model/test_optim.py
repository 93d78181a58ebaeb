"""LARS against an independent implementation; the learning-rate curve."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pytorch_optimizer import LARS
from torch import nn

from dgmix.config import AdamWSettings, FinetuneSettings, LarsSettings, PretrainSettings
from dgmix.model.optim import Lars, build_optimizer, learning_rate, peak_learning_rate


def layers() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(16, 3))


def descend(network: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> None:
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        loss = network(torch.randn(8, 2, 4, 4, generator=generator)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("weight_decay", [0.0, 1e-2])
def test_equals_pytorch_optimizer_step_for_step(momentum: float, weight_decay: float) -> None:
    chosen = LarsSettings(lr=0.5, lr_batch_size=64, momentum=momentum, weight_decay=weight_decay)
    ours, theirs = layers(), layers()
    settings = PretrainSettings(optimizer=chosen)
    mine = build_optimizer(settings, [ours])
    oracle = LARS(
        theirs.parameters(), lr=0.5, momentum=momentum, weight_decay=weight_decay, foreach=False
    )
    for _ in range(5):
        descend(ours, mine, 1)
        descend(theirs, oracle, 1)
        for one, two in zip(ours.parameters(), theirs.parameters(), strict=True):
            torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("chosen", [LarsSettings(lr=0.1), AdamWSettings()])
def test_biases_and_norms_have_no_weight_decay_and_no_trust_ratio(
    chosen: LarsSettings | AdamWSettings,
) -> None:
    network = layers()
    optimizer = build_optimizer(PretrainSettings(optimizer=chosen), [network])
    adapted, plain = optimizer.param_groups
    assert {p.shape for p in plain["params"]} == {(4,), (3,)}
    assert len(plain["params"]) == 4
    assert plain["weight_decay"] == 0
    assert adapted["weight_decay"] == 1e-4
    if isinstance(optimizer, Lars):
        assert adapted["adapt"]
        assert not plain["adapt"]


def test_a_bias_takes_the_plain_step() -> None:
    bias = nn.Parameter(torch.tensor([1.0, 2.0]))
    network = nn.Module()
    network.bias = bias
    chosen = LarsSettings(lr=0.1, momentum=0.0, weight_decay=0.5)
    optimizer = build_optimizer(PretrainSettings(optimizer=chosen), [network])
    bias.grad = torch.tensor([3.0, -4.0])
    optimizer.step()
    torch.testing.assert_close(bias.data, torch.tensor([1.0 - 0.3, 2.0 + 0.4]))


def test_a_zero_weight_can_leave_zero() -> None:
    weight = nn.Parameter(torch.zeros(2, 2))
    optimizer = Lars([weight], lr=0.1, momentum=0.0, weight_decay=0.0, trust=0.001)
    weight.grad = torch.ones(2, 2)
    optimizer.step()
    torch.testing.assert_close(weight.data, torch.full((2, 2), -0.1))


def test_the_rate_is_scaled_by_the_batch_size() -> None:
    settings = PretrainSettings(optimizer=LarsSettings(lr=0.8, lr_batch_size=2048), batch_size=64)
    assert peak_learning_rate(settings) == pytest.approx(0.025)


def test_the_curve_of_the_published_schedule() -> None:
    settings = PretrainSettings(
        optimizer=LarsSettings(lr=0.8, lr_batch_size=2048), batch_size=2048, warmup=0.1
    )
    rates = [learning_rate(step, 100, settings) for step in range(100)]
    assert rates[:10] == pytest.approx([0.08 * (step + 1) for step in range(10)])
    assert rates[54] == pytest.approx((0.8 + 0.002) / 2)
    assert rates[-1] == pytest.approx(0.002)
    assert rates[9:] == sorted(rates[9:], reverse=True)


@given(steps=st.integers(1, 400), warmup=st.floats(0, 0.99), final=st.floats(0, 1))
def test_the_rate_never_passes_its_bounds(steps: int, warmup: float, final: float) -> None:
    settings = FinetuneSettings(warmup=warmup, final_lr=final)
    rates = [learning_rate(step, steps, settings) for step in range(steps)]
    assert max(rates) <= peak_learning_rate(settings) * (1 + 1e-12)
    assert all(rate > 0 for rate in rates[:-1])
    assert rates[-1] >= 0
