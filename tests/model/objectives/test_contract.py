"""What every objective must do."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from dgmix.config import PretrainSettings
from dgmix.model.batch import Batch, Outcome
from dgmix.model.objectives import OBJECTIVES
from dgmix.model.objectives.dgmix import DGMix
from dgmix.testing import check_objective


@pytest.mark.parametrize("name", OBJECTIVES)
def test_keeps_the_contract(name: str) -> None:
    check_objective(OBJECTIVES[name])


def test_pre_training_keeps_the_contract() -> None:
    check_objective(lambda settings, size, _: DGMix(settings, size), PretrainSettings())


class Forgetful(nn.Module):
    """An objective whose head has no effect."""

    def __init__(self, _: Any, size: int, classes: int) -> None:
        super().__init__()
        self.head = nn.Linear(size, classes)

    def forward(self, encoder: Any, batch: Batch) -> Outcome:
        embedding = encoder(batch.inputs)
        return Outcome(embedding.square().mean(), {"size": embedding.mean()}, embedding)


def test_a_fault_is_met_by_a_sentence() -> None:
    with pytest.raises(AssertionError, match=r"head.weight has no effect on the loss"):
        check_objective(Forgetful)
