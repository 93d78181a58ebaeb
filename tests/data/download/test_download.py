from __future__ import annotations

import errno
import io
import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any, NoReturn

import pytest
from zenodo_server import Zenodo, expected, serve, zip_of

import dgmix.data.download as door
from dgmix.data import load_manifest
from dgmix.data.download import download, fetch
from dgmix.data.years import YEARS
from dgmix.errors import DgmixError, InputError

MACHINES = YEARS[2022].machines


def files_in(folder: Path) -> dict[str, bytes]:
    """All files that a user sees below a folder, by path."""
    paths = [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
    return {
        path.as_posix(): (folder / path).read_bytes()
        for path in paths
        if path.parts[0] != ".download"
    }


def leftovers(folder: Path) -> list[str]:
    """What is in the working folder, apart from the state files."""
    return sorted(p.name for p in (folder / ".download").iterdir() if p.suffix != ".json")


def full_disk(monkeypatch: pytest.MonkeyPatch, suffix: str, room: int) -> None:
    """Let all files that end in `suffix` share `room` bytes."""
    opened, left = Path.open, [room]

    class Full(io.FileIO):
        def write(self, data: Any) -> int:
            if len(data) > left[0]:
                raise OSError(errno.ENOSPC, "No space left on device")
            left[0] -= len(data)
            return super().write(data)

    def open_(self: Path, mode: str = "r", *args: Any, **more: Any) -> Any:
        if self.suffix == suffix and mode in ("ab", "wb", "xb"):
            return io.BufferedWriter(Full(self, mode.removesuffix("b")))
        return opened(self, mode, *args, **more)

    monkeypatch.setattr(Path, "open", open_)


def test_whole_set_is_fetched_unpacked_and_named(zenodo: Zenodo, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    assert download("dcase2022", folder, base_url=zenodo.url) == folder
    assert files_in(folder) == {
        path: content for machine in MACHINES for path, content in expected(machine).items()
    }
    assert leftovers(folder) == []
    assert sum(zenodo.sent[name] for name in zenodo.archives) == sum(
        map(len, zenodo.archives.values())
    )


def test_manifest_of_the_download_knows_every_label_and_domain(
    zenodo: Zenodo, tmp_path: Path
) -> None:
    download("dcase2022", tmp_path, base_url=zenodo.url)
    manifest = load_manifest(tmp_path)
    assert manifest.values("machine") == sorted(MACHINES)
    assert manifest.values("section") == ["00", "01", "02", "03", "04", "05"]
    assert manifest.values("label") == ["anomaly", "normal"]
    assert manifest.values("domain") == ["source", "target"]
    groups = Counter(
        (clip.machine, clip.section, clip.domain, clip.label)
        for clip in manifest.select(split="test")
        if clip.section >= "03"
    )
    assert len(groups) == 7 * 3 * 2 * 2
    assert set(groups.values()) == {50}


def test_progress_ends_at_its_total(
    zenodo: Zenodo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    zenodo.archives["dev_fan.zip"] = zip_of({"fan/train/a.wav": bytes(3 << 20)}, packed=False)
    download("dcase2022", tmp_path, ["fan"], base_url=zenodo.url)
    shown = capsys.readouterr().err
    assert "download (MiB): 4/4 in " in shown
    assert f"{tmp_path}: complete, 3 archives, 3 of them new" in shown


def test_second_call_reads_nothing(zenodo: Zenodo, tmp_path: Path) -> None:
    download("dcase2022", tmp_path, ["slider", "fan"], base_url=zenodo.url)
    assert len(zenodo.requests) == 3 + 6
    download("dcase2022", tmp_path, ["slider", "fan"], base_url=zenodo.url)
    assert len(zenodo.requests) == 3 + 6


def test_only_what_is_missing_is_fetched(zenodo: Zenodo, tmp_path: Path) -> None:
    download("dcase2022", tmp_path, ["fan"], base_url=zenodo.url)
    assert files_in(tmp_path) == expected("fan")
    zenodo.requests.clear()
    download("dcase2022", tmp_path, ["ToyCar", "fan"], base_url=zenodo.url)
    assert files_in(tmp_path) == expected("fan") | expected("ToyCar")
    assert not [path for path, _ in zenodo.requests if "fan" in path]


@pytest.mark.parametrize("change", ["gone", "short"])
def test_damage_to_a_file_brings_its_archive_again(
    zenodo: Zenodo, tmp_path: Path, change: str
) -> None:
    download("dcase2022", tmp_path, ["fan"], base_url=zenodo.url)
    clip = next(tmp_path.glob("fan/test/section_04*"))
    clip.unlink() if change == "gone" else clip.write_bytes(b"")
    zenodo.requests.clear()
    download("dcase2022", tmp_path, ["fan"], base_url=zenodo.url)
    assert files_in(tmp_path) == expected("fan")
    assert [path.rpartition("/")[2] for path, _ in zenodo.requests] == [
        "6586456",
        "eval_data_fan_test.zip",
    ]


def test_cut_connection_continues_where_it_stopped(zenodo: Zenodo, tmp_path: Path) -> None:
    name = "dev_fan.zip"
    sound = bytes(range(256)) * 2048
    zenodo.archives[name] = content = zip_of({"fan/train/a.wav": sound}, packed=False)
    zenodo.cuts[name] = [300_000]
    download("dcase2022", tmp_path, ["fan"], base_url=zenodo.url)
    first, again = zenodo.requests_for(name)
    start = int(again.removeprefix("bytes=").removesuffix("-"))
    assert first == ""
    assert 300_000 - fetch.CHUNK_BYTES < start <= 300_000
    assert zenodo.sent[name] == 300_000 + len(content) - start
    assert files_in(tmp_path)["fan/train/a.wav"] == sound


def test_next_call_continues_what_a_dead_server_left(zenodo: Zenodo, tmp_path: Path) -> None:
    name, sound = "dev_fan.zip", bytes(range(256)) * 2048
    zenodo.archives[name] = zip_of({"fan/train/a.wav": sound}, packed=False)
    zenodo.cuts[name] = [300_000]
    zenodo.statuses[name] = [200] + [503] * fetch.ATTEMPTS
    with pytest.raises(DgmixError, match=r"answers 503, 5 times in a row; .* to continue"):
        download("dcase2022", tmp_path, ["fan"], base_url=zenodo.url, jobs=1)
    assert files_in(tmp_path) == {}
    part = (tmp_path / ".download" / f"{name}.part").stat().st_size
    download("dcase2022", tmp_path, ["fan"], base_url=zenodo.url, jobs=1)
    assert zenodo.requests_for(name)[-1] == f"bytes={part}-"
    assert files_in(tmp_path)["fan/train/a.wav"] == sound
    assert leftovers(tmp_path) == []


def test_wrong_checksum_is_refused_and_removed(zenodo: Zenodo, tmp_path: Path) -> None:
    zenodo.wrong_md5 = {"eval_data_fan_test.zip"}
    with pytest.raises(DgmixError, match=r"eval_data_fan_test\.zip: its MD5 is .* fetch it again"):
        download("dcase2022", tmp_path, ["fan"], base_url=zenodo.url, jobs=1)
    assert "eval_data_fan_test.zip.part" not in leftovers(tmp_path)
    assert not [path for path in files_in(tmp_path) if "section_03_source_test" in path]
    zenodo.wrong_md5 = set()
    download("dcase2022", tmp_path, ["fan"], base_url=zenodo.url)
    assert files_in(tmp_path) == expected("fan")


@pytest.mark.parametrize("content", [b"not a zip file", zip_of({"fan/../../x": b""})])
def test_bad_archive_without_checksum_is_removed(
    zenodo: Zenodo, tmp_path: Path, content: bytes
) -> None:
    zenodo.with_md5 = False
    zenodo.archives["dev_fan.zip"] = content
    with pytest.raises(DgmixError, match=r"dev_fan\.zip"):
        download("dcase2022", tmp_path / "data", ["fan"], base_url=zenodo.url, jobs=1)
    assert "dev_fan.zip.part" not in leftovers(tmp_path / "data")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_interrupted_unpacking_fetches_no_archive_twice(
    zenodo: Zenodo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: Any) -> NoReturn:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(door, "write_state", interrupt)
        with pytest.raises(KeyboardInterrupt):
            download("dcase2022", tmp_path, ["fan"], base_url=zenodo.url, jobs=1)
    assert "dev_fan.zip.part" in leftovers(tmp_path)
    download("dcase2022", tmp_path, ["fan"], base_url=zenodo.url)
    assert zenodo.requests_for("dev_fan.zip") == [""]
    assert files_in(tmp_path) == expected("fan")
    assert leftovers(tmp_path) == []


def test_archive_left_by_a_crash_after_the_state_is_tidied(zips: Path, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    download("dcase2022", folder, ["fan"], base_url=str(zips))
    (folder / ".download" / "dev_fan.zip.part").write_bytes(b"left")
    download("dcase2022", folder, ["fan"], base_url=str(zips))
    assert leftovers(folder) == []


@pytest.mark.parametrize("state", ["{", "[]", '{"files": 3}', "{}"])
def test_damaged_state_means_not_complete(zips: Path, tmp_path: Path, state: str) -> None:
    folder = tmp_path / "data"
    download("dcase2022", folder, ["fan"], base_url=str(zips))
    (folder / ".download" / "dev_fan.zip.json").write_text(state)
    download("dcase2022", folder, ["fan"], base_url=str(zips))
    written = json.loads((folder / ".download" / "dev_fan.zip.json").read_text())
    assert set(written["files"]) <= set(expected("fan"))
    assert written["record"] == 6355122


def test_full_disk_while_fetching(
    zenodo: Zenodo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zenodo.archives["dev_fan.zip"] = zip_of(
        {"fan/train/a.wav": bytes(range(256)) * 1024}, packed=False
    )
    with monkeypatch.context() as patch:
        full_disk(patch, ".part", 100_000)
        with pytest.raises(DgmixError, match=r"dev_fan\.zip\.part: the disk is full; free some"):
            download("dcase2022", tmp_path, ["fan"], base_url=zenodo.url, jobs=1)
    assert files_in(tmp_path) == {}
    zenodo.requests.clear()
    download("dcase2022", tmp_path, ["fan"], base_url=zenodo.url, jobs=1)
    assert zenodo.requests_for("dev_fan.zip") == [f"bytes={fetch.CHUNK_BYTES}-"]


def test_full_disk_while_unpacking(
    zips: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    with monkeypatch.context() as patch:
        full_disk(patch, ".wav", 200)
        with pytest.raises(DgmixError, match="data: the disk is full; free some space"):
            download("dcase2022", folder, ["fan"], base_url=str(zips), jobs=1)
    assert files_in(folder) == {}
    assert leftovers(folder) == []
    download("dcase2022", folder, ["fan"], base_url=str(zips))
    assert files_in(folder) == expected("fan")


def test_too_little_space_is_said_before_anything_is_fetched(
    zenodo: Zenodo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DgmixError, match=r"0\.0 GB are free; free some space or choose another"):
        download("dcase2022", tmp_path, base_url=zenodo.url)
    assert zenodo.requests_for(".zip") == []


def test_folder_that_cannot_be_written(zips: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"file.*; choose another path"):
        download("dcase2022", tmp_path / "file", base_url=str(zips))


def test_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "BACKOFF_SECONDS", 0.0)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve({}) as gone:
        address = gone.url
    with pytest.raises(DgmixError, match=r"cannot be reached, 5 times in a row; check the network"):
        download("dcase2022", tmp_path, base_url=address)


def test_environment_names_the_mirror_and_the_argument_wins(
    zenodo: Zenodo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DGMIX_ZENODO_URL", zenodo.url)
    download("dcase2022", tmp_path / "a", ["fan"])
    assert files_in(tmp_path / "a") == expected("fan")
    with pytest.raises(InputError, match="nowhere"):
        download("dcase2022", tmp_path / "b", ["fan"], base_url=str(tmp_path / "nowhere"))


def test_record_without_links_uses_the_usual_addresses(zenodo: Zenodo, tmp_path: Path) -> None:
    zenodo.with_links = False
    download("dcase2022", tmp_path, ["fan"], base_url=zenodo.url + "/")
    assert files_in(tmp_path) == expected("fan")
    assert "/records/6355122/files/dev_fan.zip" in [path for path, _ in zenodo.requests]


def test_archive_that_the_record_does_not_list(zenodo: Zenodo, tmp_path: Path) -> None:
    del zenodo.archives["eval_data_fan_train.zip"]
    with pytest.raises(DgmixError, match="6462969: the record does not list eval_data_fan_train"):
        download("dcase2022", tmp_path, ["fan"], base_url=zenodo.url)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"dataset": "dcase1999"},
            "dcase1999: unknown data set.*; choose from dcase2020, .*dcase2026",
        ),
        (
            {"machines": ["fan", "Fan"]},
            "Fan: dcase2022 has no such machine .did you mean .fan.*; choose from fan, .*ToyTrain",
        ),
        ({"jobs": 0}, "jobs: at least 1"),
        ({"base_url": "ftp://x.y/z"}, "ftp://x.y/z: neither an http.* nor a folder"),
    ],
)
def test_wrong_arguments(tmp_path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        download(**{"folder": tmp_path / "data", **arguments})


@pytest.mark.parametrize("layout", ["flat", "by record", "file://"])
def test_folder_of_zip_files(
    zips: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], layout: str
) -> None:
    if layout == "by record":
        (zips / "6355122").mkdir()
        (zips / "dev_fan.zip").rename(zips / "6355122" / "dev_fan.zip")
    before = sorted(zips.rglob("*"))
    base = zips.as_uri() if layout == "file://" else str(zips)
    download("dcase2022", tmp_path / "data", ["fan"], base_url=base)
    assert files_in(tmp_path / "data") == expected("fan")
    assert sorted(zips.rglob("*")) == before
    assert "no checksums for 3 of 3 zip files" in capsys.readouterr().err


def test_damaged_zip_file_of_the_user_stays(zips: Path, tmp_path: Path) -> None:
    (zips / "dev_fan.zip").write_bytes(b"not a zip file")
    with pytest.raises(DgmixError, match=r"dev_fan\.zip: not a whole zip file"):
        download("dcase2022", tmp_path / "data", ["fan"], base_url=str(zips), jobs=1)
    assert (zips / "dev_fan.zip").is_file()


@pytest.mark.parametrize("place", ["6355122.json", "6355122/6355122.json", "api/records/6355122"])
def test_checksums_beside_zip_files(
    zips: Path, tmp_path: Path, dcase2022: dict[str, bytes], place: str
) -> None:
    record = Zenodo(dcase2022, wrong_md5={"dev_fan.zip"}).record(6355122)
    (zips / place).parent.mkdir(parents=True, exist_ok=True)
    (zips / place).write_text(json.dumps(record))
    with pytest.raises(DgmixError, match=r"dev_fan\.zip: its MD5 is"):
        download("dcase2022", tmp_path / "data", ["fan"], base_url=str(zips))
    assert (zips / "dev_fan.zip").is_file()
    download("dcase2022", tmp_path / "data", ["valve"], base_url=str(zips))
    (zips / "dev_fan.zip").write_bytes(b"short")
    with pytest.raises(InputError, match=r"dev_fan\.zip: 5 bytes, while its record says"):
        download("dcase2022", tmp_path / "data", ["fan"], base_url=str(zips))


def test_folder_that_lacks_archives_names_them(zips: Path, tmp_path: Path) -> None:
    (zips / "dev_fan.zip").unlink()
    (zips / "eval_data_valve_test.zip").unlink()
    with pytest.raises(InputError, match=r"dev_fan\.zip, eval_data_valve_test\.zip missing"):
        download("dcase2022", tmp_path / "data", base_url=str(zips))


@pytest.mark.parametrize(
    "text",
    [
        "<html>",
        "[]",
        '{"files": 3}',
        '{"files": [{"size": 3}]}',
        '{"files": [{"key": "a", "size": "3"}]}',
        '{"files": [{"key": "a", "size": 3, "checksum": "sha256:00"}]}',
        '{"files": [{"key": "a", "size": 3, "links": 3}]}',
    ],
)
def test_what_is_not_a_record(zips: Path, tmp_path: Path, text: str) -> None:
    (zips / "6586456.json").write_text(text)
    with pytest.raises(DgmixError, match=r"6586456\.json: not the JSON of a Zenodo record"):
        download("dcase2022", tmp_path / "data", ["fan"], base_url=str(zips))
