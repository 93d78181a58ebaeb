"""A detector of the user's own vectors: the scores of the scorer, kept in a file like any other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from dgmix import Detector, InputError, load_recipe
from dgmix.detect.judgement import ANOMALY, NORMAL

HEALTHY = np.random.default_rng(0).normal(size=(19, 5)).astype(np.float32)
QUERIES = np.concatenate([HEALTHY[:2] + 0.1, HEALTHY[:1] + 50]).astype(np.float32)
KNN = load_recipe("default", ["detect.scorer=knn"])


def test_scores_are_distances_and_verdicts_hold() -> None:
    detector = Detector(KNN, false_alarm_rate=0.05).fit_vectors(HEALTHY)
    assert detector.score_vectors(QUERIES)[2] == pytest.approx(cdist(QUERIES, HEALTHY)[2].min())
    verdicts = [each.verdict(0.05, "known") for each in detector.judge_vectors(QUERIES)]
    assert verdicts == [NORMAL, NORMAL, ANOMALY]
    assert [each.learned for each in detector.judge_vectors(HEALTHY[:2])] == [True, True]


@pytest.mark.parametrize("scorer", ["kriging", "knn", "mahalanobis"])
def test_a_file_brings_it_back(scorer: str, tmp_path: Path) -> None:
    recipe = load_recipe("default", [f"detect.scorer={scorer}"])
    detector = Detector(recipe).fit_vectors(HEALTHY, conditions=["slow"] * 10 + ["fast"] * 9)
    detector.save(tmp_path / "mine.dgmix")
    again = Detector.load(tmp_path / "mine.dgmix")
    assert np.array_equal(again.score_vectors(QUERIES), detector.score_vectors(QUERIES))
    assert again.summary()["conditions"] == {"fast": 9, "slow": 10}


def test_each_section_is_compared_with_itself() -> None:
    sections = ["a"] * 10 + ["b"] * 9
    detector = Detector(KNN).fit_vectors(HEALTHY, sections=sections)
    scores = detector.score_vectors(QUERIES[:1], sections=["b"])
    assert scores[0] == pytest.approx(cdist(QUERIES[:1], HEALTHY[10:]).min())


@pytest.mark.parametrize(
    ("X", "sentence"),
    [
        (HEALTHY[0], r"X: shape \(5,\); give vectors \(recording, dim\)"),
        ([["a"]], "X: not an array of numbers"),
        ([[1.0, np.nan]], "X: row 0 holds a value that is not a finite number"),
        (np.zeros((0, 3)), "X: no vector; give one of each healthy recording"),
    ],
)
def test_what_are_no_vectors_is_one_sentence(X: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        Detector().fit_vectors(X)


def test_sound_and_vectors_are_kept_apart() -> None:
    vectors = Detector().fit_vectors(HEALTHY)
    with pytest.raises(InputError, match=r"X: vectors of 4 numbers; .* on vectors of 5"):
        vectors.score_vectors(QUERIES[:, :4])
    with pytest.raises(InputError, match="fitted on vectors; use score_vectors"):
        vectors.score_samples([np.zeros(16_000, np.float32)], sample_rate=16_000)
    sound = [np.random.default_rng(i).normal(size=8000).astype(np.float32) for i in range(3)]
    with pytest.raises(InputError, match="fitted on recordings, not on vectors; use score_samples"):
        Detector().fit(sound, sample_rate=16_000).score_vectors(QUERIES)
