"""Plain folders of recordings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dgmix.data import load_manifest
from dgmix.data.folder import LABEL_FOLDERS
from dgmix.errors import InputError

MEANINGS = {
    "a.wav": ("00", "source", "train", "normal"),
    "Normal/a.wav": ("00", "source", "train", "normal"),
    "broken/a.wav": ("00", "source", "test", "anomaly"),
    "train/a.wav": ("00", "source", "train", "normal"),
    "test/a.wav": ("00", "source", "test", "unknown"),
    "test/healthy/a.wav": ("00", "source", "test", "normal"),
    "faulty/test/a.wav": ("00", "source", "test", "anomaly"),
    "train/defect/a.wav": ("00", "source", "test", "anomaly"),
    "target/a.wav": ("00", "target", "train", "normal"),
    "pump 3/target/train/a.wav": ("pump 3", "target", "train", "normal"),
    "hall/id_00/abnormal/a.wav": ("hall_id_00", "source", "test", "anomaly"),
}


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


@pytest.mark.parametrize("name", MEANINGS)
def test_folders_tell_what_a_recording_is(tmp_path: Path, name: str) -> None:
    touch(tmp_path / "pump", name)
    (clip,) = load_manifest(tmp_path / "pump")
    assert (clip.section, clip.domain, clip.split, clip.label) == MEANINGS[name]
    assert clip.machine == "pump"
    assert clip.path == tmp_path / "pump" / name


def test_the_machine_has_the_name_of_the_folder_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "disk/7/a.wav", "shop/normal/a.wav")
    (tmp_path / "pump").symlink_to(tmp_path / "disk/7")
    assert load_manifest(tmp_path / "pump").values("machine") == ["pump"]
    monkeypatch.chdir(tmp_path / "shop/normal")
    assert load_manifest("..").values("machine") == ["shop"]


@pytest.mark.parametrize("name", LABEL_FOLDERS)
def test_every_word_for_a_label_is_understood(tmp_path: Path, name: str) -> None:
    touch(tmp_path, f"{name}/a.wav")
    assert load_manifest(tmp_path)[0].label == LABEL_FOLDERS[name]


def test_only_visible_sound_files_count(tmp_path: Path) -> None:
    touch(tmp_path, "b.WAV", "a.flac", "notes.txt", ".a.wav", ".git/a.wav", "folder.wav/c.ogg")
    manifest = load_manifest(tmp_path)
    assert [manifest.shown_path(clip) for clip in manifest] == [
        "a.flac",
        "b.WAV",
        "folder.wav/c.ogg",
    ]


def test_linked_folders_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    touch(tmp_path, "elsewhere/a.wav", "pump/b.wav")
    (tmp_path / "pump/more").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "pump/round").symlink_to(tmp_path / "pump")
    manifest = load_manifest(tmp_path / "pump")
    assert [manifest.shown_path(clip) for clip in manifest] == ["b.wav", "more/a.wav"]


@pytest.mark.parametrize("names", [(), ("notes.txt",), (".a.wav",)])
def test_a_folder_without_recordings_is_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    touch(tmp_path, *names)
    with pytest.raises(InputError, match="no recordings in this folder"):
        load_manifest(tmp_path)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="gone: no such file or directory"):
        load_manifest(tmp_path / "gone")


def test_a_recording_is_no_data_set(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav")
    with pytest.raises(InputError, match=r"a\.wav: neither a folder nor a CSV file"):
        load_manifest(tmp_path / "a.wav")


def test_an_unreadable_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.wav", "locked/b.wav")
    scan = os.scandir

    def guarded(path: Path) -> object:
        if path.name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", guarded)
    with pytest.raises(InputError, match="locked: permission denied"):
        load_manifest(tmp_path)
