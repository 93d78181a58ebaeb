"""Scores of plain vectors against scipy's distances."""

from __future__ import annotations

import numpy as np
from scipy.spatial.distance import cdist

from dgmix.config import DetectSettings
from dgmix.detect.baselines import nearest_scores
from dgmix.detect.scorers import build_scorer


def test_a_clip_is_compared_with_its_own_section() -> None:
    rng = np.random.default_rng(1)
    known, queries = rng.normal(size=(9, 5)), rng.normal(size=(5, 5))
    sections, own = ["a", "b", "b"] * 3, ["b", "a", "b", "a", "new"]
    of = {name: known[np.array(sections) == name] for name in "ab"} | {"new": known}
    expected = [cdist(q[None], of[name]).min() for q, name in zip(queries, own, strict=True)]
    np.testing.assert_allclose(nearest_scores(known, sections, queries, own), expected, rtol=1e-12)
    together = DetectSettings(per_section=False)
    scores = nearest_scores(known, sections, queries, own, together)
    np.testing.assert_allclose(scores, cdist(queries, known).min(1), rtol=1e-12)


def test_domains_matter_to_scorers_that_go_by_them() -> None:
    rng = np.random.default_rng(0)
    known = np.concatenate([rng.normal(size=(40, 4)), 30 + 5 * rng.normal(size=(5, 4))])
    queries = rng.uniform(-10, 50, size=(30, 4))
    domains = ["source"] * 40 + ["target"] * 5
    settings = DetectSettings(per_domain=True, balance="memmixup")
    scores = nearest_scores(known, ["00"] * 45, queries, ["00"] * 30, settings, domains)
    expected = build_scorer(settings, np.array(domains)).fit(known).score(queries)
    np.testing.assert_allclose(scores, expected, rtol=1e-12)
    plain = nearest_scores(known, ["00"] * 45, queries, ["00"] * 30, settings)
    np.testing.assert_allclose(plain, cdist(queries, known).min(1), rtol=1e-9)
