"""The engineer's path on the command line: fit, score, update, info."""

from __future__ import annotations

import csv
import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from dgmix.audio.io import write_wav
from dgmix.config import Recipe, dump_recipe
from dgmix.detect.detector import Detector
from dgmix.files import AUDIO_SUFFIXES

RATE = 16_000


Done = Any  # of the fixture dgmix: status, out, err
Command = Callable[..., Done]


@pytest.fixture(scope="module")
def recipe_file(tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    values = yaml.safe_load(dump_recipe(tiny))
    values["pretrain"] |= {"epochs": 1, "max_steps": 2}
    values["finetune"]["epochs"] = 0
    path = tmp_path_factory.mktemp("recipe") / "mine.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def write_noise(folder: Path, count: int, seed: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        sound = 0.1 * rng.standard_normal(round(rng.uniform(0.5, 1.2) * RATE))
        write_wav(folder / f"{number}.wav", sound, RATE)
    return folder


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_noise(tmp_path_factory.mktemp("healthy"), 5, seed=1)


@pytest.fixture(scope="module")
def fitted(healthy: Path, recipe_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A detector as `dgmix fit` would write it."""
    folder = tmp_path_factory.mktemp("detector")
    detector = Detector(recipe_file, cache=folder / "cache").fit(healthy)
    detector.save(folder / "pump.dgmix")
    return folder / "pump.dgmix"


@pytest.fixture
def pump(fitted: Path, tmp_path: Path) -> Path:
    """A copy that a test may change."""
    path = tmp_path / "pump.dgmix"
    path.write_bytes(fitted.read_bytes())
    return path


def assert_refused(done: Done, *words: object) -> None:
    assert (done.status, done.out) == (2, "")
    assert done.err.startswith("dgmix: ")
    assert done.err.count("\n") == 1
    for word in words:
        assert str(word) in done.err


# fit


def test_fit_writes_a_detector_and_says_what_it_can_promise(
    dgmix: Command, healthy: Path, recipe_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "new" / "pump.dgmix"
    options = ("--recipe", recipe_file, "--cache", tmp_path / "cache", "--device", "cpu")
    done = dgmix("fit", healthy, "-o", path, *options, "--seed", 3, "--set", "detect.neighbors=2")
    assert done.status == 0
    first, _, rate, new, uncertain, anomaly, then = done.out.splitlines()
    assert first.startswith(f"{path}: 5 recordings, 0.1 minutes")
    assert rate.startswith("false alarms: 16.7 % at best, of healthy recordings made like")
    assert new.startswith("new conditions: no promise: this needs recordings of several named")
    assert uncertain.startswith(
        "uncertainty: 16.7 % is an average over detectors that learn from 5 "
    )
    assert anomaly.startswith("anomaly: a score above ")
    assert then.startswith(f"next: dgmix score {path} ")
    loaded = Detector.load(path)
    assert (loaded.seed, loaded.fitted_.recipe.detect.neighbors) == (3, 2)
    done = dgmix("fit", healthy, "-o", path, *options, "--false-alarm-rate", 0.2, "--json")
    values = json.loads(done.out)
    assert values["false-alarm rate"] == 0.2
    assert (values["detector"], values["recordings"]) == (str(path), 5)
    contents = json.loads(dgmix("info", path, "--json").out)
    assert (values["unlike the others"], values["unlike in quality"]) == ([], [])
    assert {name: values[name] for name in values if name in contents} == {
        name: contents[name] for name in contents if name in values
    }


def test_fit_says_what_each_recording_is_compared_with(dgmix: Command, tmp_path: Path) -> None:
    for number, day in enumerate(("pump 1", "pump 2")):
        write_noise(tmp_path / "pump" / day, 3, seed=number)
    done = dgmix("fit", tmp_path / "pump", "-o", tmp_path / "pump.dgmix")
    assert "sections: pump 1: 3, pump 2: 3; a recording is compared with those of its" in done.out


def test_fit_names_what_is_unlike_all_others_and_counts_copies(
    dgmix: Command, tmp_path: Path
) -> None:
    folder = write_noise(tmp_path / "pump", 30, seed=1)
    write_wav(folder / "off.wav", 1e-4 * np.random.default_rng(2).standard_normal(RATE), RATE)
    (folder / "copy.wav").write_bytes((folder / "0.wav").read_bytes())
    done = dgmix("fit", folder, "-o", tmp_path / "pump.dgmix")
    assert "32 recordings, 0.4 minutes (which count as 31: the others are copies" in done.out
    line, *_ = [line for line in done.out.splitlines() if line.startswith("unlike the others: ")]
    assert line.startswith("unlike the others: off.wav (")
    assert "quality: off.wav: " in done.out
    options = ("--leave-out", "off.wav", "--report", tmp_path / "fit.html")
    done = dgmix("fit", folder, "-o", tmp_path / "pump.dgmix", *options)
    assert "copy.wav" in (tmp_path / "fit.html").read_text("utf-8")
    assert f"report: {tmp_path / 'fit.html'}" in done.out
    assert "left out: off.wav: named by --leave-out" in done.err
    assert "off.wav" not in done.out
    done = dgmix("fit", folder, "-o", tmp_path / "pump.dgmix", "--leave-out", "none*")
    assert (done.status, done.err.count("\n")) == (2, 1)


@pytest.mark.parametrize("name", [f"kept{suffix}" for suffix in AUDIO_SUFFIXES])
def test_no_recording_is_written_over(
    name: str, dgmix: Command, fitted: Path, healthy: Path, tmp_path: Path
) -> None:
    kept = tmp_path / name
    kept.write_text("a recording")
    for arguments in (
        ("fit", healthy, "-o", kept),
        ("update", fitted, healthy, "-o", kept),
        ("score", fitted, healthy, "--csv", kept),
        ("score", fitted, healthy, "--csv", fitted),
        ("report", fitted, healthy, "-o", kept),
        ("report", fitted, healthy, "-o", fitted),
    ):
        done = dgmix(*arguments)
        assert done.status == 2
        assert "exists, and would be overwritten; name another file, for example" in done.err
    assert kept.read_text() == "a recording"
    assert dgmix("info", fitted).status == 0


def test_the_table_that_is_scored_is_not_written_over(
    dgmix: Command, fitted: Path, healthy: Path, tmp_path: Path
) -> None:
    table = tmp_path / "asked.csv"
    table.write_text(f"path\n{healthy / '0.wav'}\n")
    done = dgmix("score", fitted, table, "--csv", table)
    assert "asked.csv: exists, and would be overwritten; name another file" in done.err
    assert dgmix("score", fitted, table, "--csv", tmp_path / "new.csv").status == 0


def test_three_healthy_recordings_do_not_accuse_each_other(dgmix: Command, tmp_path: Path) -> None:
    for seed in range(4):
        folder = write_noise(tmp_path / f"three{seed}", 3, seed)
        assert "unlike" not in dgmix("fit", folder, "-o", tmp_path / "three.dgmix").out


def test_one_recording_finds_nothing_and_says_so(dgmix: Command, tmp_path: Path) -> None:
    one = write_noise(tmp_path / "one", 1, seed=1)
    others = write_noise(tmp_path / "others", 2, seed=2)
    lines = dgmix("fit", one, "-o", tmp_path / "one.dgmix").out.splitlines()
    assert lines[2] == (
        "false alarms: no verdicts yet: there is 1 recording, and a recording counts once, however "
        "long it is (10 % needs 9, 5 % needs 19 recordings)"
    )
    assert lines[-1].startswith(f"next: dgmix update {tmp_path / 'one.dgmix'} FILE_OR_FOLDER adds")
    done = dgmix("score", tmp_path / "one.dgmix", others)
    assert "'normal' says nothing here: with so few healthy recordings no score" in done.out
    more = sorted(write_noise(tmp_path / "more", 2, seed=3).iterdir())
    dgmix("update", tmp_path / "one.dgmix", *more)
    assert "says nothing here" not in dgmix("score", tmp_path / "one.dgmix", others).out


def test_fit_takes_files_and_patterns(dgmix: Command, tmp_path: Path) -> None:
    folder, out = write_noise(tmp_path / "three", 3, seed=1), tmp_path / "three.dgmix"
    for given in ([f"{folder}/*.wav"], sorted(folder.iterdir())):
        done = dgmix("fit", *given, "-o", out)
        assert done.out.startswith(f"{out}: 3 recordings, "), done.err


def test_fit_refuses_before_it_learns(
    dgmix: Command, healthy: Path, recipe_file: Path, tmp_path: Path
) -> None:
    assert_refused(dgmix("fit", healthy, "-o", tmp_path), tmp_path, "a folder; name a file in it")
    assert_refused(dgmix("fit", healthy, "-o", tmp_path / "x", "--recipe", "none"), "none")
    empty = tmp_path / "empty"
    empty.mkdir()
    options = ("-o", tmp_path / "x.dgmix", "--recipe", recipe_file, "--device", "cpu")
    assert_refused(dgmix("fit", empty, *options), empty, "no recordings")
    done = dgmix("fit", healthy, *options, "--false-alarm-rate", 5)
    assert_refused(done, "false-alarm rate 5.0: choose one between 0 and 1")
    assert_refused(dgmix("score", healthy, tmp_path), healthy, "a folder; name the .dgmix file")


# score


def test_score_prints_a_table(dgmix: Command, fitted: Path, healthy: Path) -> None:
    done = dgmix("score", fitted, healthy)
    assert done.status == 0
    heading, *rows, summary, flagged, known = done.out.splitlines()
    assert flagged.startswith("Flagged: a score above ")
    assert heading.split() == [f"{healthy}/", "score", "p-value", "verdict"]
    assert [row.split()[0] for row in rows] == [f"{number}.wav" for number in range(5)]
    assert summary.startswith(
        "5 recordings: 0 anomalies, 5 normal, at a false-alarm rate of 16.7 %"
    )
    assert known.startswith("The detector learned from 5 of them")
    assert "scoring: 5/5" in done.err


def test_score_agrees_with_python_in_every_form(
    dgmix: Command, fitted: Path, tmp_path: Path
) -> None:
    queries = write_noise(tmp_path / "asked", 4, seed=2)
    detector = Detector.load(fitted)
    paths = sorted(queries.iterdir())
    scores, p_values = detector.score_samples(paths), detector.p_values(paths)
    lines = dgmix("score", fitted, queries, "--json").out.splitlines()
    dgmix("score", fitted, queries, "--csv", tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    for form in ([json.loads(line) for line in lines], rows):
        assert [each["path"] for each in form] == [str(path) for path in paths]
        np.testing.assert_allclose([float(each["score"]) for each in form], scores, atol=1e-5)
        assert [float(each["p_value"]) for each in form] == p_values.tolist()


def test_a_broken_recording_does_not_stop_the_rest(
    dgmix: Command, fitted: Path, healthy: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF no sound")
    arguments = (healthy / "0.wav", broken, tmp_path / "none.wav", healthy / "1.wav")
    done = dgmix("score", fitted, *arguments)
    assert done.status == 1
    assert [row.split()[3].rstrip(":") for row in done.out.splitlines()[1:5]] == [
        "normal",
        "unreadable",
        "unreadable",
        "normal",
    ]
    assert done.err.splitlines()[-1] == (
        "dgmix: 2 recordings of 4 could not be read; the reason stands with each"
    )
    done = dgmix("score", fitted, *arguments, "--json")
    assert done.status == 1
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert [sorted(each) for each in rows[1:3]] == [["error", "path"]] * 2
    assert dgmix("score", fitted, *arguments, "--csv", tmp_path / "out.csv").status == 1
    assert (tmp_path / "out.csv").read_text().count(",,,unreadable") == 2


def test_score_reads_standard_input(
    dgmix: Command, fitted: Path, healthy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = (healthy / "2.wav").read_bytes()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    done = dgmix("score", fitted, "-", "--json")
    assert done.status == 0
    assert json.loads(done.out)["path"] == "standard input"


def test_a_rate_that_is_not_supported_is_refused(
    dgmix: Command, fitted: Path, healthy: Path, tmp_path: Path
) -> None:
    done = dgmix("score", fitted, healthy, "--false-alarm-rate", 0.01, "--csv", tmp_path / "x.csv")
    assert_refused(done, "a false-alarm rate of 0.01 needs 99 healthy recordings")
    assert not (tmp_path / "x.csv").exists()
    assert "rate of 50 % for" in dgmix("score", fitted, healthy, "--false-alarm-rate", 0.5).out


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--json", "--csv", "x.csv"), "choose one of them"),
        (("--condition", "winter"), "nothing is promised of new conditions"),
        (("--promise", "new"), "nothing is promised of new conditions"),
        (("--section", "07"), "section 07: the detector does not know it"),
    ],
)
def test_score_refuses_what_makes_no_sense(
    options: tuple[str, ...], words: str, dgmix: Command, fitted: Path, healthy: Path
) -> None:
    assert_refused(dgmix("score", fitted, healthy, *options), words)


# update, info


def test_update_adds_a_condition(dgmix: Command, pump: Path, healthy: Path, tmp_path: Path) -> None:
    before = pump.read_bytes()
    winter = write_noise(tmp_path / "winter", 3, seed=5)
    other = tmp_path / "other.dgmix"
    done = dgmix("update", pump, winter, "-o", other, "--condition", "winter", "--accept")
    assert done.status == 0
    first, rate, new, uncertain, conditions, back = done.out.splitlines()
    assert first.startswith(f"{other}: 3 recordings added; now 8 recordings, 0.1 minutes (3 of")
    assert rate.startswith("false alarms: 11.2 % at best, of healthy recordings made like")
    assert new.startswith("new conditions: 33.4 % at best, of healthy recordings of a condition")
    assert uncertain.startswith(
        "uncertainty: 11.2 % is an average over detectors that learn from 8 "
    )
    assert conditions.startswith("conditions: source: 5, winter: 3")
    assert back == f"to take this back: dgmix update {other} --undo"
    assert pump.read_bytes() == before
    output = dgmix("score", other, winter, "--condition", "source").out
    assert "at a false-alarm rate of 16.7 %" in output
    both = dgmix("score", other, winter, "--promise", "both", "--false-alarm-rate", 0.4).out
    assert "p-new" in both.splitlines()[0]
    assert "or of a condition drawn like theirs" in both


def test_an_update_is_taken_back(dgmix: Command, pump: Path, tmp_path: Path) -> None:
    before = pump.read_bytes()
    more = write_noise(tmp_path / "more", 2, seed=7)
    values = json.loads(dgmix("update", pump, more, "--accept", "--json").out)
    assert (values["given"], values["recordings"]) == (2, 7)
    assert pump.read_bytes() != before
    done = dgmix("update", pump, "--undo")
    assert done.out.startswith(f"{pump}: the update of 20")
    assert "2 recordings, is taken back; now 5 recordings" in done.out
    assert pump.read_bytes() == before
    assert_refused(dgmix("update", pump, "--undo"), "never updated; there is nothing to undo")
    assert_refused(dgmix("update", pump), "give a folder of healthy recordings, or --undo")
    assert_refused(dgmix("update", pump, more, "--undo"), "give a folder")


def test_the_highest_score_comes_first_where_it_is_asked_for(
    dgmix: Command, fitted: Path, tmp_path: Path
) -> None:
    folder = write_noise(tmp_path / "new", 4, seed=9)
    lines = dgmix("score", fitted, folder, "--json", "--sort", "score").out.splitlines()
    scores = [json.loads(line)["score"] for line in lines]
    assert scores == sorted(scores, reverse=True)


def test_the_same_file_has_the_same_p_however_its_path_is_typed(
    dgmix: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, day in enumerate(("east", "west")):
        write_noise(tmp_path / "pump" / day, 4, seed=number)
    detector = tmp_path / "pump.dgmix"
    dgmix("fit", tmp_path / "pump", "-o", detector, "--cache", tmp_path / "cache")
    new = write_noise(tmp_path / "new" / "east", 1, seed=8)
    monkeypatch.chdir(new)
    ways = ("0.wav", "../east/0.wav", new, tmp_path / "new", f"{tmp_path}/new/*/0.wav")
    assert json.loads(dgmix("info", detector, "--json").out)["sections"] == {
        "east": 4,
        "west": 4,
    }
    p_values = []
    for way in ways:
        (line,) = dgmix("score", detector, way, "--json").out.splitlines()
        values = json.loads(line)
        p_values.append((values["section"], values["score"], values["p_value"]))
    assert p_values == [p_values[0]] * len(ways)
    assert p_values[0][0] == "east"
    (line,) = dgmix("score", detector, "0.wav", "--json", "--section", "west").out.splitlines()
    assert json.loads(line)["section"] == "west"


def test_recordings_and_conditions_are_found_in_names(dgmix: Command, tmp_path: Path) -> None:
    folder = write_noise(tmp_path / "pump", 6, seed=1)
    for number, path in enumerate(sorted(folder.iterdir())):
        path.rename(folder / f"day{number // 2}_speed{number % 3}_{number}.wav")
    options = ("--recordings-from", r"(day\d)", "--conditions-from", r"speed(\d)")
    done = dgmix("fit", folder, "-o", tmp_path / "a.dgmix", *options)
    assert "6 recordings, 0.1 minutes (which count as 3" in done.out
    values = json.loads(dgmix("info", tmp_path / "a.dgmix", "--json").out)
    assert values["conditions"] == {"0": 2, "1": 2, "2": 2}
    assert values["promises"]["new conditions"]["conditions"] == 3


def test_update_leaves_out_what_is_known(dgmix: Command, pump: Path, healthy: Path) -> None:
    done = dgmix("update", pump, healthy)
    assert done.out.startswith(
        f"{pump}: 0 recordings added, 5 left out because it has learned from them; now 5"
    )


def test_an_update_that_fails_leaves_the_detector(
    dgmix: Command, pump: Path, tmp_path: Path
) -> None:
    before = pump.read_bytes()
    more = write_noise(tmp_path / "more", 2, seed=6)
    (more / "z.wav").write_bytes(b"RIFF no sound")
    assert_refused(dgmix("update", pump, more), more / "z.wav")
    assert pump.read_bytes() == before


def test_info_is_a_page_or_json(dgmix: Command, fitted: Path) -> None:
    page = dgmix("info", fitted).out
    for text in (
        "learned from    5 recordings",
        "false alarms    16.7 %",
        "uncertainty     16.7 %",
        "settings:",
    ):
        assert text in page
    values = json.loads(dgmix("info", fitted, "--json").out)
    assert values["recordings"] == 5
    assert values["recipe"]["features"]["n_mels"] == 32


# Real flights


def test_every_broken_propeller_is_an_anomaly(
    dgmix: Command, real_data: Path, recipe_file: Path, shared_cache: Path, tmp_path: Path
) -> None:
    flights, path = real_data / "uav_propeller", tmp_path / "uav.dgmix"
    options = ("--recipe", recipe_file, "--cache", shared_cache, "--device", "cpu")
    assert dgmix("fit", flights / "normal" / "cw_square", "-o", path, *options).status == 0
    done = dgmix("score", path, flights / "broken" / "cw_square", "--json")
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert len(rows) == 4
    assert all(each["verdict"] == "ANOMALY" for each in rows)
    assert all(each["p_value"] == pytest.approx(1 / 9) for each in rows)


def test_fit_goes_on_without_files_of_no_use_and_lists_all_of_them(
    dgmix: Command, tmp_path: Path
) -> None:
    folder = write_noise(tmp_path / "pump", 6, seed=3)
    (folder / "empty.wav").touch()
    (folder / "text.wav").write_text("no sound")
    (folder / "text2.wav").write_text("no sound")
    (folder / "memo.m4a").write_bytes(b"\0\0\0\x1cftypM4A ")
    write_wav(folder / "silence.wav", np.zeros(RATE), RATE)
    (folder / "notes.csv").touch()
    (folder / "memo.raw").touch()
    (folder / "short.wav").write_bytes((folder / "0.wav").read_bytes()[:8044])
    done = dgmix("fit", folder, "-o", tmp_path / "pump.dgmix", "--cache", tmp_path / "cache")
    assert done.status == 0
    left_out = [line for line in done.err.splitlines() if line.startswith("left out: ")]
    assert [line.split(":")[1].strip() for line in left_out] == [
        "1 file that is no recording by the end of the name (.raw 1)",
        *("empty.wav", "memo.m4a", "silence.wav", "text.wav", "text2.wav"),
    ]
    assert "short.wav: incomplete: 0.25 of" in done.err
    assert "7 recordings" in done.out
    assert dgmix("fit", folder, "-o", tmp_path / "pump.dgmix").status == 0
    for name in ("0", "1", "2", "3", "4", "5", "short"):
        (folder / f"{name}.wav").unlink()
    done = dgmix("fit", folder, "-o", tmp_path / "pump.dgmix")
    assert done.status == 2
    assert "none of 5 recordings can be learned from" in done.err


def test_fit_leaves_out_what_names_call_faulty_and_says_so(dgmix: Command, tmp_path: Path) -> None:
    folder = write_noise(tmp_path / "pump" / "good", 4, seed=4).parent
    write_noise(folder / "NG" / "knock", 2, seed=5)
    done = dgmix("fit", folder, "-o", tmp_path / "pump.dgmix")
    assert "4 recordings" in done.out
    assert "not learned from: 2 anomalies by the name, NG/knock/0.wav ('NG')" in done.err
    done = dgmix("fit", folder / "NG" / "knock", "-o", tmp_path / "pump.dgmix")
    assert done.status == 2
    assert "no healthy recordings to learn from; by their names or folders 2 are" in done.err


@pytest.mark.skipif(sys.platform != "linux", reason="names in other encodings")
def test_names_in_other_encodings_stop_no_command(
    dgmix: Command, fitted: Path, tmp_path: Path
) -> None:
    folder = write_noise(tmp_path / "pump", 2, seed=6)
    (folder / "0.wav").rename(os.fsdecode(os.fsencode(folder) + b"/k\xfchler.wav"))
    done = dgmix("score", fitted, folder, "--json")
    assert done.status == 0
    paths = [json.loads(line)["path"] for line in done.out.splitlines()]
    assert paths == [f"{folder}/1.wav", f"{folder}/k\\xfchler.wav"]
    done = dgmix("score", fitted, folder, "--csv", "-")
    assert [row["path"] for row in csv.DictReader(io.StringIO(done.out))] == paths[:2]
    assert "2 recordings" in done.err
    assert dgmix("score", fitted, folder).status == 0
    done = dgmix("report", fitted, folder, "-o", tmp_path / "report.html")
    assert done.status == 0
    assert "k\\xfchler.wav" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_a_folder_with_brackets_in_its_name_is_scored(
    dgmix: Command, fitted: Path, tmp_path: Path
) -> None:
    folder = write_noise(tmp_path / "hall [1]", 2, seed=7)
    assert "2 recordings" in dgmix("score", fitted, f"{folder}/*.wav").out


def test_fit_tells_which_planted_faults_it_would_find_and_info_too(
    dgmix: Command, make_clips: Callable[..., list[Path]], tmp_path: Path
) -> None:
    folder = make_clips([0.4] * 4)[0].parent
    few = ("--set", "detect.views=[logmel-mean, logmel-max]")
    done = dgmix("fit", folder, "-o", tmp_path / "a.dgmix", "--sensitivity", *few)
    assert done.status == 0
    assert "what it would find, by faults planted in 4 healthy recordings" in done.out
    table = [line for line in done.out.splitlines() if line.startswith("everything louder")]
    assert table
    assert table[0] in dgmix("info", tmp_path / "a.dgmix").out
    values = json.loads(dgmix("info", tmp_path / "a.dgmix", "--json").out)["sensitivity"]
    assert values["learned_from"] == 4
    louder = next(each for each in values["responses"] if each["name"] == "everything louder")
    assert len(louder["detected"]) == len(louder["interval"]) == len(louder["strengths"]) == 7
    dgmix("update", tmp_path / "a.dgmix", make_clips([0.4] * 2, 7)[0].parent, "--accept")
    text = dgmix("info", tmp_path / "a.dgmix").out
    assert "(measured when it had learned from 4 recordings)" in text


def test_choose_writes_a_recipe_that_fit_takes(
    dgmix: Command,
    make_clips: Callable[..., list[Path]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("dgmix.detect.planting.choosing.LEAST_PLANTINGS", 1)
    monkeypatch.setattr("dgmix.detect.planting.choosing.FEW_PLANTINGS", 2)
    monkeypatch.setattr("dgmix.detect.planting.measuring.FEW_PLANTINGS", 2)
    folder, recipe = make_clips([0.4] * 8)[0].parent, tmp_path / "mine.yaml"
    few = ("--set", "detect.views=[logmel-mean, logmel-max]")
    done = dgmix("choose", folder, "-o", recipe, "--quick", *few)
    assert done.status == 0
    assert done.out.startswith(f"{recipe}: ")
    assert "with rhythm" in done.out
    assert "what it would find" in done.out
    assert done.out.endswith(f"next: dgmix fit FOLDER --recipe {recipe} -o machine.dgmix\n")
    assert dgmix("fit", folder, "--recipe", recipe, "-o", tmp_path / "a.dgmix").status == 0
    assert dgmix("choose", folder, "-o", tmp_path).status == 2
