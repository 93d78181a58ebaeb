"""Fine-tuning on mixed section labels (Nejjar et al., DCASE Workshop 2022; DESIGN §1.4)."""

from __future__ import annotations

from torch import Tensor, nn

from dgmix.config import FinetuneSettings
from dgmix.model.objectives.classes import MixedClasses


class MixedSections(MixedClasses):
    """By a softmax of a linear layer: KL(mixed one-hot ‖ prediction), in nats."""

    def __init__(self, settings: FinetuneSettings, embedding_size: int, classes: int) -> None:
        super().__init__(settings, classes)
        self.head = nn.Linear(embedding_size, classes)

    def log_probabilities(self, embedding: Tensor, shares: Tensor) -> Tensor:  # noqa: ARG002
        """Return the predicted log-probabilities (pair, class) of embeddings (pair, dim)."""
        logits: Tensor = self.head(embedding)
        return logits.log_softmax(1)
