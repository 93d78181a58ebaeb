import csv
import json
from pathlib import Path

import numpy as np
import pytest

from dgmix.audio.io import read_audio
from dgmix.data import load_manifest
from dgmix.data.simulate import simulate, writing
from dgmix.errors import InputError

SMALL = {"sections": 2, "clips": 6, "test_clips": 2, "seconds": 1.0}


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("set") / "made"
    simulate(folder, machines=["fan", "valve"], **SMALL)
    return folder


def test_layout_is_read_as_a_dcase_set(folder):
    manifest = load_manifest(folder)
    assert len(manifest) == 2 * 2 * (6 + 4 * 2)
    assert manifest.values("machine") == ["fan", "valve"]
    assert manifest.values("section") == ["00", "01"]
    for domain in ("source", "target"):
        assert len(manifest.select(split="train", domain=domain)) == 2 * 2 * 3
        for label in ("normal", "anomaly"):
            assert len(manifest.select(split="test", domain=domain, label=label)) == 2 * 2 * 2
    assert all(clip.attributes for clip in manifest)


def test_recordings_are_mono_16_khz_and_not_clipped(folder):
    for path in (folder / "fan" / "test").iterdir():
        recording = read_audio(path)
        assert recording.sample_rate == 16_000
        assert len(recording.samples) == 16_000
        assert 0 < np.abs(recording.samples).max() < 1
        assert path.stat().st_size == 44 + 2 * 16_000


def test_attribute_tables_list_every_clip(folder):
    with (folder / "fan" / "attributes_01.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert list(rows[0]) == ["file_name", "d1p", "d1v"]
    listed = {row["file_name"] for row in rows}
    assert listed == {
        path.relative_to(folder).as_posix() for path in folder.glob("fan/*/section_01_*.wav")
    }
    for row in rows:
        assert row["file_name"].endswith(f"_{row['d1p']}_{row['d1v']}.wav")


def test_same_seed_same_bytes_whatever_the_jobs(folder, tmp_path):
    simulate(tmp_path / "again", machines=["valve", "fan"], jobs=2, **SMALL)
    assert contents(tmp_path / "again") == contents(folder)


def test_a_smaller_set_is_part_of_the_larger(folder, tmp_path):
    simulate(tmp_path / "part", machines=["valve"], **(SMALL | {"sections": 1}))
    part, whole = contents(tmp_path / "part"), contents(folder)
    waves = {name for name in part if name.endswith(".wav")}
    assert len(waves) == 6 + 4 * 2
    assert all(part[name] == whole[name] for name in waves)


def test_other_seed_other_bytes(folder, tmp_path):
    simulate(tmp_path / "other", machines=["valve"], **(SMALL | {"seed": 1}))
    other, whole = contents(tmp_path / "other"), contents(folder)
    waves = [name for name in other if name.endswith(".wav")]
    assert waves
    assert not any(other[name] == whole[name] for name in waves)


def test_a_second_call_makes_only_what_is_missing(folder, tmp_path, monkeypatch):
    simulate(tmp_path / "set", machines=["fan", "valve"], **SMALL)
    missing = tmp_path / "set/fan/train/section_00_source_train_normal_0001_m-n_X.wav"
    missing.unlink()
    made = []
    real = writing.samples_of
    monkeypatch.setattr(writing, "samples_of", lambda *given: made.append(given) or real(*given))
    simulate(tmp_path / "set", machines=["fan", "valve"], **SMALL)
    assert len(made) == 1
    assert contents(tmp_path / "set") == contents(folder)


def test_a_failure_leaves_no_partial_file(tmp_path, monkeypatch):
    def fail(*_given):
        raise RuntimeError("stopped")

    monkeypatch.setattr("dgmix.files.Path.replace", fail)
    with pytest.raises(RuntimeError, match="stopped"):
        simulate(tmp_path / "set", machines=["fan"], **SMALL)
    assert contents(tmp_path / "set") == {}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"machines": ["pump"]}, "pump: no such machine"),
        ({"machines": []}, "no machine"),
        ({"sections": 0}, "sections is 0"),
        ({"clips": 1}, "clips is 1"),
        ({"seed": -1}, "seed is -1"),
        ({"seconds": 0.1}, "seconds is 0.1"),
        ({"seconds": float("nan")}, "seconds is nan"),
        ({"test_clips": 0}, "test_clips is 0"),
    ],
)
def test_bad_arguments_are_refused_before_anything_is_written(arguments, sentence, tmp_path):
    with pytest.raises(InputError, match=sentence):
        simulate(tmp_path / "set", **arguments)
    assert not (tmp_path / "set").exists()


def test_other_folders_are_refused_and_left_alone(folder, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="holds no simulated set"):
        simulate(tmp_path, machines=["fan"], **SMALL)
    assert contents(tmp_path) == {"notes.txt": b"mine"}
    before = contents(folder)
    with pytest.raises(InputError, match="other arguments"):
        simulate(folder, machines=["fan", "valve"], **(SMALL | {"seed": 5}))
    assert contents(folder) == before
    with pytest.raises(InputError, match="notes"):
        simulate(tmp_path / "notes.txt", machines=["fan"], **SMALL)


@pytest.mark.parametrize(
    ("clips", "training", "test"),
    [(1000, (990, 10), 50), (200, (190, 10), 50), (2000, (1980, 20), 50), (12, (6, 6), 5)],
)
def test_how_clips_are_shared_out(clips, training, test):
    order = writing.Order(("fan",), 6, clips, 0, 10.0, None).checked()
    assert order.form.training(order.clips) == training
    assert order.test_clips == test


def test_the_record_says_what_was_made(folder):
    record = json.loads((folder / writing.RECORD).read_text())
    assert record == {
        "format": writing.FORMAT,
        "machines": ["fan", "valve"],
        "sections": 2,
        "clips": 6,
        "seed": 0,
        "seconds": 1.0,
        "test_clips": 2,
    }
