"""`dgmix compare`: systems side by side."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from dgmix.errors import InputError
from dgmix.evaluate import evaluate_scores
from dgmix.evaluate.comparison import compare_scores
from dgmix.evaluate.intervals import resample
from dgmix.evaluate.scores import write_scores, write_submission


@pytest.fixture
def scores(make_scores, named):
    return named(make_scores(("fan", "valve"), ("00", "01"), clips=30))


def shaken(scores, by=0.3):
    noise = pl.Series(np.random.default_rng(8).normal(scale=by, size=len(scores)))
    return scores.with_columns(score=pl.col("score") + noise)


@pytest.fixture
def folders(scores, tmp_path):
    """The same clips as scored by a run of dgmix and by another system, in submission form."""
    write_scores(tmp_path / "ours" / "fan" / "seed0" / "scores.csv", scores)
    write_submission(tmp_path / "theirs", shaken(scores))
    return tmp_path / "ours", tmp_path / "theirs"


def test_differences_are_those_of_the_paired_resamples(folders, scores):
    comparison = compare_scores(folders, bootstrap=200)
    assert comparison.systems == ["ours", "theirs"]
    both = pl.concat([scores, shaken(scores).with_columns(system=pl.lit("other"))])
    judged = resample(both, bootstrap=200)
    for machine, of in (("fan", "fan"), ("valve", "valve"), ("all machines", None)):
        assert comparison.omegas[machine]["ours"] == pytest.approx(
            judged.estimate("dgmix", machine=of), nan_ok=True
        )
        wanted = judged.difference("other", "dgmix", machine=of)
        assert comparison.differences[machine]["theirs"] == pytest.approx(wanted, nan_ok=True)
        assert comparison.differences[machine]["ours"] is None
    whole, alone = (
        comparison.differences["all machines"]["theirs"],
        comparison.omegas["all machines"]["ours"],
    )
    assert whole.low < whole.value < whole.high
    assert whole.high - whole.low < alone.high - alone.low


def test_values_are_those_of_evaluate(folders):
    comparison = compare_scores(folders, bootstrap=10)
    for folder in folders:
        alone = evaluate_scores(folder, bootstrap=10)
        assert comparison.omegas["all machines"][folder.name].value == pytest.approx(alone.omega)
        mean = alone.machines["fan"]["harmonic"]["omega"]
        assert comparison.omegas["fan"][folder.name].value == pytest.approx(mean)
    assert comparison.year == alone.year == 2022


def test_text_and_json(folders):
    comparison = compare_scores(folders, bootstrap=10)
    lines = comparison.to_text().splitlines()
    assert lines[0] == "official metric of DCASE 2022, in %"
    assert lines[2].split("  ")[0] == "Ω"
    assert lines[2].rstrip().endswith("theirs − ours")
    difference = comparison.differences["fan"]["theirs"]
    assert lines[3].endswith(
        f"{100 * difference.value:+.2f} [{100 * difference.low:+.2f}, {100 * difference.high:+.2f}]"
    )
    data = json.loads(comparison.to_json())
    assert data["differences"]["fan"]["ours"] is None
    assert data["differences"]["fan"]["theirs"]["value"] == difference.value
    assert data["differences"]["fan"]["theirs"]["error"] is None


def test_a_system_against_itself_is_exactly_the_same(folders, tmp_path):
    (tmp_path / "again").symlink_to(folders[0])
    comparison = compare_scores([folders[0], tmp_path / "again"], bootstrap=50)
    assert comparison.differences["all machines"]["again"][:3] == (0, 0, 0)


def test_one_run_alone_is_all_its_systems(make_scores, tmp_path):
    for system, name in (("dgmix", "scores.csv"), ("logmel-max", "scores_logmel-max.csv")):
        part = make_scores().with_columns(system=pl.lit(system))
        write_scores(tmp_path / name, part)
    comparison = compare_scores([tmp_path], bootstrap=5)
    assert comparison.systems == ["dgmix", "log-mel max"]


def test_sections_of_one_system_alone_are_left_out(folders, scores, tmp_path):
    write_submission(tmp_path / "part", scores.filter(machine="fan", section="01"))
    comparison = compare_scores([*folders, tmp_path / "part"], bootstrap=5)
    assert list(comparison.omegas) == ["fan", "all machines"]
    assert (
        "Left out, for not every system has scored it: fan 00, valve 00, valve 01."
        in comparison.notes
    )


def test_other_clips_are_refused(folders, scores, tmp_path):
    write_submission(tmp_path / "fewer", scores.head(-1))
    with pytest.raises(
        InputError, match=r"did not score the same clips of valve 01: section_01_.* is"
    ):
        compare_scores([folders[0], tmp_path / "fewer"])
    write_submission(tmp_path / "other", scores.with_columns(machine=pl.lit("pump")))
    with pytest.raises(InputError, match="no machine and section that all have scored"):
        compare_scores([folders[0], tmp_path / "other"])


def test_arguments_that_cannot_be_used(folders):
    with pytest.raises(InputError, match="nothing to compare"):
        compare_scores([])
    with pytest.raises(InputError, match="scores of one system; give another one"):
        compare_scores(folders[:1])
    with pytest.raises(InputError, match="given 2 times"):
        compare_scores([folders[0], folders[0]])
    with pytest.raises(InputError, match="choose from official, same-domain"):
        compare_scores(folders, "other")


def test_seeds_that_only_one_has_are_left_out(make_scores, named, tmp_path):
    for name, seeds in (("three", (0, 1, 2)), ("one", (0,))):
        table = named(make_scores(seeds=seeds))
        for (seed,), part in table.group_by("seed"):
            write_scores(tmp_path / name / f"seed{seed}" / "scores.csv", part)
    comparison = compare_scores([tmp_path / "three", tmp_path / "one"], bootstrap=5)
    assert comparison.differences["fan"]["one"].value == 0
    assert any("not all of the same seeds" in note for note in comparison.notes)
    write_scores(tmp_path / "late" / "seed7" / "scores.csv", named(make_scores(seeds=(7,))))
    comparison = compare_scores([tmp_path / "one", tmp_path / "late"], bootstrap=5)
    assert "undefined" in comparison.to_text()
