from __future__ import annotations

import json
from math import ceil

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score, precision_score, recall_score

from dgmix.errors import InputError
from dgmix.evaluate import evaluate_scores
from dgmix.evaluate.decisions import decide, healthy_threshold, read_decisions, write_decisions
from dgmix.evaluate.scores import write_submission


@given(st.lists(st.floats(-9, 9), min_size=1, max_size=60), st.floats(0.01, 0.9))
def test_at_most_the_rate_of_healthy_clips_is_above_the_threshold(scores, rate):
    limit = healthy_threshold(np.array(scores), rate)
    above = sum(score > limit for score in scores)
    assert limit in scores
    assert above <= rate * (len(scores) + 1)
    if ceil((len(scores) + 1) * (1 - rate)) >= len(scores):
        assert limit == max(scores)


def test_a_threshold_needs_healthy_clips():
    with pytest.raises(ValueError, match="no healthy scores"):
        healthy_threshold(np.array([]))


def test_decisions_in_submission_form_and_their_rates(make_scores, named, tmp_path):
    scores = named(make_scores(("fan", "valve"), ("00", "01"), clips=20, gap=2.0))
    healthy = np.random.default_rng(1).normal(size=40)
    decided = decide(scores, healthy, ["00"] * 20 + ["01"] * 20)
    limits = {
        s: healthy_threshold(part)
        for s, part in zip(("00", "01"), np.split(healthy, 2), strict=True)
    }
    write_submission(tmp_path, scores)
    written = write_decisions(tmp_path, decided)
    assert [path.name for path in written][:1] == ["decision_result_fan_section_00_test.csv"]
    assert {line[-2:] for path in written for line in path.read_text().split()} == {",0", ",1"}
    decisions = read_decisions(tmp_path, scores, "dgmix")
    assert len(decisions) == 2 * 2 * 2
    for each in decisions:
        part = scores.filter(machine=each.machine, section=each.section, domain=each.domain)
        truth = (part["label"] == "anomaly").to_numpy()
        flagged = (part["score"] > limits[each.section]).to_numpy()
        assert each[3:] == pytest.approx(
            [f(truth, flagged) for f in (precision_score, recall_score, f1_score)]
        )
    result = evaluate_scores(tmp_path, bootstrap=0)
    assert "Decisions, in %" in result.to_text()
    assert len(json.loads(result.to_json())["decisions"]) == 8


def test_a_section_without_healthy_clips_has_the_threshold_of_all(make_scores, named):
    scores = make_scores(("fan",), ("00", "05"))
    decided = decide(scores, np.arange(20.0) / 20, ["00"] * 20)
    other = decided.filter(section="05")["score"].to_numpy()
    limit = healthy_threshold(np.arange(20.0) / 20)
    assert (
        other.tolist() == (scores.filter(section="05")["score"] > limit).cast(pl.Float64).to_list()
    )


def test_seeds_are_averaged_and_unlabelled_clips_left_out(make_scores, named, tmp_path):
    scores = named(make_scores(clips=4))
    for seed, value in ((0, 1.0), (1, 0.0)):
        write_decisions(tmp_path / f"seed{seed}", scores.with_columns(score=pl.lit(value)))
    for each in read_decisions(tmp_path, scores, "dgmix"):
        assert each[3:] == pytest.approx([0.25, 0.5, 1 / 3])
    assert read_decisions(tmp_path, scores.with_columns(label=pl.lit("unknown")), "dgmix") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a.wav,2", "line 1: expected a file name and 0 or 1"),
        ("a.wav,1", r"'a\.wav' has no anomaly"),
    ],
)
def test_damaged_decisions_are_refused(make_scores, named, tmp_path, text, message):
    (tmp_path / "decision_result_fan_section_00_test.csv").write_text(text)
    with pytest.raises(InputError, match=message):
        read_decisions(tmp_path, named(make_scores()), "dgmix")


@pytest.mark.parametrize(("separator", "encoding"), [(";", "utf-16"), ("\t", "utf-8-sig")])
def test_decisions_are_read_as_spreadsheets_write_them(
    make_scores, named, tmp_path, separator, encoding
):
    scores = named(make_scores(clips=4))
    write_decisions(tmp_path, scores.with_columns(score=pl.lit(1.0)))
    expected = read_decisions(tmp_path, scores, "dgmix")
    for path in tmp_path.glob("decision_result_*.csv"):
        path.write_text(path.read_text().replace(",", separator), encoding)
    assert read_decisions(tmp_path, scores, "dgmix") == expected != []


def test_decisions_of_another_system_are_left_alone(make_scores, named, tmp_path):
    scores = named(make_scores(clips=4))
    for name in ("ours", "theirs"):
        write_submission(tmp_path / name, scores)
        write_decisions(tmp_path / name, scores.with_columns(score=pl.lit(float(name == "ours"))))
    assert evaluate_scores(tmp_path, bootstrap=0, system="ours").decisions[0]["recall"] == 1
    assert evaluate_scores(tmp_path, bootstrap=0, system="theirs").decisions[0]["recall"] == 0
    assert read_decisions(tmp_path, scores, "others") == []
