"""Training of an autoencoder: small residuals (Koizumi et al. 2020, arXiv 2006.05822)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from dgmix.config import FinetuneSettings
from dgmix.model.batch import Batch, Outcome


class Reconstruction(nn.Module):
    """The mean square of an embedding that is what the encoder leaves unexplained.

    It needs no classes, and mixes nothing.
    """

    needs_classes = False

    def __init__(
        self,
        settings: FinetuneSettings,  # noqa: ARG002 - one form for all
        embedding_size: int,  # noqa: ARG002
        classes: int,  # noqa: ARG002
    ) -> None:
        super().__init__()

    def forward(self, encoder: Callable[[Tensor], Tensor], batch: Batch) -> Outcome:
        """Return the loss of a batch, which is its only term, `error`."""
        residuals = encoder(batch.inputs)
        error = residuals.square().mean()
        return Outcome(error, {"error": error}, residuals)
