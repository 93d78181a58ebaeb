"""The least over domains against scikit-learn and explicit loops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from dgmix.config import ERROR_SCORERS, DetectSettings
from dgmix.detect.scorers import SCORERS, build_scorer, estimating
from dgmix.detect.scorers.domains import DomainWise
from dgmix.detect.scorers.knn import KNearest

APART = [
    name
    for name, given in SCORERS.items()
    if estimating(given) and not hasattr(given, "by_domains") and name not in ERROR_SCORERS
]
Floats = NDArray[np.float64]
RARE = np.array(["source"] * 40 + ["target"] * 5)


def references() -> Floats:
    """Forty close source clips and five wide target clips far from them."""
    rng = np.random.default_rng(0)
    return np.concatenate([rng.normal(size=(40, 4)), 30 + 5 * rng.normal(size=(5, 4))])


def scorer(domains: NDArray[np.str_] = RARE, **settings: Any) -> Any:
    return build_scorer(DetectSettings(**settings), domains)


@pytest.mark.parametrize("settings", [{"per_domain": True}, {"balance": "smote"}])
def test_only_several_domains_are_told_apart(settings: dict[str, Any]) -> None:
    assert isinstance(scorer(**settings), DomainWise)
    assert isinstance(scorer(np.array(["source"] * 9), **settings), KNearest)
    assert isinstance(build_scorer(DetectSettings(**settings)), KNearest)
    assert isinstance(scorer(), KNearest)


def test_scores_in_units_of_the_nearest_domain() -> None:
    data, queries = references(), np.random.default_rng(1).uniform(-10, 50, size=(90, 4))
    scores = scorer(per_domain=True).fit(data).score(queries)
    near = [cdist(queries, data[name == RARE]).min(1) for name in ("source", "target")]
    units = [(distances / scores).min() for distances in near]
    assert units[1] > 3 * units[0]
    expected = np.minimum(near[0] / units[0], near[1] / units[1])
    np.testing.assert_allclose(scores, expected, rtol=1e-9)


def test_the_unit_is_the_mean_score_of_clips_held_out() -> None:
    """Five target clips are held out one by one, so that their unit is easily told."""
    data = references()
    target = data[RARE == "target"]
    between = cdist(target, target) + np.diag([np.inf] * 5)
    query = target.mean(0) + 40
    expected = cdist(query[None], target).min() / between.min(1).mean()
    scores = scorer(per_domain=True).fit(data).score(query[None])
    np.testing.assert_allclose(scores, expected, rtol=1e-9)


def test_windows_of_a_clip_are_held_out_together() -> None:
    clips = np.repeat(np.arange(9), 5)
    data = np.repeat(references()[::5], 5, axis=0)
    data += 1e-6 * np.random.default_rng(2).normal(size=data.shape)
    domains = np.array(["source"] * 20 + ["target"] * 25)
    query = data.mean(0)[None] + 100
    settings = DetectSettings(per_domain=True)
    together = build_scorer(settings, domains, clips).fit(data).score(query)
    apart = build_scorer(settings, domains).fit(data).score(query)
    assert together < 100
    assert apart > 1e5


def test_a_rare_wide_domain_is_not_an_anomaly() -> None:
    data, rng = references(), np.random.default_rng(3)
    source, target = rng.normal(size=(50, 4)), 30 + 5 * rng.normal(size=(50, 4))
    ratios = []
    for settings in ({}, {"per_domain": True}):
        scores = scorer(**settings).fit(data).score(np.concatenate([source, target]))
        ratios.append(np.median(scores[50:]) / np.median(scores[:50]))
    assert ratios[0] > 3
    assert ratios[1] < 1.5


@pytest.mark.parametrize("name", APART)
def test_domains_alike_share_a_unit(name: str) -> None:
    data = np.random.default_rng(4).normal(size=(300, 4))
    domains = np.array(["source", "target"] * 150)
    fitted = scorer(domains, scorer=name, per_domain=True).fit(data)
    healthy = fitted.score(np.random.default_rng(5).normal(size=(500, 4)))
    assert 0.7 < np.mean(healthy) < 1.1


def test_a_domain_of_one_clip_has_the_unit_of_the_others() -> None:
    data = references()[:41]
    fitted = scorer(RARE[:41], per_domain=True).fit(data)
    near_source, near_target = data[0] - 50, data[40] + 50
    source = cdist(near_source[None], data[:40]).min() / fitted.score(near_source[None])
    target = cdist(near_target[None], data[40:]).min() / fitted.score(near_target[None])
    assert target == pytest.approx(source)
