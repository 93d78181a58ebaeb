"""What a scorer has to have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

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


class Measured(NamedTuple):
    """What a `JointScorer` measures of some clips and of the healthy ones beside them.

    `own` float64 (query,): the score of each; `healthy`, for each grouping, (query, clip): those of
    the healthy clips when the query is one of the others; `between` (query, clip): how far they are
    from each other, to find the healthy clip that is most like a query; `apart`, for each grouping,
    (query, point): the scores of the healthy clips and, last, of the query when their nearest
    neighbours are left out too, or None where they are not.
    """

    own: NDArray[np.float64]
    healthy: list[NDArray[np.float64]]
    between: NDArray[np.float64]
    apart: Sequence[NDArray[np.float64] | None] = (None, None)


class JointScorer(Protocol):
    """Scores a clip and the healthy ones beside it, in one view, from distances only.

    Made of the vectors of the healthy clips, and groupings of them: (clip,) each. `left_out` holds,
    for each grouping, the score (clip,) of each healthy clip against the clips of other groups. One
    that leaves out neighbours has `left_out_apart` beside it, of the same form, or None.
    """

    left_out: list[NDArray[np.float64]]

    def measure(self, queries: Vectors, count: int) -> Measured:
        """Return the distances of `count` queries; the first three of `Measured` are enough."""
        ...
