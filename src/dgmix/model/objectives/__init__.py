"""Objectives: what training makes small.

Pre-training is DG-Mix; fine-tuning has one of `OBJECTIVES`. To add one, write a file with an
`nn.Module` that satisfies `Objective`, and name it in `dgmix.plugins.OWN`; the contract test over
all picks it up. Objectives from outside are plugged in (docs/plugins.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from torch import Tensor, nn

from dgmix.model.batch import Batch, Outcome
from dgmix.model.objectives.dgmix import DGMix
from dgmix.plugins import NONE, Own, Plugins, made


class Objective(Protocol):
    """An `nn.Module` that holds its own heads."""

    def __call__(self, encoder: Callable[[Tensor], Tensor], batch: Batch) -> Outcome:
        """Return the loss of a batch with its terms by name."""
        ...


OBJECTIVES: Mapping[str, Callable[[Any, int, int], nn.Module]] = Own("objectives")


def needs_classes(stage: str, settings: Any, plugins: Plugins = NONE) -> bool:
    """Return whether a training stage tells classes apart, and is nothing without several."""
    if stage == "pretrain":
        return False
    return bool(getattr(plugins.find("objectives", settings.objective), "needs_classes", True))


def build_objective(
    stage: str, settings: Any, embedding_size: int, classes: int, plugins: Plugins = NONE
) -> nn.Module:
    """Return the objective of a training stage, with freshly initialised heads.

    Raises `InputError` for the name of one that nothing has.
    """
    if stage == "pretrain":
        return DGMix(settings, embedding_size)
    name = settings.objective
    build = plugins.find("objectives", name)
    objective: nn.Module = made("objectives", name, build, settings, embedding_size, classes)
    return objective
