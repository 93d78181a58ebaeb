"""The data sets of every year, from a server in the form of their records."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from zenodo_server import Zenodo, archives, expected, listed, machines, serve, zip_of

from dgmix.data import load_manifest
from dgmix.data.dcase import supplemental_clips
from dgmix.data.download import download, fetch
from dgmix.data.years import YEARS, datasets
from dgmix.errors import DgmixError, InputError

REVISED = {
    2024: ["eval_data_3DPrinter_train_r2.zip", "eval_data_RoboticArm_train_r2.zip"],
    2026: ["dev_ToyCar_r2.zip"],
}


@pytest.fixture(params=list(YEARS))
def year(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def record(year: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[Zenodo]:
    """The records of a year."""
    monkeypatch.delenv("DGMIX_ZENODO_URL", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(fetch, "BACKOFF_SECONDS", 0.0)
    with serve(archives(year), year) as server:
        yield server


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".download" not in path.parts
    }


def test_whole_set_then_nothing(record: Zenodo, year: int, tmp_path: Path) -> None:
    download(f"dcase{year}", tmp_path, base_url=record.url)
    assert files_in(tmp_path) == {
        path: content
        for machine in machines(year)
        for path, content in expected(machine, year).items()
    }
    fetched = {path.rpartition("/")[2] for path, _ in record.requests}
    assert {name for _, name, _ in listed(year)} < fetched
    assert set(REVISED.get(year, [])) < fetched
    record.requests.clear()
    download(f"dcase{year}", tmp_path, base_url=record.url)
    assert record.requests == []
    manifest = load_manifest(tmp_path)
    assert manifest.values("machine") == machines(year)
    known = {"normal", "anomaly"} | (set() if YEARS[year].labelled else {"unknown"})
    assert set(manifest.values("label")) == known


def test_cut_and_resumed(record: Zenodo, year: int, tmp_path: Path) -> None:
    _, name, machine = listed(year)[0]
    sound = bytes(range(256)) * 2048
    record.archives[name] = zip_of({f"{machine}/train/a.wav": sound}, packed=False)
    record.cuts[name] = [300_000]
    download(f"dcase{year}", tmp_path, [machine], parts=["dev"], base_url=record.url)
    first, again = record.requests_for(name)
    assert (first, again[:6]) == ("", "bytes=")
    assert files_in(tmp_path) == {f"{machine}/train/a.wav": sound}


def test_wrong_checksum(record: Zenodo, year: int, tmp_path: Path) -> None:
    _, name, machine = listed(year)[-1]
    record.wrong_md5 = {name}
    with pytest.raises(DgmixError, match=f"{name}: its MD5 is .* fetch it again"):
        download(f"dcase{year}", tmp_path, [machine], parts=["eval"], base_url=record.url)
    assert files_in(tmp_path) == {}


def test_disk_too_small(
    record: Zenodo,
    year: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(DgmixError, match=r"are needed and 0\.0 GB are free; free some space"):
        download(f"dcase{year}", tmp_path, base_url=record.url)
    assert record.requests_for(".zip") == []
    assert f"{len(listed(year))} archives to unpack, 0.00 GB in all" in capsys.readouterr().err


def test_machine_that_the_year_lacks(record: Zenodo, year: int, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"lathe: dcase{year} has no such machine; choose from"):
        download(f"dcase{year}", tmp_path, ["lathe"], base_url=record.url)
    assert record.requests == []


@pytest.mark.parametrize("part", ["dev", "train", "eval"])
def test_part_alone(record: Zenodo, year: int, part: str, tmp_path: Path) -> None:
    source = YEARS[year].sources[part]
    download(f"dcase{year}", tmp_path, parts=[part], base_url=record.url)
    fetched = {path.rpartition("/")[2] for path, _ in record.requests if path.endswith(".zip")}
    assert fetched == {name for number, name, _ in listed(year) if number == source.record}


def test_first_shot_machine_is_in_one_half_of_the_set(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="bandsaw: in dcase2023 it is in train, eval, not in dev"):
        download("dcase2023", tmp_path, ["bandsaw"], parts=["dev"])
    with pytest.raises(InputError, match="exam: no such part; choose from dev, train, eval"):
        download("dcase2023", tmp_path, parts=["exam"])


def test_every_year_has_its_own_folder_by_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve(archives(2023), 2023) as record:
        folder = download("dcase2023", machines=["fan"], base_url=record.url)
    assert folder == Path("data/dcase2023")
    assert (folder / "fan/train").is_dir()
    assert len(datasets()) == 7


def test_folder_of_another_year_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve(archives(2022), 2022) as record:
        download("dcase2022", tmp_path, ["fan"], parts=["dev"], base_url=record.url)
        with pytest.raises(
            InputError, match=r"holds dev_fan\.zip of dcase2022; give each data set"
        ):
            download("dcase2023", tmp_path, ["fan"], base_url=record.url)
        state = tmp_path / ".download" / "dev_fan.zip.json"  # of a record that was superseded
        state.write_text(state.read_text().replace("6355122", "6355121"))
        record.requests.clear()
        download("dcase2022", tmp_path, ["fan"], parts=["dev"], base_url=record.url)
        assert record.requests_for("dev_fan.zip") == [""]


def test_archive_that_was_revised_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve(archives(2026), 2026) as record:
        entries = record.record
        revised = {"dev_fan.zip": "dev_fan_r3.zip"}
        record.archives["dev_fan_r3.zip"] = record.archives.pop("dev_fan.zip")

        def with_revision(number: int) -> dict[str, object]:
            table = entries(number)
            table["files"] += [record.entry(name) for name in revised.values()]
            return table

        monkeypatch.setattr(record, "record", with_revision)
        download("dcase2026", tmp_path, ["fan"], base_url=record.url)
        record.requests.clear()
        download("dcase2026", tmp_path, ["fan"], base_url=record.url)
        assert record.requests == []
    assert files_in(tmp_path) == expected("fan", 2026)
    assert "dev_fan.zip: published anew as dev_fan_r3.zip" in capsys.readouterr().err


def test_hidden_attributes_are_in_the_names_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve(archives(2024), 2024) as record:
        wanted = ["AirCompressor", "slider"]
        download("dcase2024", tmp_path, wanted, base_url=record.url)
        plain = load_manifest(tmp_path)
        assert set(plain.select(machine="AirCompressor").values("attributes")) == {"noAttribute"}
        record.requests.clear()
        download("dcase2024", tmp_path, wanted, hidden_attributes=True, base_url=record.url)
        assert record.requests == []
        named = load_manifest(tmp_path)
        attributes = named.select(machine="AirCompressor", split="test").values("attributes")
        assert attributes
        assert all(text.startswith("hidden_") for text in attributes)
        assert [(clip.domain, clip.label) for clip in named] == [
            (clip.domain, clip.label) for clip in plain
        ]
        anew = tmp_path / "anew"
        download("dcase2024", anew, wanted, hidden_attributes=True, base_url=record.url)
        assert files_in(anew).keys() == {
            path for path in files_in(tmp_path) if not path.startswith("anew/")
        }
    with pytest.raises(InputError, match=r"no hidden attributes .* dcase2024, dcase2025"):
        download("dcase2023", tmp_path, hidden_attributes=True)


def test_interrupted_renaming_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve(archives(2024), 2024) as record:
        download("dcase2024", tmp_path, ["slider"], base_url=record.url)
        with monkeypatch.context() as patch:
            patch.setattr("dgmix.data.download.state.write_state", interrupt)
            with pytest.raises(KeyboardInterrupt):
                download("dcase2024", tmp_path, ["slider"], hidden_attributes=True)
        record.requests.clear()
        download("dcase2024", tmp_path, ["slider"], hidden_attributes=True, base_url=record.url)
        assert record.requests == []
    assert not [path for path in files_in(tmp_path) if "noAttribute" in path]


def test_labels_of_2026_come_with_a_list(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    names = tmp_path / "eval_data_list_2026.csv"
    names.write_text(
        "Sander\r\nsection_00_0000.wav,section_00_target_test_anomaly_0007_a_1.wav\r\n"
        "section_00_0001.wav,section_00_source_test_normal_0003_a_2.wav\r\n"
    )
    folder = tmp_path / "data"
    with serve(archives(2026), 2026) as record:
        download("dcase2026", folder, ["Sander"], base_url=record.url)
        assert "labels of the evaluation clips of 2026 are not known" in capsys.readouterr().err
        assert load_manifest(folder).select(split="test").values("label") == ["unknown"]
        record.requests.clear()
        download("dcase2026", folder, ["Sander"], names=names, base_url=record.url)
        download("dcase2026", folder, ["Sander"], base_url=record.url)
        assert record.requests == []
    test = load_manifest(folder).select(split="test")
    assert [(clip.domain, clip.label, clip.attributes) for clip in test] == [
        ("source", "normal", "a_2"),
        ("target", "anomaly", "a_1"),
    ]


def test_supplemental_clips_are_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serve(archives(2025), 2025) as record:
        download("dcase2025", tmp_path, ["ToyPet"], base_url=record.url)
    assert not [clip for clip in load_manifest(tmp_path) if "supplemental" in clip.path.parts]
    clips = supplemental_clips(tmp_path)
    assert [(clip.machine, clip.kind, clip.path.name) for clip in clips] == [
        ("ToyPet", "machine", "section_00_machine_0001_.wav"),
        ("ToyPet", "noise", "section_00_noise_0001_.wav"),
    ]
