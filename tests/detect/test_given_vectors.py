"""A detector of the user's own vectors: the scores of the scorer, kept in a file like any other."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
from scipy.spatial.distance import cdist

from dgmix import (
    Detector,
    InputError,
    load_recipe,
    write_fit_report,
    write_listening_report,
)
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


def test_without_a_section_all_sections_are_compared_with() -> None:
    detector = Detector(KNN).fit_vectors(HEALTHY, sections=["a"] * 10 + ["b"] * 9)
    every = detector.score_vectors(HEALTHY + 0.01)
    assert every.max() < 0.03  # the nearest of ten would not be near the other nine


def test_data_frames_are_taken_by_the_names_of_their_columns(tmp_path: Path) -> None:
    names = ["rms", "peak", "tilt", "hum", "shaft"]
    detector = Detector(KNN).fit_vectors(polars.DataFrame(HEALTHY, schema=names))
    detector.save(tmp_path / "mine.dgmix")
    again = Detector.load(tmp_path / "mine.dgmix")
    queries = polars.DataFrame(QUERIES, schema=names)
    expected = detector.score_vectors(QUERIES)
    assert np.array_equal(again.score_vectors(queries.select(names[::-1])), expected)
    with pytest.raises(InputError, match="X: no column hum, unknown column noise; give"):
        again.score_vectors(queries.rename({"hum": "noise"}))


def test_an_update_remembers_what_is_healthy_and_can_be_taken_back() -> None:
    detector = Detector(KNN, false_alarm_rate=0.05).fit_vectors(HEALTHY)
    before = detector.score_vectors(QUERIES)
    detector.update_vectors(np.concatenate([QUERIES, HEALTHY[:3]]), conditions=["new"] * 6)
    (entry,) = detector.fitted_.updates
    assert (entry.added, entry.left_out, entry.conditions) == (2, 1, ("new",))
    assert detector.score_vectors(QUERIES[:1]) == [0]
    assert np.array_equal(detector.undo_update().score_vectors(QUERIES), before)
    assert detector.update_vectors(QUERIES, accept=True).fitted_.updates[0].added == 3


def test_verdicts_are_a_table() -> None:
    results = Detector(KNN).fit_vectors(HEALTHY).judge_vectors(QUERIES)
    assert results.verdicts == [NORMAL, NORMAL, ANOMALY]
    assert results.to_polars()["path"].to_list() == ["vector 0", "vector 1", "vector 2"]


@pytest.mark.parametrize(
    "call",
    [
        lambda detector, sound: detector.judge(sound, sample_rate=8000),
        lambda detector, sound: detector.plot(sound, sample_rate=8000),
        lambda detector, sound: detector.localize(sound, sample_rate=8000),
        lambda detector, sound: detector.update(sound, sample_rate=8000),
        lambda detector, sound: detector.measure_sensitivity(sound, sample_rate=8000),
        lambda detector, _: detector.export_onnx("folder"),
        lambda detector, sound: write_listening_report(detector, sound, "r.html", sample_rate=8000),
        lambda detector, sound: write_fit_report(detector, sound, "r.html", sample_rate=8000),
    ],
)
def test_what_needs_sound_says_so(call: Callable[[Detector, Any], object]) -> None:
    sound = [np.random.default_rng(0).normal(size=8000).astype(np.float32)]
    with pytest.raises(InputError, match="this detector was fitted on vectors"):
        call(Detector(KNN).fit_vectors(HEALTHY), sound)


@pytest.mark.parametrize(
    ("X", "sentence"),
    [
        (HEALTHY[0], r"X: shape \(5,\); give vectors \(recording, dim\)"),
        ([["a"]], "X: not an array of numbers"),
        ([["1.5"]], "X: not an array of numbers"),
        (np.ones((2, 2), complex), "X: not an array of numbers"),
        (np.full((2, 2), 1e300), "X: row 0 holds a value that is not a finite number"),
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
    with pytest.raises(InputError, match=r"fitted on vectors, and .* use .* score_vectors"):
        vectors.score_samples([np.zeros(16_000, np.float32)], sample_rate=16_000)
    sound = [np.random.default_rng(i).normal(size=8000).astype(np.float32) for i in range(3)]
    with pytest.raises(InputError, match="fitted on recordings, not on vectors; use score_samples"):
        Detector().fit(sound, sample_rate=16_000).score_vectors(QUERIES)
