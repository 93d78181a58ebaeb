"""What a scorer has to have."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dgmix.detect.views import Vectors


class Scorer(Protocol):
    """Fitted on healthy references; higher scores are more anomalous."""

    def fit(self, references: NDArray[np.floating]) -> Scorer:
        """Learn from `references` (reference, dim) and return the scorer itself."""
        ...

    def score(self, queries: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the anomaly scores (query,) of `queries` (query, dim)."""
        ...


class JointScorer(Protocol):
    """Scores a clip and the healthy ones beside it, in one view, from distances only.

    Made of the vectors of the healthy clips, and groupings of them: (clip,) each. `left_out` holds,
    for each grouping, the score (clip,) of each healthy clip against the clips of other groups.
    """

    left_out: list[NDArray[np.float64]]

    def measure(
        self, queries: Vectors, count: int
    ) -> tuple[NDArray[np.float64], list[NDArray[np.float64]], NDArray[np.float64]]:
        """Return the scores (query,) of `count` queries, those (query, clip) of the healthy clips
        when a query is one of the others, for each grouping, and how far they are (query, clip).

        The last serve to find the healthy clip that is most like a query.
        """
        ...
