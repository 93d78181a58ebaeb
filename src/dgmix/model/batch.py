"""What goes into an objective and what comes out."""

from __future__ import annotations

from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Batch:
    """Crops of one machine type, or of several together, in two halves that are mixed in pairs.

    `inputs` float32 (crop, 1, mel, frame), or (crop, sample) of signals; `classes` int64 (crop,),
    the index of what each crop is an example of, a section say; `weights` float32 (crop / 2,), the
    λ of each pair. The number of crops is even.
    """

    inputs: Tensor
    classes: Tensor
    weights: Tensor

    def mixed(self) -> Tensor:
        """Return λx + (1−λ)y of the two halves, (crop / 2, …)."""
        return mix(self.inputs, self.weights)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an objective says of one batch.

    `loss` is what training makes small; `terms` are its parts, unweighted, by name; `embedding`
    (crop, dim) and, where there is one, `projection` (crop, dim) are for watching collapse.
    """

    loss: Tensor
    terms: dict[str, Tensor]
    embedding: Tensor
    projection: Tensor | None = field(default=None)


def mix(values: Tensor, weights: Tensor) -> Tensor:
    """Return λ · first half + (1−λ) · second half of `values` along the first axis."""
    x, y = values.chunk(2)
    weights = weights.view(-1, *[1] * (values.ndim - 1))
    return weights * x + (1 - weights) * y
