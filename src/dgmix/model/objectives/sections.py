"""Fine-tuning on mixed section labels (Nejjar et al., DCASE Workshop 2022; DESIGN §1.4)."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from dgmix.config import FinetuneSettings
from dgmix.model.objectives.classes import MixedClasses


class MixedSections(MixedClasses):
    """By a softmax of linear layers: KL(mixed one-hot ‖ prediction), in nats.

    Between several layers there is no activation, as in the public reproduction: together they are
    one linear map, which is trained otherwise than one layer.
    """

    def __init__(self, settings: FinetuneSettings, embedding_size: int, classes: int) -> None:
        super().__init__(settings, classes)
        layers = [
            nn.Linear(*sizes) for sizes in pairwise([embedding_size, *settings.head, classes])
        ]
        self.head = nn.Sequential(*layers) if settings.head else layers[0]

    def log_probabilities(self, embedding: Tensor, shares: Tensor) -> Tensor:  # noqa: ARG002
        """Return the predicted log-probabilities (pair, class) of embeddings (pair, dim)."""
        logits: Tensor = self.head(embedding)
        return logits.log_softmax(1)
