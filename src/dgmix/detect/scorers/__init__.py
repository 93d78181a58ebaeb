"""Scorers: how far a clip is from the healthy ones.

To add one, write a file with a class that satisfies `Scorer`, put it in `SCORERS`, and add its name
to `DetectSettings`; the contract test over all scorers picks it up.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dgmix.config import DetectSettings
from dgmix.detect.scorers.density import LocalDensity
from dgmix.detect.scorers.domains import DomainWise
from dgmix.detect.scorers.gmm import GaussianMixture
from dgmix.detect.scorers.knn import KNearest
from dgmix.detect.scorers.mahalanobis import Mahalanobis
from dgmix.detect.scorers.whitening import Whitened


class Scorer(Protocol):
    """Fitted on healthy references; higher scores are more anomalous."""

    def fit(self, references: NDArray[np.floating]) -> Scorer:
        """Learn from `references` (reference, dim) and return the scorer itself."""
        ...

    def score(self, queries: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the anomaly scores (query,) of `queries` (query, dim)."""
        ...


SCORERS: dict[str, Callable[[DetectSettings], Scorer]] = {
    "knn": KNearest,
    "mahalanobis": Mahalanobis,
    "density": LocalDensity,
    "gmm": GaussianMixture,
}


def build_scorer(
    settings: DetectSettings,
    domains: NDArray[np.str_] | None = None,
    clips: NDArray[np.int64] | None = None,
) -> Scorer:
    """Return the unfitted scorer that the settings name.

    `domains` text (reference,) and `clips` int64 (reference,; each its own by default) say what
    the references are of that it will be fitted to; they matter where the settings score or
    balance per domain and there are several.
    """
    build = _white if settings.whiten else SCORERS[settings.scorer]
    apart = settings.per_domain or settings.balance != "none"
    if domains is None or not apart or len(np.unique(domains)) < 2:
        return build(settings)
    return DomainWise(settings, build, domains, np.arange(len(domains)) if clips is None else clips)


def _white(settings: DetectSettings) -> Scorer:
    return Whitened(partial(SCORERS[settings.scorer], settings))
