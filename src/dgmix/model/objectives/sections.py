"""Fine-tuning on mixed section labels (Nejjar et al., DCASE Workshop 2022; DESIGN §1.4)."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn
from torch.nn import functional

from dgmix.config import FinetuneSettings
from dgmix.model.batch import Batch, Outcome, mix
from dgmix.model.objectives.dgmix import geometric_term


def mixed_section_term(logits: Tensor, sections: Tensor, weights: Tensor) -> Tensor:
    """Return KL(mixed one-hot ‖ prediction) of mixed inputs, averaged over pairs, in nats.

    `logits` (pair, section) of the mixed inputs; `sections` int64 (2 · pair,), first all x then all
    y; `weights` λ (pair,). It is 0 when the prediction is λ for x's section and 1−λ for y's.
    """
    one_hot = functional.one_hot(sections, logits.shape[1]).to(logits.dtype)
    return functional.kl_div(logits.log_softmax(1), mix(one_hot, weights), reduction="batchmean")


class MixedSections(nn.Module):
    """Predict how much of each section a mixture holds, and keep mixtures in between."""

    def __init__(self, settings: FinetuneSettings, embedding_size: int, classes: int) -> None:
        super().__init__()
        self.settings = settings
        self.head = nn.Linear(embedding_size, classes)

    def forward(self, encoder: Callable[[Tensor], Tensor], batch: Batch) -> Outcome:
        """Return the loss of a batch and its terms `classification`, `geometric`."""
        embedding = encoder(batch.inputs)
        mixed = encoder(batch.mixed())
        terms = {
            "classification": mixed_section_term(self.head(mixed), batch.classes, batch.weights),
            "geometric": geometric_term(mixed, embedding, batch.weights),
        }
        loss = (
            self.settings.classification * terms["classification"]
            + self.settings.geometric * terms["geometric"]
        )
        return Outcome(loss, terms, embedding)
