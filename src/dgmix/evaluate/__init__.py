"""Judging: metrics of scores, how sure they are, and the tables and reports made of them.

`evaluate_scores` and `Evaluation` are imported on first use, so that this package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dgmix.evaluate.evaluation import Evaluation, evaluate_scores

__all__ = ["Evaluation", "evaluate_scores"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'dgmix.evaluate' has no attribute '{name}'")
    return getattr(import_module("dgmix.evaluate.evaluation"), name)
