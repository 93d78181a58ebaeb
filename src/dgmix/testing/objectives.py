"""What every objective must do."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from dgmix.config import FinetuneSettings
from dgmix.model.batch import Batch
from dgmix.testing.claims import require

SIZE, CLASSES = 6, 2


def check_objective(given: Any, settings: Any = None) -> None:
    """Raise `AssertionError` unless what is given can be plugged in as an objective.

    It is called with settings (`FinetuneSettings` by default), the size of embeddings and the
    number of classes, and returns a module that satisfies `dgmix.model.objectives.Objective`.
    """
    with torch.random.fork_rng(devices=[]):
        for crops in (4, 10):
            torch.manual_seed(0)
            objective = given(settings or FinetuneSettings(), SIZE, CLASSES)
            encoder = nn.Sequential(nn.Flatten(), nn.Linear(6, SIZE))
            outcome = objective(encoder, _batch(crops))
            require(outcome.loss.shape == (), f"its loss has shape {tuple(outcome.loss.shape)}")
            require(torch.isfinite(outcome.loss), "its loss is not a finite number")
            _check_terms(outcome, crops)
            outcome.loss.backward()
            named = [*encoder.named_parameters("encoder"), *objective.named_parameters()]
            for name, parameter in named:
                require(parameter.grad is not None, f"{name} has no effect on the loss")
                require(
                    torch.isfinite(parameter.grad).all(), f"the gradient of {name} is not finite"
                )


def _batch(crops: int) -> Batch:
    torch.manual_seed(1)
    return Batch(torch.randn(crops, 1, 2, 3), torch.arange(crops) % 2, torch.rand(crops // 2))


def _check_terms(outcome: Any, crops: int) -> None:
    require(outcome.terms, "it names no terms of its loss")
    for name, term in outcome.terms.items():
        require(term.shape == (), f"its term {name} has shape {tuple(term.shape)}, not ()")
    rows, size = outcome.embedding.shape
    require(size == SIZE and rows in (crops, crops // 2), "it shows no embeddings (crop, dim)")
