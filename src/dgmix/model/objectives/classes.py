"""What fine-tuning on classes has in common: the classes of a mixture, and that it lies between."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

from dgmix.config import FinetuneSettings
from dgmix.model.batch import Batch, Outcome, mix
from dgmix.model.objectives.dgmix import geometric_term


class MixedClasses(nn.Module):
    """Predict how much of each class a mixture holds, and keep mixtures in between.

    Nejjar et al., DCASE Workshop 2022 (DESIGN §1.4). Where the geometric term has no weight, clean
    crops are not encoded: training takes a third of the time. A class of this class says how
    `log_probabilities` come from embeddings.
    """

    def __init__(self, settings: FinetuneSettings, classes: int) -> None:
        super().__init__()
        self.settings, self.class_count = settings, classes

    def forward(self, encoder: Callable[[Tensor], Tensor], batch: Batch) -> Outcome:
        """Return the loss of a batch and its terms `classification` and, if wanted, `geometric`.

        The embedding that is shown is that of the clean crops, or of the mixtures without them.
        """
        settings = self.settings
        mixed = embedding = encoder(batch.mixed())
        shares = self.shares(batch).to(mixed.dtype)
        divergence = functional.kl_div(
            self.log_probabilities(mixed, shares), shares, reduction="batchmean"
        )
        terms, loss = {"classification": divergence}, settings.classification * divergence
        if settings.geometric:
            embedding = encoder(batch.inputs)
            terms["geometric"] = geometric_term(mixed, embedding, batch.weights)
            loss = loss + settings.geometric * terms["geometric"]
        return Outcome(loss, terms, embedding)

    def shares(self, batch: Batch) -> Tensor:
        """Return how much of each class the mixtures of a batch hold, (pair, class)."""
        one_hot = functional.one_hot(batch.classes, self.class_count).to(batch.weights.dtype)
        return mix(one_hot, batch.weights)

    def log_probabilities(self, embedding: Tensor, shares: Tensor) -> Tensor:
        """Return the predicted log-probabilities (pair, class) of embeddings (pair, dim)."""
        raise NotImplementedError
