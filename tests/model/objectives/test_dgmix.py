"""The objective equals a plain transcription of the published formula (DESIGN §1.3)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from dgmix.config import PretrainSettings
from dgmix.model.batch import Batch
from dgmix.model.objectives.dgmix import (
    DGMix,
    covariance_term,
    geometric_term,
    variance_term,
)


def transcription(
    z_x: np.ndarray, z_y: np.ndarray, z_m: np.ndarray, lam: np.ndarray
) -> dict[str, float]:
    """The formula of DESIGN §1.3, term by term, in loops."""
    pairs, dims = z_x.shape
    geometric = sum(
        (z_m[p, d] - (lam[p] * z_x[p, d] + (1 - lam[p]) * z_y[p, d])) ** 2
        for p in range(pairs)
        for d in range(dims)
    ) / (pairs * dims)
    variance = covariance = 0.0
    for z in (z_x, z_y):
        means = [sum(z[:, d]) / pairs for d in range(dims)]
        cov = [
            [
                sum((z[p, i] - means[i]) * (z[p, j] - means[j]) for p in range(pairs)) / (pairs - 1)
                for j in range(dims)
            ]
            for i in range(dims)
        ]
        hinges = [max(0.0, 1 - math.sqrt(cov[d][d] + 1e-4)) for d in range(dims)]
        variance += 0.5 * sum(hinges) / dims
        covariance += sum(cov[i][j] ** 2 for i in range(dims) for j in range(dims) if i != j) / dims
    return {
        "geometric": geometric,
        "variance": variance,
        "covariance": covariance,
        "loss": 25 * geometric + 25 * variance + covariance,
    }


class Linear(nn.Module):
    """An encoder without bias, for which mixing before and after are the same."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.layer = nn.Linear(inputs, outputs, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.layer(x.flatten(1))


def batch(pairs: int, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return Batch(
        torch.randn(2 * pairs, 1, 4, 3, generator=generator, dtype=torch.float64),
        torch.zeros(2 * pairs, dtype=torch.int64),
        torch.rand(pairs, generator=generator, dtype=torch.float64),
    )


def objective(projector: list[int], **changes: object) -> DGMix:
    torch.manual_seed(0)
    return DGMix(PretrainSettings(projector=projector, **changes), 5).double()


@pytest.mark.parametrize(("pairs", "dims"), [(2, 7), (6, 4), (16, 16), (9, 33)])
def test_equals_the_plain_transcription(pairs: int, dims: int) -> None:
    torch.manual_seed(1)
    encoder, dgmix = Linear(12, 5).double(), objective([8, dims])
    given = batch(pairs)
    outcome = dgmix(lambda x: encoder(x).square(), given)
    z = outcome.projection.detach().numpy()
    mixed = dgmix.projector(encoder(given.mixed()).square()).detach().numpy()
    expected = transcription(z[:pairs], z[pairs:], mixed, given.weights.numpy())
    terms = {name: term.item() for name, term in outcome.terms.items()} | {
        "loss": outcome.loss.item()
    }
    assert terms.keys() == expected.keys()
    for name, value in expected.items():
        assert terms[name] == pytest.approx(value, rel=1e-12, abs=1e-12), name


def test_the_geometric_term_is_zero_for_a_linear_encoder() -> None:
    encoder, dgmix = Linear(12, 5).double(), objective([8])
    dgmix.projector = nn.Identity()
    assert dgmix(encoder, batch(8)).terms["geometric"].item() < 1e-28


@settings(deadline=None, max_examples=30)
@given(pairs=st.integers(2, 12), seed=st.integers(0, 1000))
def test_unchanged_when_the_halves_and_their_weights_are_swapped(pairs: int, seed: int) -> None:
    torch.manual_seed(seed)
    encoder, dgmix = Linear(12, 5).double(), objective([8, 8])
    one = batch(pairs, seed)
    two = Batch(one.inputs.roll(pairs, 0), one.classes, 1 - one.weights)
    torch.testing.assert_close(
        dgmix(encoder, one).loss, dgmix(encoder, two).loss, rtol=1e-12, atol=1e-12
    )


def test_summing_over_dimensions_is_an_option() -> None:
    z, mixed, weights = torch.randn(8, 5), torch.randn(4, 5), torch.rand(4)
    mean = geometric_term(mixed, z, weights)
    torch.testing.assert_close(geometric_term(mixed, z, weights, "sum"), 5 * mean)


def test_variance_is_one_when_collapsed_and_zero_when_spread() -> None:
    assert variance_term(torch.ones(6, 3)).item() == pytest.approx(1 - 0.01)
    assert variance_term(10 * torch.randn(50, 3)).item() == 0


def test_covariance_is_zero_for_uncorrelated_dimensions() -> None:
    z = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert covariance_term(z).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize("term", ["geometric", "variance", "covariance"])
def test_each_weight_scales_its_own_term(term: str) -> None:
    encoder, given = Linear(12, 5).double(), batch(8)
    once = objective([8, 8])(encoder, given)
    without = objective([8, 8], **{term: 0.0})(encoder, given)
    weight = getattr(PretrainSettings(), term)
    assert (once.loss - without.loss).item() == pytest.approx(weight * once.terms[term].item())
