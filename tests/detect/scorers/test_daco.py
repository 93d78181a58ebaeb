"""Soft domain calibration against a plain transcription of what its author publishes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dgmix.config import DetectSettings
from dgmix.detect.scorers import build_scorer
from dgmix.detect.scorers.daco import Quantiles, SoftDomains

Floats = NDArray[np.float64]


def published(
    references: Floats, domains: list[str], queries: Floats, k: int, prior: float
) -> Floats:
    """Quantiles at i / (n + 1), a rational tail, weights by a softmax of nearest distances."""

    def cosine(x: Floats, y: Floats) -> float:
        return float(0.5 * (1 - x @ y / np.linalg.norm(x) / np.linalg.norm(y)))

    def mean_of_k(distances: list[float]) -> float:
        return float(np.mean(sorted(distances)[:k]))

    def quantile(calibrating: list[float], value: float) -> float:
        points = sorted(calibrating)
        n = len(points)
        if value > points[-1]:
            scale = max(points[-1] - np.median(points), 1e-9)
            beyond = value - points[-1]
            return n / (n + 1) + 1 / (n + 1) * beyond / (beyond + scale)
        below = [0.0, *points]
        for i in range(n):
            if below[i] <= value <= below[i + 1]:
                return (i + (value - below[i]) / (below[i + 1] - below[i])) / (n + 1)
        raise AssertionError

    count = len(references)
    left_out = [
        mean_of_k([cosine(references[i], references[j]) for j in range(count) if j != i])
        for i in range(count)
    ]
    unit, scores = float(np.median(left_out)), []
    for x in queries:
        distances = [cosine(x, y) for y in references]
        value, parts = mean_of_k(distances), []
        for name in sorted(set(domains)):
            own = [i for i in range(count) if domains[i] == name]
            weight = np.exp(-min(distances[i] for i in own) / unit)
            mixed = len(own) * quantile([left_out[i] for i in own], value)
            mixed = (mixed + prior * quantile(left_out, value)) / (len(own) + prior)
            parts.append((weight, mixed))
        scores.append(sum(w * m for w, m in parts) / sum(w for w, _ in parts))
    return np.array(scores)


@given(st.integers(5, 12), st.integers(1, 3), st.sampled_from([0.0, 10.0]), st.integers(0, 999))
def test_equals_the_definition(count: int, k: int, prior: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    references, queries = rng.normal(size=(count, 5)), 2 * rng.normal(size=(5, 5))
    domains = ["source"] * (count - 2) + ["target"] * 2
    settings = DetectSettings(scorer="daco", metric="cosine", neighbors=k, domain_prior=prior)
    scores = build_scorer(settings, np.array(domains)).fit(references).score(queries)
    expected = published(references, domains, queries, k, prior)
    np.testing.assert_allclose(scores, expected, atol=1e-7)


def test_one_threshold_is_one_rate_in_both_domains() -> None:
    """Distances are twenty times as large in one domain; what they are calibrated to is not."""
    rng = np.random.default_rng(0)
    points = rng.normal(size=(400, 3)) * np.repeat([1.0, 20.0], 200)[:, None]
    points[200:] += 500
    domains = np.repeat(["source", "target"], 200)
    known = np.arange(400) % 4 > 0
    scorer = SoftDomains(DetectSettings(scorer="daco"), domains[known]).fit(points[known])
    scores, of = scorer.score(points[~known]), domains[~known]
    rates = [np.mean(scores[of == name] > 0.8) for name in ("source", "target")]
    assert rates == pytest.approx([0.2, 0.2], abs=0.12)


def test_without_domains_the_order_is_that_of_the_distances() -> None:
    rng = np.random.default_rng(1)
    references, queries = rng.normal(size=(20, 3)), 3 * rng.normal(size=(30, 3))
    calibrated, plain = (
        build_scorer(DetectSettings(scorer=name)).fit(references).score(queries)  # type: ignore[arg-type]
        for name in ("daco", "knn")
    )
    assert (calibrated.argsort() == plain.argsort()).all()


def test_quantiles_go_on_beyond_the_largest_value() -> None:
    quantiles = Quantiles(np.array([2.0, 1.0, 4.0]))
    values = quantiles(np.array([0.0, 0.5, 1.0, 3.0, 4.0, 6.0, 1e9]))
    np.testing.assert_allclose(values, [0, 0.125, 0.25, 0.625, 0.75, 0.875, 1], atol=1e-6)
    assert values[-1] < 1
