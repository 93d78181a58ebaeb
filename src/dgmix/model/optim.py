"""Optimisers and the learning-rate curve."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from dgmix.config import AdamWSettings, LarsSettings, StageSettings


class Lars(Optimizer):
    """Layer-wise adaptive rate scaling with momentum (You et al. 2017, arXiv 1708.03888, alg. 1).

    For each tensor w with gradient g, weight decay β and trust coefficient η::

        v ← m v + (g + β w) · η ‖w‖ / (‖g‖ + β ‖w‖),   w ← w − lr v

    A parameter group with `adapt=False` takes the plain momentum step instead (no trust ratio).
    """

    def __init__(
        self, params: Iterable[Any], lr: float, momentum: float, weight_decay: float, trust: float
    ) -> None:
        defaults = {
            "lr": lr,
            "momentum": momentum,
            "weight_decay": weight_decay,
            "trust": trust,
            "adapt": True,
        }
        super().__init__(params, defaults)

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Take one step; `closure` is accepted for torch's interface and must be None."""
        assert closure is None
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            if parameters and group["adapt"]:
                ratios = _trust_ratios(parameters, group["weight_decay"], group["trust"])
            else:
                ratios = [torch.ones((), device=p.device) for p in parameters]
            for parameter, ratio in zip(parameters, ratios, strict=True):
                self._step(parameter, ratio, group)

    def _step(self, parameter: Tensor, ratio: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        momentum = state["momentum"].mul_(group["momentum"])
        momentum.addcmul_(parameter.grad, ratio)
        momentum.addcmul_(parameter, ratio, value=group["weight_decay"])
        parameter.sub_(momentum, alpha=group["lr"])


def _trust_ratios(parameters: list[Tensor], weight_decay: float, trust: float) -> list[Tensor]:
    """Return the trust ratio () of each parameter, computed where they are."""
    sizes = torch.stack([p.norm() for p in parameters])
    scales = torch.stack([p.grad.norm() for p in parameters]) + weight_decay * sizes  # type: ignore[union-attr]
    usable = (sizes > 0) & (scales > 0)
    return list(torch.where(usable, trust * sizes / scales, 1.0).unbind())


def build_optimizer(settings: StageSettings, modules: Iterable[nn.Module]) -> Optimizer:
    """Return the optimiser of a training stage over the parameters of `modules`.

    Biases and norm parameters (tensors with at most one axis) have no weight decay and, with LARS,
    no trust ratio. The learning rate is set by the training loop before every step.
    """
    parameters = [p for module in modules for p in module.parameters()]
    chosen = settings.optimizer
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": chosen.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if isinstance(chosen, LarsSettings):
        groups[1]["adapt"] = False
        return Lars(groups, chosen.lr, chosen.momentum, chosen.weight_decay, chosen.trust)
    assert isinstance(chosen, AdamWSettings)
    return AdamW(groups, chosen.lr, fused=True)


def peak_learning_rate(settings: StageSettings) -> float:
    """Return the highest learning rate: the setting, scaled linearly by the batch size."""
    return settings.optimizer.lr * settings.batch_size / settings.optimizer.lr_batch_size


def learning_rate(step: int, steps: int, settings: StageSettings) -> float:
    """Return the learning rate of step `step` (from 0) of `steps`.

    Linear warm-up from 0 to the peak, which the first step already leaves, then half a cosine to
    `final_lr` times the peak, reached at the last step (Loshchilov, Hutter 2017, arXiv 1608.03983).
    """
    peak = peak_learning_rate(settings)
    warmup = round(settings.warmup * steps)
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup + 1) / (steps - warmup)
    low = peak * settings.final_lr
    return low + (peak - low) * (1 + math.cos(math.pi * progress)) / 2
