"""The command line: what it prints, its exit status, and one sentence for every bad input."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import yaml

from dgmix import __version__, pipeline
from dgmix.audio.io import write_wav
from dgmix.config import RECIPES, Recipe, dump_recipe

RATE = 16_000
COMMANDS = (
    *("demo", "download", "simulate", "inspect", "run", "evaluate", "compare", "report"),
    *("fit", "score", "update", "info", "export", "doctor", "cache"),
)


Done = Any  # of the fixture dgmix: status, out, err
Command = Callable[..., Done]


@pytest.fixture(scope="module")
def recipe_file(tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recipe that trains for a step and shows no baselines."""
    values = yaml.safe_load(dump_recipe(tiny))
    values["pretrain"]["epochs"] = 1
    values["finetune"]["epochs"] = 0
    values["evaluate"] = {"bootstrap": 0, "baselines": []}
    path = tmp_path_factory.mktemp("recipe") / "mine.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.fixture
def run_on(
    dgmix: Command, in_process: None, recipe_file: Path, shared_cache: Path, tmp_path: Path
) -> Command:
    """Call `dgmix run` on data, with the recipe that trains for a step."""

    def call(data: Path, *options: object, output: Path = tmp_path / "run") -> Done:
        common = ("--cache", shared_cache, "--device", "cpu", "--jobs", 1)
        return dgmix("run", recipe_file, "-d", data, "-o", output, *common, *options)

    return call


def assert_one_sentence(done: Done, status: int, *words: object) -> None:
    assert done.status == status
    assert re.fullmatch(r"dgmix: [^\n]+\n", done.err), done.err
    for word in words:
        assert str(word) in done.err
    assert done.out == ""


def noise(seconds: float, channels: int = 1, rate: int = RATE) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(round(seconds * 1000) + channels + rate)
    return 0.1 * rng.normal(size=(round(seconds * rate), channels))


def pump(folder: Path) -> Path:
    """Write an own data set: a folder of a pump, four clips to learn from and two to test."""
    for name in ("a", "b", "c", "d", "test/normal/e", "test/anomaly/f"):
        path = folder / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_wav(path, noise(1.0)[:, 0] * (2 if "f" in name else 1), RATE)
    return folder


# What every command does


def test_help_names_every_command(dgmix: Command) -> None:
    done = dgmix("--help")
    assert done.status == 0
    for command in COMMANDS:
        assert re.search(rf"\b{command}\b", done.out)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, dgmix: Command) -> None:
    done = dgmix(command, "-h")
    assert done.status == 0
    assert f"dgmix {command}" in done.out


def test_the_version_is_told(dgmix: Command) -> None:
    assert dgmix("--version") == (0, f"dgmix {__version__}\n", "")


def test_no_command_shows_the_help(dgmix: Command) -> None:
    assert dgmix() == dgmix("--help")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["fly"], "No such command 'fly'; see dgmix --help"),
        (["scor"], "Did you mean 'score', 'doctor'? See dgmix --help"),
        (["a.dgmix", "score", "b"], "the command comes first: dgmix score a.dgmix b; see"),
        (["score", "."], ".: a folder; name the .dgmix file first"),
        (["run"], "Missing argument 'recipe'; see dgmix run --help"),
        (["run", "demo", "-o", "x"], "Missing option '--data' / '-d'; see dgmix run --help"),
        (["run", "demo", "--fast"], "No such option: --fast"),
        (["simulate", "-d", "x", "--clips", "0"], "Invalid value for '--clips'"),
    ],
)
def test_wrong_usage_is_one_sentence(
    arguments: Sequence[str], sentence: str, dgmix: Command
) -> None:
    assert_one_sentence(dgmix(*arguments), 2, sentence)


