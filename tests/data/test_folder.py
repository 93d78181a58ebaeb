"""Plain folders of recordings."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from dgmix.data import load_manifest
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


LAYOUTS = {  # of data sets and factories: healthy and faulty files of each
    "anomalib": (["good/0.wav"], ["NG/knock/0.wav", "NG/whine/0.wav"]),
    "MVTec": (["train/good/0.wav", "test/good/0.wav"], ["test/not good/0.wav"]),
    "numbered": (["0.normal/a.wav"], ["1.abnormal/a.wav"]),
    "IDMT": (["engine1_good/a.wav"], ["engine2_broken/a.wav"]),
    "OK and NOK": (["OK/a.wav"], ["NOK/a.wav"]),
    "German": (["iO/a.wav", "in Ordnung/b.wav"], ["niO/a.wav", "n.i.O./b.wav", "nicht iO/c.wav"]),
    "files": (["normal_0.wav", "ok-3.wav"], ["abnormal_0.wav", "pump_n.i.O._3.wav"]),
    "French": (["bon/a.wav"], ["moteur défaut/a.wav", "pas bon/b.wav"]),
    "Japanese": (["正常/a.wav"], ["異常_1/a.wav", "furyou/b.wav"]),
    "mixed": (["broken/healthy spare/a.wav"], ["good/one_broken_3.wav", "broken/ok_button.wav"]),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts_of_data_sets_and_factories(tmp_path: Path, name: str) -> None:
    healthy, faulty = LAYOUTS[name]
    touch(tmp_path / "pump", *healthy, *faulty)
    manifest = load_manifest(tmp_path / "pump")
    labels = {manifest.shown_path(clip): clip.label for clip in manifest}
    assert labels == dict.fromkeys(healthy, "normal") | dict.fromkeys(faulty, "anomaly")
    training = manifest.select(split="train", label="normal")
    assert {manifest.shown_path(clip) for clip in training} <= set(healthy)


def test_the_sentence_lists_what_is_not_learned_from(tmp_path: Path) -> None:
    touch(tmp_path / "pump", "a.wav", "NG/knock/b.wav", "test/broken/c.wav")
    (note,) = load_manifest(tmp_path / "pump").notes
    assert note == (
        "not learned from: 1 anomaly by the name, NG/knock/b.wav ('NG'); where one is healthy, say "
        "so in a CSV table (path,label)"
    )


def test_what_is_not_called_healthy_beside_what_is_is_listed(tmp_path: Path) -> None:
    touch(tmp_path / "motor", "healthy_1.wav", "healthy_2.wav", "propeller_1.wav")
    (note,) = load_manifest(tmp_path / "motor").notes
    assert note.startswith(
        "learned from too: 1 whose names do not say healthy, as those of 2 others do, propeller_1"
    )


@pytest.mark.parametrize(
    ("folder", "label"),
    [
        ("pump", "normal"),
        ("broken", "anomaly"),
        ("broken/cw_f8", "anomaly"),
        ("1.abnormal/day/night", "anomaly"),
        ("1.abnormal/a/b/c", "normal"),
        ("anomaly_data/pump", "normal"),
        ("broken/good", "normal"),
        ("broken/cw_good", "normal"),
    ],
)
def test_the_folder_itself_and_those_above_it_tell(tmp_path: Path, folder: str, label: str) -> None:
    touch(tmp_path / "x/y" / folder, "a.wav")
    (clip,) = load_manifest(tmp_path / "x/y" / folder)
    assert clip.label == label
    assert clip.split == ("test" if label == "anomaly" else "train")


def test_days_are_not_sections(tmp_path: Path) -> None:
    names = [f"2026-05-0{day}/{part}/a.wav" for day in (1, 2, 3, 4) for part in ("", "pump 2")]
    touch(tmp_path / "hall", *names, "2026/05/17/b.wav", "2000/c.wav")
    manifest = load_manifest(tmp_path / "hall")
    assert manifest.values("section") == ["00", "2000", "pump 2"]
    (note,) = manifest.notes
    assert note.startswith("folders named by date are not sections: 05, 17, 2026 and 4 more;")


def test_sections_are_the_rest_of_a_name_with_a_label(tmp_path: Path) -> None:
    touch(tmp_path / "hall", "pump 1 good/a.wav", "pump 1 broken/b.wav", "engine2_NG/x/c.wav")
    assert [clip.section for clip in load_manifest(tmp_path / "hall")] == [
        "engine2_x",
        "pump 1",
        "pump 1",
    ]


def test_what_is_no_recording_is_counted_not_mixed_up(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav", "b.m4a", "c.csv", "d.csv", "e.raw", ".DS_Store", "Thumbs.db", "a.asd")
    touch(tmp_path, "__MACOSX/._a.wav", "@eaDir/a.wav/x.jpg", "bundle.wav/inside.wav")
    (tmp_path / "link.wav").symlink_to("/nowhere.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    manifest = load_manifest(tmp_path)
    shown = [manifest.shown_path(clip) for clip in manifest]
    assert shown == ["a.wav", "b.m4a", "bundle.wav/inside.wav"]
    assert manifest.left_out == (
        f"{tmp_path / 'link.wav'}: a link to nothing",
        f"{tmp_path / 'pipe.wav'}: a pipe, socket or device",
        "1 file that is no recording by the end of the name (.raw 1)",
    )


def test_a_folder_without_recordings_says_what_is_there(tmp_path: Path) -> None:
    touch(tmp_path, "run0.csv", "run1.csv", "x.npy")
    with pytest.raises(InputError, match=r"left out: 1 file .*\(\.npy 1\)"):
        load_manifest(tmp_path)


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
    with pytest.raises(InputError, match="gone: no such file or folder"):
        load_manifest(tmp_path / "gone")


def test_a_recording_is_no_data_set(tmp_path: Path) -> None:
    touch(tmp_path, "a.wav")
    with pytest.raises(InputError, match=r"a\.wav: neither a folder nor a CSV file"):
        load_manifest(tmp_path / "a.wav")


def test_an_unreadable_folder_is_left_out_and_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a.wav", "locked/b.wav")
    scan = os.scandir

    def guarded(path: Path) -> object:
        if path.name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scan(path)

    monkeypatch.setattr(os, "scandir", guarded)
    manifest = load_manifest(tmp_path)
    assert len(manifest) == 1
    assert manifest.left_out[0].startswith(f"{tmp_path / 'locked'}: permission denied")
    (tmp_path / "locked/b.wav").rename(tmp_path / "b.wav")
    (tmp_path / "locked").rename(tmp_path / "other")
    monkeypatch.setattr(os, "scandir", lambda _: guarded(Path("locked")))
    with pytest.raises(InputError, match="permission denied"):
        load_manifest(tmp_path)
