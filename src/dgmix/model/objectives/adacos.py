"""Fine-tuning on mixed class labels by angles: sub-cluster AdaCos with trainable centres.

AdaCos (Zhang et al., CVPR 2019, arXiv 1905.00292) finds the scale of a cosine softmax by itself;
Wilkinghoff (IJCNN 2021; arXiv 2309.15643) gives every class several centres, so that a class need
not be one cloud, and lets them be trained.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from dgmix.config import FinetuneSettings
from dgmix.model.objectives.classes import MixedClasses

WIDEST_ANGLE = math.pi / 4


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


class SubclusterAdaCos(MixedClasses):
    """By angles to the classes' centres.

    `centres` (class, sub_clusters, dim) are trained. `scale`, where it is not fixed, follows the
    batches but does not fall below its first value: with few classes the other centres come to lie
    opposite, not at right angles as AdaCos supposes, and it would vanish.
    """

    scale: Tensor

    def __init__(self, settings: FinetuneSettings, embedding_size: int, classes: int) -> None:
        super().__init__(settings, classes)
        shape = (classes, settings.sub_clusters, embedding_size)
        self.centres = nn.Parameter(functional.normalize(torch.randn(shape), dim=2))
        self.least_scale = fixed_scale(classes * settings.sub_clusters)
        self.register_buffer("scale", torch.tensor(self.least_scale))

    def log_probabilities(self, embedding: Tensor, shares: Tensor) -> Tensor:
        """Return the predicted log-probabilities (pair, class) of embeddings (pair, dim).

        In training the scale is adapted to these embeddings and their `shares` (pair, class), where
        the settings do not leave it fixed.
        """
        cosines = self.cosines(embedding)
        if self.training and self.settings.scale == "adaptive":
            with torch.no_grad():
                scale = adapted_scale(cosines, shares, self.scale)
                self.scale.copy_(scale.clamp_min(self.least_scale))
        return class_log_probabilities(cosines, self.scale)

    def cosines(self, embedding: Tensor) -> Tensor:
        """Return the cosines (pair, class, centre) of embeddings (pair, dim)."""
        directions = functional.normalize(embedding, dim=1)
        return torch.einsum("nd,csd->ncs", directions, functional.normalize(self.centres, dim=2))
