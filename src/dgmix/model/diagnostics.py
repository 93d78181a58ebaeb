"""Numbers that show an embedding collapsing before its scores do (DESIGN §1.7)."""

from __future__ import annotations

import torch
from torch import Tensor

from dgmix.model.batch import Outcome

COLLAPSED_STD = 0.1
COLLAPSED_RANK = 2.0


def effective_rank(values: Tensor) -> float:
    """Return exp(entropy of the normalised singular values) of centred `values` (crop, dim).

    Between 1 (all on one line) and min(crop − 1, dim) (Roy, Vetterli, EUSIPCO 2007).
    """
    singular = torch.linalg.svdvals((values - values.mean(0)).double().cpu())
    shares = singular / singular.sum().clamp_min(1e-30)
    return float(torch.special.entr(shares).sum().exp())


@torch.no_grad()
def collapse_numbers(outcome: Outcome) -> dict[str, float]:
    """Return the diagnostics of one batch by name.

    `embedding_std` and `projector_std`: standard deviation over crops, averaged over dimensions;
    `effective_rank` of the embedding; where there is a geometric term, `geometric_over_variance`:
    that term over the variance of what it compares, which stays small only if mixing is really
    learned.
    """
    numbers = {
        "embedding_std": float(outcome.embedding.std(0).mean()),
        "effective_rank": effective_rank(outcome.embedding),
    }
    if "geometric" in outcome.terms:
        compared = outcome.embedding if outcome.projection is None else outcome.projection
        variance = compared.var(0).mean().clamp_min(1e-12)
        numbers["geometric_over_variance"] = float(outcome.terms["geometric"] / variance)
    if outcome.projection is not None:
        numbers["projector_std"] = float(outcome.projection.std(0).mean())
    return numbers


def collapse_warning(numbers: dict[str, float]) -> str | None:
    """Return a sentence if the diagnostics say that the embedding has collapsed, else None."""
    spread = numbers.get("projector_std")
    if spread is not None and spread < COLLAPSED_STD:
        return (
            f"the projections have collapsed (standard deviation {spread:.3g}, wanted near 1): "
            "raise pretrain.variance or lower pretrain.optimizer.lr"
        )
    if numbers["effective_rank"] < COLLAPSED_RANK:
        return (
            f"the embeddings lie almost on a line (effective rank {numbers['effective_rank']:.2f}):"
            " train longer, or raise pretrain.covariance"
        )
    return None
