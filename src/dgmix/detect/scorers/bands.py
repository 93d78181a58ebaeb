"""A memory for each band: the parts of a vector are compared by themselves, and the mean counts.

BEAM: Saengthong, Shinozaki, "Sub-Band Spectral Matching with Localized Score Aggregation for Robust
Anomalous Sound Detection", arXiv 2603.13749. Each band has its own nearest references, so that none
has to match in all bands at once, and loud bands count no more than others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dgmix.detect.scorers.protocols import Measured
from dgmix.detect.views import Vectors

if TYPE_CHECKING:
    from dgmix.detect.scorers.protocols import JointScorer, Scorer

Floats = NDArray[np.float64]


class BandWise:
    """A scorer of each of the equal parts of a vector, `bands` or as many as it has numbers."""

    def __init__(self, build: Callable[[], Scorer], bands: int) -> None:
        self.build, self.bands = build, bands

    def fit(self, references: NDArray[np.floating]) -> BandWise:
        """Learn each band of references (reference, dim)."""
        parts = bands_of(references, self.bands)
        self._scorers = [self.build().fit(part) for part in parts]
        return self

    def score(self, queries: NDArray[np.floating]) -> Floats:
        """Return the mean scores (query,) over the bands of queries (query, dim)."""
        parts = bands_of(queries, self.bands)
        scores = [each.score(part) for each, part in zip(self._scorers, parts, strict=True)]
        return np.asarray(np.mean(scores, axis=0), np.float64)


class JointBandWise:
    """The mean of what a joint scorer says of each band; see `JointScorer`."""

    def __init__(self, build: Callable[[Vectors], JointScorer], view: Vectors, bands: int) -> None:
        self._bands = bands
        self._scorers = [build(part) for part in self._parts(view)]
        left_out = zip(*(each.left_out for each in self._scorers), strict=True)
        self.left_out: list[Floats] = [np.mean(scores, axis=0) for scores in left_out]

    def measure(self, queries: Vectors, count: int) -> Measured:
        """Return the mean over bands of what a joint scorer measures, all neighbours in."""
        parts = zip(self._scorers, self._parts(queries), strict=True)
        own, healthy, between = zip(
            *(each.measure(part, count)[:3] for each, part in parts), strict=True
        )
        beside = [np.mean(values, axis=0) for values in zip(*healthy, strict=True)]
        return Measured(np.mean(own, axis=0), beside, np.mean(between, axis=0))

    def _parts(self, view: Vectors) -> list[Vectors]:
        return [Vectors(part, view.clips) for part in bands_of(view.values, self._bands)]


def bands_of(values: NDArray[np.floating], bands: int) -> Sequence[NDArray[np.floating]]:
    """Return the parts (value, dim / bands) of vectors (value, dim), nearly equal and not empty."""
    return np.array_split(values, min(bands, values.shape[1]), axis=1)
