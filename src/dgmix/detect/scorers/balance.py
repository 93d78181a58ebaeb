"""As many references of each domain: fewer of the common ones, or made ones of the rare.

Each function takes the references (reference, dim) of every domain and the number wanted of each
(0: as many as the domain that has fewest, or most), and returns the references to compare with,
float64. All are reproducible; they depend on the order of the references.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Domains = Mapping[str, Floats]
SMOTE_NEIGHBORS = 5
MEMMIXUP_TARGET = 0.9


def keep(domains: Domains, count: int = 0) -> dict[str, Floats]:  # noqa: ARG001 - one form for all
    """Return the references as they are."""
    return dict(domains)


def kmeans(domains: Domains, count: int = 0) -> dict[str, Floats]:
    """Return the k-means centres of domains with more references than wanted.

    Wilkinghoff, "Design Choices for Learning Embeddings from Auxiliary Tasks for Domain
    Generalization in Anomalous Sound Detection", ICASSP 2023.
    """
    from sklearn.cluster import KMeans

    wanted = count or min(map(len, domains.values()))

    def centres(part: Floats) -> Floats:
        distinct = np.unique(part, axis=0)
        if len(distinct) <= wanted:
            return distinct
        fitted = KMeans(wanted, n_init=1, random_state=0).fit(part).cluster_centers_
        return np.asarray(fitted, np.float64)

    return {name: centres(p) if len(p) > wanted else p for name, p in domains.items()}


def smote(domains: Domains, count: int = 0) -> dict[str, Floats]:
    """Return domains filled up with points between a reference and one of its 5 nearest.

    SMOTE: Chawla, Bowyer, Hall, Kegelmeyer 2002, arXiv 1106.1813. A single reference stays alone.
    """
    wanted = count or max(map(len, domains.values()))
    rng = np.random.default_rng(0)

    def filled(part: Floats) -> Floats:
        missing = wanted - len(part)
        if missing <= 0 or len(part) < 2:
            return part
        near = _order(part, part)[:, 1 : 1 + SMOTE_NEIGHBORS]
        first = np.arange(missing) % len(part)
        second = near[first, rng.integers(near.shape[1], size=missing)]
        made = part[first] + rng.uniform(size=(missing, 1)) * (part[second] - part[first])
        return np.concatenate([part, made])

    return {name: filled(part) for name, part in domains.items()}


def memmixup(domains: Domains, count: int = 0) -> dict[str, Floats]:
    """Return domains filled up with 0.9 of a reference and 0.1 of one of the largest domain.

    The latter are the reference's nearest there, one after the other. MemMixup: Saengthong,
    Shinozaki, arXiv 2409.05035.
    """
    source = max(domains.values(), key=len)
    wanted = count or len(source)

    def filled(part: Floats) -> Floats:
        missing = wanted - len(part)
        if missing <= 0 or part is source:
            return part
        first = np.arange(missing) % len(part)
        turn = np.arange(missing) // len(part) % len(source)
        second = _order(part, source)[first, turn]
        made = MEMMIXUP_TARGET * part[first] + (1 - MEMMIXUP_TARGET) * source[second]
        return np.concatenate([part, made])

    return {name: filled(part) for name, part in domains.items()}


BALANCES: dict[str, Callable[[Domains, int], dict[str, Floats]]] = {
    "none": keep,
    "kmeans": kmeans,
    "smote": smote,
    "memmixup": memmixup,
}


def _order(queries: Floats, references: Floats) -> NDArray[np.int64]:
    """Return the indices (query, reference) of the references, the nearest first."""
    from scipy.spatial.distance import cdist  # type: ignore[import-untyped]

    distances = cdist(queries, references)
    if queries is references:
        np.fill_diagonal(distances, -1)
    return np.asarray(np.argsort(distances, axis=1, kind="stable"), np.int64)
