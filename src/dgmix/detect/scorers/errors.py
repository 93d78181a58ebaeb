"""The size of errors: for vectors that say already how unusual a clip is.

They are what `dgmix.model.residuals` makes of an autoencoder. Nothing is compared, and nothing is
learned from the references.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dgmix.config import DetectSettings

Floats = NDArray[np.float64]


class ReconstructionError:
    """The length of a vector: of a mean squared error, which is one number, that error."""

    parts = 1

    def __init__(self, settings: DetectSettings) -> None:
        self.settings = settings

    def fit(self, references: NDArray[np.floating]) -> ReconstructionError:  # noqa: ARG002
        """Return the scorer, which learns nothing from references (reference, dim)."""
        return self

    def score(self, queries: NDArray[np.floating]) -> Floats:
        """Return the least length (query,) of the parts of queries (query, dim)."""
        parts = np.split(np.asarray(queries, np.float64), self.parts, axis=1)
        return np.asarray(np.min([np.linalg.norm(part, axis=1) for part in parts], axis=0))


class SelectiveError(ReconstructionError):
    """The lesser of the lengths of a vector's halves: that of the domain that it fits better."""

    parts = 2
