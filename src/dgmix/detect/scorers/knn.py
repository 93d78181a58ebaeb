"""Distance to the nearest healthy embeddings (Ramaswamy, Rastogi, Shim, SIGMOD 2000)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from dgmix.config import DetectSettings

TINY = 1e-12

FEW = 1 << 22  # differences; computing more takes longer than loading scipy.spatial does


class KNearest:
    """Mean distance to the k nearest references; Euclidean with k = 1 is the published score."""

    def __init__(self, settings: DetectSettings) -> None:
        self.neighbors, self._distances = settings.neighbors, METRICS[settings.metric]

    def fit(self, references: NDArray[np.floating]) -> KNearest:
        """Keep the references (reference, dim)."""
        self._references = references
        return self

    def score(self, queries: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the mean distance (query,) to the k nearest, or to all where there are fewer."""
        return mean_of_nearest(self._distances(queries, self._references), self.neighbors)


def distances(
    queries: NDArray[np.floating], references: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return the Euclidean distance (query, reference), the same whichever of two comes first.

    Of the differences themselves: expanded squares lose the digits that tell copies apart.
    """
    if len(queries) * references.size <= FEW:
        return _few_distances(queries.astype(np.float64), references.astype(np.float64))
    from scipy.spatial.distance import cdist  # type: ignore[import-untyped]

    return np.asarray(cdist(queries, references), np.float64)


def _few_distances(
    queries: NDArray[np.float64], references: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return what scipy's `cdist` does, to the bit: it adds up one dimension after the other."""
    squares = np.empty((len(queries), len(references)))
    for row, query in zip(squares, queries, strict=True):
        row[:] = np.add.accumulate(np.square(references - query), axis=1)[:, -1]
    return np.sqrt(squares)


def cosine_distances(
    queries: NDArray[np.floating], references: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return (1 − cosine) / 2 (query, reference): 0 for one direction, 1 for opposite ones.

    A vector of zeros has no direction: it is at 0 from others like it, else at ½.
    """
    from_queries, from_references = (
        values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), TINY)
        for values in (np.asarray(each, np.float64) for each in (queries, references))
    )
    one_of_zeros = from_queries.any(1)[:, None] != from_references.any(1)
    return np.asarray((distances(from_queries, from_references) ** 2 + one_of_zeros) / 4)


def mean_of_nearest(between: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """Return the mean (query,) of the k least finite distances of (query, reference).

    Of all where there are fewer; infinity where there are none.
    """
    if k == 1:
        return np.asarray(between.min(1, initial=np.inf))
    few = min(k, between.shape[1])
    nearest = np.partition(between, few - 1, 1)[:, :few] if few else between
    finite = np.isfinite(nearest)
    total = np.where(finite, nearest, 0).sum(1)
    return np.where(finite.any(1), total / np.maximum(finite.sum(1), 1), np.inf)


METRICS: dict[str, Callable[[NDArray[np.floating], NDArray[np.floating]], NDArray[np.float64]]] = {
    "euclidean": distances,
    "cosine": cosine_distances,
}
