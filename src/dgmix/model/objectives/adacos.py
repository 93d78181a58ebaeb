"""Fine-tuning on mixed section labels by angles: sub-cluster AdaCos with trainable centres.

AdaCos (Zhang et al., CVPR 2019, arXiv 1905.00292) finds the scale of a cosine softmax by itself;
Wilkinghoff (IJCNN 2021; arXiv 2309.15643) gives every class several centres, so that a class need
not be one cloud, and lets them be trained.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

from dgmix.config import FinetuneSettings
from dgmix.model.batch import Batch, Outcome, mix
from dgmix.model.objectives.dgmix import geometric_term

WIDEST_ANGLE = math.pi / 4
Encode = Callable[[Tensor], Tensor]


def class_log_probabilities(cosines: Tensor, scale: Tensor) -> Tensor:
    """Return the log of each class's share (crop, class) of softmax(scale · cosine).

    `cosines` (crop, class, centre). A class has the sum of its centres' shares.
    """
    logits = scale * cosines
    return logits.logsumexp(2) - logits.logsumexp((1, 2)).unsqueeze(1)


def fixed_scale(centres: int) -> float:
    """Return √2 log(centres − 1), the scale of fixed AdaCos; at least that of three centres."""
    return math.sqrt(2) * math.log(max(centres, 3) - 1)


def adapted_scale(cosines: Tensor, targets: Tensor, scale: Tensor) -> Tensor:
    """Return the scale for a batch: log B / cos(min(π/4, median θ)) (dynamic AdaCos).

    `cosines` (crop, class, centre); `targets` (crop, class), how much of each class a crop holds.
    B is the mean over crops of Σ exp(scale · cosine) over the centres of other classes, a class of
    which a crop holds a part counting for the rest; θ is a crop's mean angle to the nearest centre
    of its classes. Stays as it is where there is no other class.
    """
    others = (1 - targets).unsqueeze(2)
    if not others.any():
        return scale
    exponents = scale * cosines + others.log()
    log_b = exponents.logsumexp((0, 1, 2)) - math.log(len(cosines))
    nearest = cosines.amax(2).clamp(-1, 1).acos()
    angle = (targets * nearest).sum(1).median().clamp(max=WIDEST_ANGLE)
    return log_b / angle.cos()


class SubclusterAdaCos(nn.Module):
    """Predict how much of each section a mixture holds from angles to the sections' centres.

    `centres` (section, sub_clusters, dim) are trained. `scale` follows the batches but does not
    fall below its first value: with few classes the other centres come to lie opposite, not at
    right angles as AdaCos supposes, and it would vanish.
    """

    scale: Tensor

    def __init__(self, settings: FinetuneSettings, embedding_size: int, classes: int) -> None:
        super().__init__()
        self.settings = settings
        shape = (classes, settings.sub_clusters, embedding_size)
        self.centres = nn.Parameter(functional.normalize(torch.randn(shape), dim=2))
        self.norm = nn.BatchNorm1d(embedding_size, affine=False)
        self.least_scale = fixed_scale(classes * settings.sub_clusters)
        self.register_buffer("scale", torch.tensor(self.least_scale))

    def forward(self, encoder: Encode, batch: Batch) -> Outcome:
        """Return the loss of a batch and its terms `classification`, `geometric`."""
        embedding = encoder(batch.inputs)
        mixed = encoder(batch.mixed())
        one_hot = functional.one_hot(batch.classes, len(self.centres)).to(mixed.dtype)
        terms = {
            "classification": self._divergence(mixed, mix(one_hot, batch.weights)),
            "geometric": geometric_term(mixed, embedding, batch.weights),
        }
        loss = (
            self.settings.classification * terms["classification"]
            + self.settings.geometric * terms["geometric"]
        )
        return Outcome(loss, terms, embedding)

    def cosines(self, embedding: Tensor) -> Tensor:
        """Return the cosines (crop, section, centre) of standardised embeddings (crop, dim)."""
        directions = functional.normalize(self.norm(embedding), dim=1)
        return torch.einsum("nd,csd->ncs", directions, functional.normalize(self.centres, dim=2))

    def _divergence(self, embedding: Tensor, targets: Tensor) -> Tensor:
        """Return KL(targets ‖ prediction), averaged over crops, in nats; adapts the scale."""
        cosines = self.cosines(embedding)
        if self.training:
            with torch.no_grad():
                scale = adapted_scale(cosines, targets, self.scale)
                self.scale.copy_(scale.clamp_min(self.least_scale))
        predicted = class_log_probabilities(cosines, self.scale)
        return functional.kl_div(predicted, targets, reduction="batchmean")
