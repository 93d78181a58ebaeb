"""The DG-Mix pre-training objective (Nejjar et al., DCASE Workshop 2022; DESIGN §1.3).

A mixture of two sounds should lie between their embeddings as it lies between their spectrograms,
while every dimension keeps its variance and no two dimensions say the same (VICReg's terms: Bardes,
Ponce, LeCun 2022, arXiv 2105.04906).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from dgmix.config import PretrainSettings
from dgmix.model.batch import Batch, Outcome, mix


def geometric_term(z_mixed: Tensor, z: Tensor, weights: Tensor, reduction: str = "mean") -> Tensor:
    """Return the squared distance of z(m) from λ z(x) + (1−λ) z(y), averaged over pairs.

    `z_mixed` (pair, dim); `z` (2 · pair, dim), first all x then all y; `weights` λ (pair,).
    Over dimensions the mean is taken, or the sum with `reduction="sum"` (sources differ).
    """
    squares = (z_mixed - mix(z, weights)).square()
    over_dimensions = squares.mean(1) if reduction == "mean" else squares.sum(1)
    return over_dimensions.mean()


def variance_term(z: Tensor, epsilon: float = 1e-4) -> Tensor:
    """Return mean_d max(0, 1 − sqrt(Var(z[d]) + ε)) of one half `z` (crop, dim), n−1 in Var."""
    return torch.relu(1 - (z.var(0) + epsilon).sqrt()).mean()


def covariance_term(z: Tensor) -> Tensor:
    """Return (1/D) Σ_{i≠j} Cov(z)[i,j]² of one half `z` (crop, dim), centred, n−1.

    Computed from the crop × crop Gram matrix where that is smaller: both matrices have the same
    Frobenius norm.
    """
    crops, dims = z.shape
    centred = (z - z.mean(0)) / (crops - 1) ** 0.5
    product = centred @ centred.T if crops < dims else centred.T @ centred
    squared_norm: Tensor = product.square().sum() - centred.square().sum(0).square().sum()
    return squared_norm / dims


class DGMix(nn.Module):
    """Weighted sum of the geometric, variance and covariance terms on projected embeddings."""

    def __init__(self, settings: PretrainSettings, embedding_size: int) -> None:
        super().__init__()
        self.settings = settings
        self.projector = _projector([embedding_size, *settings.projector])

    def forward(self, encoder: Callable[[Tensor], Tensor], batch: Batch) -> Outcome:
        """Return the loss of a batch and its terms `geometric`, `variance`, `covariance`."""
        embedding = encoder(batch.inputs)
        z = self.projector(embedding)
        z_mixed = self.projector(encoder(batch.mixed()))
        halves = z.chunk(2)
        terms = {
            "geometric": geometric_term(
                z_mixed, z, batch.weights, self.settings.geometric_reduction
            ),
            "variance": torch.stack([variance_term(half) for half in halves]).sum() / 2,
            "covariance": torch.stack([covariance_term(half) for half in halves]).sum(),
        }
        weights = self.settings.model_dump(include=set(terms))
        loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
        return Outcome(loss, terms, embedding, z)


def _projector(sizes: list[int]) -> nn.Sequential:
    """Linear-BN-ReLU for all but the last layer, which is linear without bias."""
    layers: list[nn.Module] = []
    for inputs, outputs in pairwise(sizes[:-1]):
        layers += [nn.Linear(inputs, outputs), nn.BatchNorm1d(outputs), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1], bias=False))
