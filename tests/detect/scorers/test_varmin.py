"""Variance minimisation against the published formulas, written as loops."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dgmix.config import DetectSettings
from dgmix.detect.scorers import build_scorer
from dgmix.detect.scorers.varmin import VarianceMinimum

Floats = NDArray[np.float64]


def euclidean(x: Floats, y: Floats) -> float:
    return float(np.linalg.norm(x - y))


def half_cosine(x: Floats, y: Floats) -> float:
    return float(0.5 * (1 - x @ y / np.linalg.norm(x) / np.linalg.norm(y)))


def published(references: Floats, queries: Floats, k: int, distance) -> Floats:  # type: ignore[no-untyped-def]
    """min_i D(x, y_i) − α b_i with α = Cov(d, b) / Var(b), each reference left out in turn."""
    count = len(references)
    sparseness, nearest, beside = np.empty(count), np.empty(count), np.empty(count)
    for i in range(count):
        others = sorted((distance(references[i], references[j]), j) for j in range(count) if j != i)
        sparseness[i] = np.mean([d for d, _ in others[:k]])
        nearest[i], beside[i] = others[0]
    beside = sparseness[beside.astype(int)]
    spread = np.var(beside)
    alpha = np.cov(nearest, beside, bias=True)[0, 1] / spread if spread > 1e-15 else 0.0
    return np.array(
        [
            min(distance(x, y) - alpha * b for y, b in zip(references, sparseness, strict=True))
            for x in queries
        ]
    )


@given(st.integers(4, 14), st.integers(2, 6), st.integers(1, 5), st.booleans(), st.integers(0, 999))
def test_equals_the_definition_but_for_a_constant(
    count: int, dim: int, k: int, cosine: bool, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    references, queries = rng.normal(size=(count, dim)), rng.normal(size=(6, dim))
    settings = DetectSettings(
        scorer="varmin", local_neighbors=k, metric="cosine" if cosine else "euclidean"
    )
    scores = VarianceMinimum(settings).fit(references).score(queries)
    expected = published(references, queries, k, half_cosine if cosine else euclidean)
    np.testing.assert_allclose(scores - scores[0], expected - expected[0], atol=1e-7)
    assert (scores >= 0).all()


def test_a_sparse_condition_is_forgiven_its_distances() -> None:
    """Its healthy clips lie farther apart, and its new ones may."""
    rng = np.random.default_rng(0)
    dense, sparse = rng.normal(size=(60, 4)), 100 + 8 * rng.normal(size=(60, 4))
    references = np.concatenate([dense[:40], sparse[:40]])
    queries = np.concatenate([dense[40:], sparse[40:]])
    scores, plain = (
        build_scorer(DetectSettings(scorer=name)).fit(references).score(queries)  # type: ignore[arg-type]
        for name in ("varmin", "knn")
    )
    assert scores.std() < 0.75 * plain.std()
