"""Bands with memories of their own, and distances of directions, against loops."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dgmix.config import DetectSettings
from dgmix.detect.scorers import build_joint_scorer, build_scorer
from dgmix.detect.scorers.knn import cosine_distances
from dgmix.detect.views import Vectors

Floats = NDArray[np.float64]


def beam(references: Floats, queries: Floats, bands: int) -> Floats:
    """The mean over bands of ½ (1 − cosine) to the band's own nearest reference (BEAM)."""
    edges = np.linspace(0, references.shape[1], bands + 1).astype(int)
    scores = np.zeros(len(queries))
    for first, last in pairwise(edges):
        for number, x in enumerate(queries[:, first:last]):
            cosines = [
                x @ y / np.linalg.norm(x) / np.linalg.norm(y) for y in references[:, first:last]
            ]
            scores[number] += 0.5 * (1 - max(cosines)) / bands
    return scores


@given(st.integers(1, 12), st.integers(1, 4), st.integers(0, 999))
def test_equals_the_definition(count: int, bands: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    references, queries = rng.normal(size=(count, 4 * bands)), rng.normal(size=(5, 4 * bands))
    references, queries = (np.asarray(each, np.float32) for each in (references, queries))
    settings = DetectSettings(bands=bands, metric="cosine")
    expected = beam(references.astype(np.float64), queries.astype(np.float64), bands)
    scores = build_scorer(settings).fit(references).score(queries)
    np.testing.assert_allclose(scores, expected, atol=1e-7)
    known, query_vectors = (Vectors(each, np.arange(len(each))) for each in (references, queries))
    joint = build_joint_scorer(settings, known, [np.arange(count)])
    np.testing.assert_allclose(joint.measure(query_vectors, 5)[0], expected, atol=1e-7)


def test_more_bands_than_numbers_are_as_many_as_numbers() -> None:
    references, queries = np.array([[0.0, 5.0], [4.0, 1.0]]), np.array([[1.0, 2.0]])
    assert build_scorer(DetectSettings(bands=9)).fit(references).score(queries) == [1.0]


def test_zeros_have_no_direction() -> None:
    values = np.array([[0.0, 0.0], [3.0, 0.0], [-1.0, 0.0], [0.0, 2.0]])
    expected = [[0, 0.5, 0.5, 0.5], [0.5, 0, 1, 0.5], [0.5, 1, 0, 0.5], [0.5, 0.5, 0.5, 0]]
    np.testing.assert_allclose(cosine_distances(values, values), expected, atol=1e-12)
