"""Scorers: how far a clip is from the healthy ones.

To add one, write a file with a class that satisfies `Scorer`, put it in `SCORERS`, and add its name
to `DetectSettings`; the contract test over all scorers picks it up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dgmix.config import DetectSettings
from dgmix.detect.scorers.knn import KNearest


class Scorer(Protocol):
    """Fitted on healthy references; higher scores are more anomalous."""

    def fit(self, references: NDArray[np.floating]) -> Scorer:
        """Learn from `references` (reference, dim) and return the scorer itself."""
        ...

    def score(self, queries: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the anomaly scores (query,) of `queries` (query, dim)."""
        ...

    def score_references(self, groups: NDArray[np.int64]) -> NDArray[np.float64]:
        """Return each reference's score (reference,) against the references of other groups.

        `groups` int64 (reference,) says which recording a reference is of. A reference that no
        other group remains for has an infinite score.
        """
        ...


SCORERS: dict[str, Callable[[DetectSettings], Scorer]] = {"knn": KNearest}


def build_scorer(settings: DetectSettings) -> Scorer:
    """Return the unfitted scorer that the settings name."""
    return SCORERS[settings.scorer](settings)
