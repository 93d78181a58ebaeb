"""Files of vectors on the command line: as in Python, or one sentence on why not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest

from dgmix import Detector
from dgmix.audio.io import write_wav

Command = Callable[..., Any]
HEALTHY = np.random.default_rng(0).normal(size=(19, 5)).astype(np.float32)
QUERIES = np.concatenate([HEALTHY[:2] + 0.1, HEALTHY[:1] + 50]).astype(np.float32)
NAMES = [f"band {number}" for number in range(5)]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    np.save("healthy.npy", HEALTHY)
    np.save("new.npy", QUERIES)
    polars.DataFrame(HEALTHY, schema=NAMES).write_csv("healthy.csv")
    polars.DataFrame(QUERIES, schema=NAMES).select(NAMES[::-1]).write_parquet("new.parquet")
    Detector().fit_vectors(HEALTHY).save("v.dgmix")
    return tmp_path


def test_fit_and_score_give_what_python_gives(folder: Path, dgmix: Command) -> None:
    expected = Detector().fit_vectors(HEALTHY).judge_vectors(QUERIES).rows()
    assert "vectors of 19 recordings" in dgmix("fit", "healthy.npy", "-o", "x.dgmix").out
    assert not dgmix("fit", "healthy.csv", "--vectors", "-o", "named.dgmix").status
    for detector, given in (("x.dgmix", "new.npy"), ("named.dgmix", "new.parquet")):
        done = dgmix("score", detector, given, "--json")
        rows = [json.loads(line) for line in done.out.splitlines()]
        assert [row["path"] for row in rows] == [f"{given}:{number}" for number in range(3)]
        for key in ("score", "p_value", "p_new", "verdict", "section", "condition"):
            assert [row[key] for row in rows] == [row[key] for row in expected]
    assert "new.npy:2      " in dgmix("score", "x.dgmix", "new.npy").out
    assert "numbers         band 0, band 1" in dgmix("info", "named.dgmix").out


def test_update_adds_what_is_healthy(folder: Path, dgmix: Command) -> None:
    done = dgmix("update", "v.dgmix", "new.npy", "--condition", "night")
    assert "2 recordings added, 1 left out because they look like faults" in done.out
    assert Detector.load("v.dgmix").summary()["conditions"] == {"night": 2, "source": 19}
    assert not dgmix("update", "v.dgmix", "--undo").status
    assert Detector.load("v.dgmix").summary()["files"] == 19


def test_inspect_and_info_tell_what_is_there(folder: Path, dgmix: Command) -> None:
    assert dgmix("inspect", "new.npy").out == "new.npy: 3 vectors of 5 numbers\n"
    assert json.loads(dgmix("inspect", "new.parquet", "--json").out)["feature_names"] == NAMES[::-1]
    values = json.loads(dgmix("info", "v.dgmix", "--json").out)
    assert (values["band"], values["channels"], values["views"]) == (
        None,
        None,
        {"vectors": [19, 5]},
    )
    assert "anomalous vectors" in dgmix("info", "v.dgmix", "--card").out


def test_what_cannot_be_is_one_sentence(folder: Path, dgmix: Command) -> None:
    np.save("narrow.npy", QUERIES[:, :4])
    np.save("nan.npy", np.full((2, 5), np.nan))
    np.save("objects.npy", np.array([[{}]], object))
    write_wav(folder / "a.wav", HEALTHY.ravel(), 8000)
    refused = {
        ("score", "v.dgmix", "narrow.npy"): "narrow.npy: vectors of 4 numbers; this detector was",
        ("score", "v.dgmix", "nan.npy"): "nan.npy: row 0 holds a value that is not a finite",
        ("score", "v.dgmix", "objects.npy"): "Python objects are not loaded",
        ("score", "v.dgmix", "a.wav"): "a.wav: no file of vectors; give one of .npy",
        ("score", "v.dgmix", "new.npy", "--ray", "local"): "--ray: vectors are scored here",
        ("score", "v.dgmix", "new.npy", "--section", "9"): "section 9: the detector does not know",
        ("fit", "healthy.csv", "-o", "x.dgmix"): "a table of vectors is fitted with --vectors",
        ("fit", "healthy.npy", "-o", "x.dgmix", "--report", "r.html"): "--report: of recordings",
        ("choose", "healthy.npy"): "healthy.npy: vectors, which are compared as they are",
        ("export", "v.dgmix", "--onnx", "o"): "fitted on vectors, and an ONNX file is of sound",
        ("report", "v.dgmix", "new.npy"): "fitted on vectors, and a report is of sound",
    }
    for arguments, sentence in refused.items():
        done = dgmix(*arguments)
        assert (done.status, done.out, done.err.count("\n")) == (2, "", 1), done
        assert sentence in done.err
    assert not (folder / "x.dgmix").exists()


def test_a_detector_of_sound_takes_no_vectors(folder: Path, dgmix: Command) -> None:
    sound = [np.random.default_rng(i).normal(size=8000).astype(np.float32) for i in range(2)]
    Detector().fit(sound, sample_rate=16_000).save("sound.dgmix")
    for command in ("score", "update"):
        done = dgmix(command, "sound.dgmix", "new.npy")
        assert done.status == 2
        assert "new.npy: vectors, and this detector was fitted on recordings" in done.err


def test_vectors_among_recordings_stop_nothing(folder: Path, dgmix: Command) -> None:
    sound = [np.random.default_rng(i).normal(0, 0.1, 8000).astype(np.float32) for i in range(3)]
    Detector().fit(sound, sample_rate=16_000).save("sound.dgmix")
    write_wav("a.wav", sound[0], 16_000)
    done = dgmix("score", "sound.dgmix", "a.wav", "new.npy", "a.wav")
    assert done.status == 1
    assert [line.split()[0] for line in done.out.splitlines()[1:4]] == ["a.wav", "new.npy", "a.wav"]
    assert "unreadable" in done.out.splitlines()[2]
