"""Several encoders of one kind, trained from different seeds, whose embeddings stand side by side.

The squared distance of two clips is then the sum of those that each encoder sees: what one of them
happened not to learn another may have (Lakshminarayanan et al. 2017, arXiv 1612.01474, for
ensembles over initialisations).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Ensemble(nn.Module):
    """What its members take → (crop, sum of the members' embedding sizes)."""

    def __init__(self, members: Sequence[nn.Module]) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        sizes = [int(member.embedding_size) for member in members]  # type: ignore[arg-type]
        self.embedding_size = sum(sizes)
        self.takes = getattr(members[0], "takes", "mel")

    def forward(self, crops: Tensor) -> Tensor:
        """Return the members' embeddings `(crop, embedding_size)` of crops."""
        return torch.cat([member(crops) for member in self.members], 1)


def members_of(encoder: nn.Module) -> list[nn.Module]:
    """Return the encoders that an encoder is made of: itself alone where it is no ensemble."""
    return list(encoder.members) if isinstance(encoder, Ensemble) else [encoder]
