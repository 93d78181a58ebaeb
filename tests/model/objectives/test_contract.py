"""What every objective must do."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from dgmix.config import FinetuneSettings, PretrainSettings
from dgmix.model.batch import Batch
from dgmix.model.objectives import OBJECTIVES, build_objective


@pytest.fixture(params=["dgmix", *OBJECTIVES])
def objective(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    if request.param == "dgmix":
        return build_objective("pretrain", PretrainSettings(), 6, 2)
    return build_objective("finetune", FinetuneSettings(objective=request.param), 6, 2)


def batch(crops: int) -> Batch:
    torch.manual_seed(1)
    return Batch(torch.randn(crops, 1, 2, 3), torch.arange(crops) % 2, torch.rand(crops // 2))


@pytest.mark.parametrize("crops", [4, 10])
def test_loss_is_finite_and_trains_encoder_and_heads(objective: nn.Module, crops: int) -> None:
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(6, 6))
    outcome = objective(encoder, batch(crops))
    outcome.loss.backward()
    assert torch.isfinite(outcome.loss)
    trained = [*encoder.parameters(), *objective.parameters()]
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in trained)


def test_terms_are_named_scalars_and_embeddings_are_shown(objective: nn.Module) -> None:
    outcome = objective(nn.Flatten(), batch(8))
    assert {"geometric", "error"} & set(outcome.terms)
    assert all(term.shape == () for term in outcome.terms.values())
    assert outcome.embedding.shape == (8, 6)
