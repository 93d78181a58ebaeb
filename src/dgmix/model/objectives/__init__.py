"""Objectives: what training makes small.

To add one, write a file with an `nn.Module` that satisfies `Objective`, put it in `OBJECTIVES` and,
for fine-tuning, add its name to `FinetuneSettings`; the contract test over all picks it up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from torch import Tensor, nn

from dgmix.model.batch import Batch, Outcome
from dgmix.model.objectives.adacos import SubclusterAdaCos
from dgmix.model.objectives.dgmix import DGMix
from dgmix.model.objectives.sections import MixedSections


class Objective(Protocol):
    """An `nn.Module` that holds its own heads."""

    def __call__(self, encoder: Callable[[Tensor], Tensor], batch: Batch) -> Outcome:
        """Return the loss of a batch with its terms by name."""
        ...


OBJECTIVES: dict[str, Callable[[Any, int, int], nn.Module]] = {
    "dgmix": lambda settings, size, _classes: DGMix(settings, size),
    "sections": MixedSections,
    "adacos": SubclusterAdaCos,
}


def build_objective(stage: str, settings: Any, embedding_size: int, classes: int) -> nn.Module:
    """Return the objective of a training stage, with freshly initialised heads.

    Pre-training is DG-Mix; fine-tuning has the objective that its settings name.
    """
    name = "dgmix" if stage == "pretrain" else settings.objective
    return OBJECTIVES[name](settings, embedding_size, classes)
