"""From the residuals of an autoencoder to what is scored: the two modes of the official baseline.

DCASE 2023 Task 2 (Harada, Niizumi, Ohishi, Takeuchi, Yasuda, EUSIPCO 2023, arXiv 2303.00455): the
mean squared error, and the Mahalanobis distance by the residuals of one domain or the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from dgmix.audio.bank import MelBank

Encode = Callable[[Tensor], Tensor]
DOMAINS = 2  # source and target
RIDGE = 1e-6


class MeanSquare(nn.Module):
    """Residuals (crop, frame · mel) → their mean square (crop, 1)."""

    embedding_size = 1

    def forward(self, residuals: Tensor) -> Tensor:
        """Return the mean squared error of each crop."""
        return residuals.square().mean(1, keepdim=True)


class SelectiveMahalanobis(nn.Module):
    """Residuals (crop, frame · mel) → their mean over frames, white by each domain (crop, 2 · mel).

    The official code takes the mean of δᵢᵀ Σ⁻¹ δⱼ over all pairs of a clip's frames, which is the
    squared length of the mean residual, made white. Being linear, it can be averaged over windows
    first. `white` (domain, mel, mel) is learned of the frames of training clips: of the target
    domain, and of the others; where there are none of one, those of the other stand for it.
    """

    white: Tensor

    def __init__(self, n_mels: int) -> None:
        super().__init__()
        self.embedding_size = DOMAINS * n_mels
        self.register_buffer("white", torch.eye(n_mels).repeat(DOMAINS, 1, 1))

    def forward(self, residuals: Tensor) -> Tensor:
        """Return the white mean residual by source and by target of each crop."""
        means = residuals.reshape(len(residuals), -1, self.white.shape[1]).mean(1)
        return torch.einsum("dnm,cm->cdn", self.white, means).flatten(1)

    @torch.no_grad()
    def learn(self, encode: Encode, bank: MelBank, domains: Sequence[str], length: int) -> None:
        """Learn from what `encode` makes of every window of `length` frames of a bank's clips.

        `domains` (clip,) say which clips are "target"; without any, all are of the source.
        """
        device, n_mels = self.white.device, self.white.shape[1]
        count = torch.zeros(DOMAINS, dtype=torch.float64, device=device)
        total = torch.zeros(DOMAINS, n_mels, dtype=torch.float64, device=device)
        squares = torch.zeros(DOMAINS, n_mels, n_mels, dtype=torch.float64, device=device)
        for clip, mels in _windows(bank, length):
            residuals: Tensor = encode(mels.to(device))
            frames = residuals.reshape(-1, n_mels).double()
            of = int(bool(domains) and domains[clip] == "target")
            count[of] += len(frames)
            total[of] += frames.sum(0)
            squares[of] += frames.T @ frames
        for of in range(DOMAINS):
            known = of if count[of] else 1 - of
            mean = total[known] / count[known]
            covariance = squares[known] / count[known] - torch.outer(mean, mean)
            self.white[of] = _inverse_factor(covariance)


def build_readout(scorer: str, n_mels: int) -> nn.Module:
    """Return what makes errors of residuals for a scorer; for all others, what changes nothing."""
    if scorer == "reconstruction":
        return MeanSquare()
    return SelectiveMahalanobis(n_mels) if scorer == "selective-mahalanobis" else nn.Identity()


def _windows(bank: MelBank, length: int) -> Iterator[tuple[int, Tensor]]:
    """Yield the windows (window, frame, mel) of each clip, one at every frame."""
    for clip, frames in enumerate(bank.frames.tolist()):
        starts = np.arange(max(frames - length, 0) + 1)
        yield clip, torch.from_numpy(bank.crops(np.full(len(starts), clip), starts, length))
        bank.release()


def _inverse_factor(covariance: Tensor) -> Tensor:
    """Return W (mel, mel) with WᵀW = Σ⁻¹, of a covariance with a small ridge; of zeros, the
    identity."""
    size = len(covariance)
    eye = torch.eye(size, dtype=covariance.dtype, device=covariance.device)
    usual = covariance.diagonal().mean()
    if usual <= 0:
        return eye.float()
    factor = torch.linalg.cholesky(covariance + RIDGE * usual * eye)
    inverse: Tensor = torch.linalg.solve_triangular(factor, eye, upper=False)
    return inverse.float()
