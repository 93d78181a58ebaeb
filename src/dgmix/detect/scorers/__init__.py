"""Scorers: how far a clip is from the healthy ones.

A `JointScorer` goes by distances only, so that its p-values are exact; a `Scorer` estimates
something from the healthy clips. To add one, write a file with a class that satisfies either, put
it in `JOINT_SCORERS`, `SCORERS` or, if it goes by the domains of the references, `DOMAIN_SCORERS`,
and add its name to `DetectSettings`; the contract test over all scorers picks it up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dgmix.config import DetectSettings
from dgmix.detect.scorers.bands import BandWise, JointBandWise
from dgmix.detect.scorers.daco import SoftDomains
from dgmix.detect.scorers.density import LocalDensity
from dgmix.detect.scorers.domains import DomainWise
from dgmix.detect.scorers.gmm import GaussianMixture
from dgmix.detect.scorers.knn import KNearest
from dgmix.detect.scorers.kriging import Kriging
from dgmix.detect.scorers.mahalanobis import Mahalanobis
from dgmix.detect.scorers.nearest import Nearest
from dgmix.detect.scorers.varmin import VarianceMinimum
from dgmix.detect.scorers.whitening import Whitened
from dgmix.detect.views import Vectors

Groups = NDArray[np.int64]
Domains = NDArray[np.str_]


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


JOINT_SCORERS: dict[str, Callable[[DetectSettings, Vectors, Sequence[Groups]], JointScorer]] = {
    "knn": Nearest,
    "kriging": Kriging,
}
SCORERS: dict[str, Callable[[DetectSettings], Scorer]] = {
    "knn": KNearest,
    "mahalanobis": Mahalanobis,
    "density": LocalDensity,
    "varmin": VarianceMinimum,
    "gmm": GaussianMixture,
}
DOMAIN_SCORERS: dict[str, Callable[[DetectSettings, Domains | None], Scorer]] = {
    "daco": SoftDomains,
}


def build_joint_scorer(
    settings: DetectSettings, view: Vectors, groupings: Sequence[Groups]
) -> JointScorer:
    """Return the scorer of one part of a view that the settings name, fitted to healthy clips.

    `groupings` (clip,) each say which clips count as one.
    """

    def build(part: Vectors) -> JointScorer:
        return JOINT_SCORERS[settings.scorer](settings, part, groupings)

    return build(view) if settings.bands == 1 else JointBandWise(build, view, settings.bands)


def build_scorer(
    settings: DetectSettings, domains: Domains | None = None, clips: Groups | None = None
) -> Scorer:
    """Return the unfitted scorer that the settings name.

    `domains` text (reference,) and `clips` int64 (reference,; each its own by default) say what
    the references are of that it will be fitted to; they matter where the settings score or
    balance per domain and there are several.
    """
    apart = settings.per_domain or settings.balance != "none"
    if domains is None or not apart or len(np.unique(domains)) < 2:
        return _of_all(settings, domains)
    clips = np.arange(len(domains)) if clips is None else clips
    return DomainWise(settings, _of_all, domains, clips)


def _of_all(settings: DetectSettings, domains: Domains | None = None) -> Scorer:
    """Return the scorer of references that are compared with together."""

    def build() -> Scorer:
        if settings.scorer in DOMAIN_SCORERS:
            return DOMAIN_SCORERS[settings.scorer](settings, domains)
        return SCORERS[settings.scorer](settings)

    if settings.whiten:
        return Whitened(build)
    return build() if settings.bands == 1 else BandWise(build, settings.bands)