def test_an_error_of_dgmix_itself_is_one_sentence(
    run_on: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object) -> None:
        raise ZeroDivisionError("by\nzero")

    monkeypatch.setattr(pipeline, "load_manifest", fail)
    done = run_on(tmp_path)
    assert_one_sentence(done, 1, "unexpected ZeroDivisionError: by zero; --debug shows where")


def test_debug_shows_the_traceback_and_keeps_the_status(run_on: Command, tmp_path: Path) -> None:
    done = run_on(tmp_path / "nothing", "--debug")
    assert done.status == 2
    assert "Traceback (most recent call last)" in done.err
    assert done.err.splitlines()[-1].startswith(f"dgmix: {tmp_path / 'nothing'}: no such file")


def test_an_interruption_says_how_to_continue(
    run_on: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(pipeline, "load_manifest", interrupt)
    assert_one_sentence(run_on(tmp_path), 130, "stopped; the same command continues where it was")


# dgmix run


def test_run_prints_the_table_and_where_it_is(run_on: Command, tmp_path: Path) -> None:
    done = run_on(pump(tmp_path / "pump"))
    assert done.status == 0
    assert "dgmix" in done.out
    assert f"Tables: {tmp_path / 'run' / 'results.md'}" in done.out
    assert f"Report: {tmp_path / 'run' / 'report.html'}" in done.out


def test_run_takes_machines_seeds_and_changes(
    run_on: Command, simulated: Path, tmp_path: Path
) -> None:
    options = ("--machine", "fan", "--seed", 3, "--seed", 4, "--set", "detect.neighbors=2")
    assert run_on(simulated, *options).status == 0
    folders = sorted(p.parent.relative_to(tmp_path / "run") for p in tmp_path.rglob("scores.csv"))
    assert folders == [Path("fan/seed3"), Path("fan/seed4")]
    assert yaml.safe_load((tmp_path / "run/recipe.yaml").read_text())["detect"]["neighbors"] == 2


def write_sound(path: Path, samples: Any, subtype: str = "FLOAT") -> None:
    soundfile.write(path, np.asarray(samples, np.float64), RATE, subtype=subtype)


def cut(path: Path) -> None:
    write_wav(path, noise(1.0)[:, 0], RATE)
    path.write_bytes(path.read_bytes()[:-8000])


BROKEN = {
    "not audio": lambda path: path.write_text("These are words, and words do not hum.\n"),
    "zero length": lambda path: path.write_bytes(b""),
    "no samples": lambda path: write_sound(path, []),
    "NaN samples": lambda path: write_sound(path, [0.1, np.nan, 0.2]),
    "infinite samples": lambda path: write_sound(path, [0.1, np.inf, 0.2]),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_recording_is_one_sentence_that_names_it(
    kind: str, run_on: Command, tmp_path: Path
) -> None:
    broken = pump(tmp_path / "pump") / "broken.wav"
    BROKEN[kind](broken)
    done = run_on(tmp_path / "pump")
    assert done.status == 2
    (sentence,) = [line for line in done.err.splitlines() if not line.startswith("decoding: ")]
    assert sentence.startswith(f"dgmix: {broken}: ")
    assert not (tmp_path / "run/recipe.yaml").exists()


def test_a_recording_cut_short_is_used_and_named(run_on: Command, tmp_path: Path) -> None:
    short = pump(tmp_path / "pump") / "short.wav"
    cut(short)
    done = run_on(tmp_path / "pump")
    assert done.status == 0
    assert f"{short}: incomplete: 0.75 of 1.00 s are there" in done.err.splitlines()


def test_a_missing_an_empty_and_a_wrong_place_are_one_sentence(
    run_on: Command, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "words.txt").write_text("no data")
    assert_one_sentence(run_on(tmp_path / "none"), 2, tmp_path / "none", "no such file")
    assert_one_sentence(run_on(tmp_path / "empty"), 2, tmp_path / "empty", "no recordings")
    assert_one_sentence(run_on(tmp_path / "words.txt"), 2, "words.txt", "neither a folder nor")


def test_too_little_data_is_one_sentence(run_on: Command, tmp_path: Path) -> None:
    for folder, sentence in (
        ("anomaly", "no normal training clips of machine 'only'"),
        ("normal", "no test clips of machine 'only' to score"),
    ):
        data = tmp_path / folder / "only"
        (data / folder).mkdir(parents=True)
        write_wav(data / folder / "a.wav", noise(1.0)[:, 0], RATE)
        assert_one_sentence(run_on(data), 2, f"{data}: {sentence}")


def test_a_machine_that_is_not_there_is_one_sentence(run_on: Command, simulated: Path) -> None:
    done = run_on(simulated, "--machine", "pump")
    assert_one_sentence(done, 2, simulated, "there is no machine 'pump'; choose from fan, valve")


def test_an_unknown_setting_is_one_sentence(
    dgmix: Command, run_on: Command, simulated: Path, tmp_path: Path
) -> None:
    (tmp_path / "odd.yaml").write_text("pretrain: {epoch: 3}")
    done = dgmix("run", tmp_path / "odd.yaml", "-d", simulated, "-o", tmp_path / "run")
    assert_one_sentence(done, 2, f"{tmp_path / 'odd.yaml'}: unknown setting 'pretrain.epoch'")
    done = run_on(simulated, "--set", "detect.k=3")
    assert_one_sentence(done, 2, "mine.yaml: unknown setting 'detect.k'")
    done = dgmix("run", "best", "-d", simulated, "-o", tmp_path / "run")
    assert_one_sentence(
        done,
        2,
        "best: cannot be read as a recipe",
        ", ".join(RECIPES),
    )


def test_an_unreadable_folder_is_one_sentence(
    run_on: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = pump(tmp_path / "pump")
    scandir, access = os.scandir, os.access

    def scan(path: Any) -> Any:
        if Path(path) == data / "test":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    def may(path: Any, mode: int) -> bool:
        return Path(os.fsdecode(path)) != data and access(path, mode)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", scan)
        done = run_on(data)
        assert done.status == 2
        first, last = done.err.splitlines()
        assert first.startswith(f"left out: {data / 'test'}: permission denied")
        assert last.startswith(f"dgmix: {data}: no test clips of machine")
    monkeypatch.setattr(os, "access", may)
    assert_one_sentence(run_on(data), 2, f"'{data}' is not readable")


def test_an_unwritable_folder_is_one_sentence(run_on: Command, tmp_path: Path) -> None:
    data = pump(tmp_path / "pump")
    (tmp_path / "file").write_text("no folder")
    inside = tmp_path / "file" / "run"
    assert_one_sentence(run_on(data, output=inside), 2, inside, "not a directory")
    assert_one_sentence(run_on(data, "--cache", inside), 2, inside, "not a directory")


def test_a_folder_without_permission_is_one_sentence(
    run_on: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: mode & os.R_OK and access(path, mode))
    done = run_on(pump(tmp_path / "pump"))
    assert_one_sentence(done, 2, tmp_path / "run", "permission denied")


def test_a_device_that_is_not_there_is_one_sentence(run_on: Command, simulated: Path) -> None:
    assert_one_sentence(run_on(simulated, "--device", "abacus"), 2, "--device abacus")


def test_another_run_in_the_folder_is_one_sentence(
    run_on: Command, finished: Path, simulated: Path
) -> None:
    done = run_on(simulated, output=finished)
    assert_one_sentence(done, 2, finished / "recipe.yaml", "a run of another recipe")


SOUNDS = {
    "44.1 kHz": lambda path: soundfile.write(path, noise(1.0, rate=44_100), 44_100),
    "8 kHz": lambda path: soundfile.write(path, noise(1.0, rate=8_000), 8_000),
    "24-bit": lambda path: soundfile.write(path, noise(1.0), RATE, subtype="PCM_24"),
    "stereo": lambda path: soundfile.write(path, noise(1.0, channels=2), RATE),
    "shorter than a crop": lambda path: soundfile.write(path, noise(0.05), RATE),
    "one sample": lambda path: soundfile.write(path, [0.5], RATE),
    "silence": lambda path: soundfile.write(path, np.zeros(RATE), RATE),
}


@pytest.mark.parametrize("where", ["", "test/normal"])
def test_any_sound_is_handled_without_complaint(
    where: str, run_on: Command, tmp_path: Path
) -> None:
    data = pump(tmp_path / "pump")
    for number, write in enumerate(SOUNDS.values()):
        write(data / where / f"{number}.wav")
    done = run_on(data)
    assert done.status == 0
    assert "dgmix:" not in done.err
    scores = np.genfromtxt(tmp_path / "run/pump/seed0/scores.csv", delimiter=",", names=True)
    assert np.isfinite(scores["score"]).all()


def test_a_set_of_silence_is_handled_without_complaint(run_on: Command, tmp_path: Path) -> None:
    for name in ("a", "b", "c", "d", "test/normal/e", "test/anomaly/f"):
        path = tmp_path / "quiet" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_wav(path, np.zeros(RATE), RATE)
    done = run_on(tmp_path / "quiet")
    assert done.status == 0
    assert "dgmix:" not in done.err


# The other commands


def test_demo_shows_a_run(
    dgmix: Command, finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = {}

    def demo(output: Path, *, quick: bool, jobs: int | None) -> Path:
        received.update(output=output, quick=quick, jobs=jobs)
        return finished

    monkeypatch.setattr(pipeline, "demo", demo)
    done = dgmix("demo", "-o", tmp_path, "-j", 2, "--quick")
    assert received == {"output": tmp_path, "quick": True, "jobs": 2}
    assert done.status == 0
    for words in ("dgmix", "untrained encoder", "log-mel mean", "log-mel max", "Ω"):
        assert words in done.out
    assert f"Report: {finished / 'report.html'}" in done.out
    values = json.loads(dgmix("demo", "--json").out)
    assert values["report"] == str(finished / "report.html")
    same = json.loads(dgmix("evaluate", finished, "--json").out)
    assert values["systems"]["dgmix"]["omega"] == same["omega"]
    assert "untrained" in values["systems"]


def test_simulate_writes_a_set_that_inspect_describes(dgmix: Command, tmp_path: Path) -> None:
    size = ("--sections", 1, "--clips", 4, "--test-clips", 1, "--seconds", 1)
    done = dgmix("simulate", "-d", tmp_path / "set", "--machine", "slider", *size, "-j", 1)
    assert (done.status, done.out) == (0, f"{tmp_path / 'set'}\n")
    assert "simulate: 8 clips, 256 kB, less than a minute\n" in done.err
    assert len(list(tmp_path.rglob("*.wav"))) == 8
    done = dgmix("inspect", tmp_path / "set")
    assert done.status == 0
    assert re.search(r"slider +00", done.out)
    assert "16000 Hz" in done.out
    values = json.loads(dgmix("inspect", tmp_path / "set", "--json").out)
    assert (values["recordings"], values["sample_rates"]) == (8, {"16000": 8})
    assert sum(row["clips"] for row in values["clips"] if row["split"] == "train") == 4


def test_simulate_refuses_a_machine_that_it_does_not_know(dgmix: Command, tmp_path: Path) -> None:
    done = dgmix("simulate", "-d", tmp_path / "set", "--machine", "pump")
    assert_one_sentence(done, 2, "pump: no such machine")
    done = dgmix("simulate", "-d", tmp_path / "set", "--machine", "slyder")
    assert_one_sentence(done, 2, "(did you mean 'slider'?); choose from bearing")


def test_simulate_begins_nothing_that_the_disk_cannot_hold(
    dgmix: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dgmix.data.simulate.writing.free_space", lambda _: 500_000)
    size = ("--machine", "fan", "--seconds", 1, "-j", 1)
    done = dgmix("simulate", "-d", tmp_path / "set", *size)
    assert_one_sentence(done, 1, "the set takes 18.8 MB, and 500 kB are free; choose fewer clips")
    assert len(list(tmp_path.rglob("*.wav"))) == 1


# This installation


def test_doctor_fails_where_something_is_wrong(
    dgmix: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert dgmix("doctor", "--cache", tmp_path).status == 0
    monkeypatch.setattr("dgmix.doctor.free_space", lambda _: 1_000)
    done = dgmix("doctor", "--cache", tmp_path, "--json")
    assert (done.status, done.err) == (1, "")
    assert "are free on its disk" in json.loads(done.out)["problems"][0]


def test_the_cache_is_listed_and_cleared(
    dgmix: Command, run_on: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "features"
    run_on(pump(tmp_path / "pump"), "--cache", cache)
    monkeypatch.setenv("DGMIX_CACHE", str(cache))
    [store] = json.loads(dgmix("cache", "ls", "--json").out)["stores"]
    assert (store["recordings"], store["sample_rate"]) == (2, RATE)  # the same sound is kept once
    first, line = dgmix("cache", "ls").out.splitlines()
    assert first.startswith("1 store, ")
    assert line.startswith(Path(store["folder"]).name)
    assert dgmix("cache", "clear", "--older-than", 1).out.startswith("0 stores, 0 B, removed")
    assert dgmix("cache", "clear").out.startswith("1 store, ")
    assert list(cache.iterdir()) == []


def test_inspect_of_nothing_is_one_sentence(dgmix: Command, tmp_path: Path) -> None:
    assert_one_sentence(dgmix("inspect", tmp_path), 2, tmp_path, "no recordings in this folder")


def test_evaluate_prints_the_metrics_of_a_run(dgmix: Command, finished: Path) -> None:
    text = dgmix("evaluate", finished)
    assert text.status == 0
    assert text.out.startswith("dgmix, official metric of DCASE 2022, in %")
    values = json.loads(dgmix("evaluate", finished, "--json").out)
    assert values["convention"] == "official"
    assert 0 <= values["omega"] <= 1
    places = [(row["machine"], row["section"]) for row in values["rows"]]
    assert places == [("fan", "00"), ("fan", "01"), ("valve", "00"), ("valve", "01")]
    assert {"auc_source", "auc_target", "pauc"} < values["rows"][0].keys()
    same = dgmix("evaluate", finished / "fan/seed0", "--convention", "same-domain", "--json")
    assert json.loads(same.out)["convention"] == "same-domain"


@pytest.mark.parametrize("command", ["compare", "evaluate"])
def test_two_systems_are_compared(
    dgmix: Command, finished: Path, tmp_path: Path, command: str
) -> None:
    other = tmp_path / "other"
    for path in finished.glob("*/seed0/anomaly_score_*.csv"):
        other.mkdir(exist_ok=True)
        shutil.copy(path, other)
    done = dgmix(command, finished, other)
    assert done.status == 0
    assert done.out.startswith("official metric of DCASE 2022, in %")
    assert "other − run" in done.out
    assert "+0.00 [+0.00, +0.00]" in done.out
    data = json.loads(dgmix(command, finished, other, "--json", "--year", 2022).out)
    assert data["systems"] == ["run", "other"]
    if command == "compare":
        page = tmp_path / "compare.html"
        assert dgmix(command, finished, other, "-o", page).out == done.out
        assert "Ω − Ω of run" in page.read_text("utf-8")
    done = dgmix(command, finished, other, "--year", 2020)
    assert_one_sentence(done, 2, "DCASE 2020 has no fan 00")


def test_scores_of_any_system_have_a_report(dgmix: Command, finished: Path, tmp_path: Path) -> None:
    folder = tmp_path / "theirs"
    folder.mkdir()
    for path in finished.glob("*/seed0/anomaly_score_*.csv"):
        shutil.copy(path, folder)
    done = dgmix("report", folder)
    assert (done.status, done.out) == (0, f"{folder / 'report.html'}\n")
    assert "theirs" in (folder / "report.html").read_text("utf-8")
    scores = shutil.copy(finished / "fan" / "seed0" / "scores.csv", tmp_path / "mine.csv")
    done = dgmix("report", scores)
    assert (done.status, done.out) == (0, f"{tmp_path / 'mine.html'}\n")
    done = dgmix("report", scores, "-o", tmp_path / "there.html")
    assert done.out == f"{tmp_path / 'there.html'}\n"
    assert_one_sentence(dgmix("report", tmp_path / "none"), 2, "no such folder")


def test_simulate_writes_the_form_of_a_year(dgmix: Command, tmp_path: Path) -> None:
    options = ("--machine", "Sander", "--clips", 2, "--test-clips", 1, "--seconds", 1, "-j", 1)
    done = dgmix("simulate", "-d", tmp_path / "set", "--like", "dcase2026", *options)
    assert done.status == 0
    assert len(list((tmp_path / "set").glob("Sander/*/section_00_*.wav"))) == 2 + 4
    done = dgmix("simulate", "-d", tmp_path / "set", "--like", "dcase26", *options)
    assert_one_sentence(done, 2, "dcase26: unknown data set", "dcase2026")


def test_evaluate_refuses_what_it_does_not_know(
    dgmix: Command, finished: Path, tmp_path: Path
) -> None:
    done = dgmix("evaluate", finished, "--convention", "mine")
    assert_one_sentence(done, 2, "convention 'mine'", "official")
    assert_one_sentence(dgmix("evaluate", tmp_path), 2, tmp_path, "no score file here")


def test_report_is_written_again(dgmix: Command, finished: Path, tmp_path: Path) -> None:
    before = (finished / "report.html").read_bytes()
    (finished / "report.html").unlink()
    done = dgmix("report", finished)
    assert (done.status, done.out) == (0, f"{finished / 'report.html'}\n")
    assert (finished / "report.html").read_bytes() == before
    assert_one_sentence(dgmix("report", tmp_path / "no"), 2, tmp_path / "no", "no such folder")


def test_info_tells_what_a_detector_is(dgmix: Command, finished: Path, tmp_path: Path) -> None:
    detector = finished / "fan/seed0/detector.dgmix"
    values = json.loads(dgmix("info", detector, "--json").out)
    assert values["recipe"] == yaml.safe_load((finished / "recipe.yaml").read_text())
    done = dgmix("info", detector)
    assert done.status == 0
    assert done.out.startswith(f"{detector}\n\nlearned from ")
    done = dgmix("info", tmp_path / "none.dgmix")
    assert_one_sentence(done, 2, tmp_path / "none.dgmix", "no such detector file")


def test_download_asks_for_what_is_wanted(
    dgmix: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    received = {}

    def download(dataset: str, folder: Path, machines: Sequence[str], **options: Any) -> Path:
        received.update(dataset=dataset, folder=folder, machines=machines, **options)
        return folder

    monkeypatch.setattr("dgmix.data.download.download", download)
    monkeypatch.setenv("DGMIX_ZENODO_URL", "http://mirror")
    options = ("--part", "dev", "--hidden-attributes", "--names", "list.csv", "-j", 2)
    done = dgmix("download", "dcase2024", "-d", tmp_path, "--machine", "fan", *options)
    assert (done.status, done.out) == (0, f"{tmp_path}\n")
    assert received == {
        "dataset": "dcase2024",
        "folder": tmp_path,
        "machines": ["fan"],
        "parts": ["dev"],
        "hidden_attributes": True,
        "names": Path("list.csv"),
        "base_url": "http://mirror",
        "jobs": 2,
    }
