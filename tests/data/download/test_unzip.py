from __future__ import annotations

import io
import shutil
import stat
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from zenodo_server import zip_of

from dgmix.data.download import unzip
from dgmix.data.download.unzip import ArchiveError, unpack

GOOD = {"fan/train/a.wav": b"a" * 500, "fan/test/b.wav": b"b" * 300, "fan/attributes_00.csv": b"c"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a data folder in it, which holds one file already."""
    (tmp_path / "data" / "fan" / "train").mkdir(parents=True)
    (tmp_path / "data" / "fan" / "train" / "old.wav").write_bytes(b"old")
    return tmp_path


def run(place: Path, content: bytes, names: dict[str, str] | None = None) -> dict[str, int]:
    archive = place / "archive.zip"
    archive.write_bytes(content)
    staging = place / "data" / ".staging"
    return unpack(
        archive, place / "data", staging, "fan", lambda path: (names or {}).get(path, path)
    )


def everything(place: Path) -> dict[str, bytes]:
    return {
        path.relative_to(place).as_posix(): path.read_bytes()
        for path in place.rglob("*")
        if path.is_file() and path.name != "archive.zip"
    }


def refused(place: Path, content: bytes, why: str) -> None:
    """Assert that an archive is refused in one line that names it, and nothing is written."""
    before = everything(place)
    with pytest.raises(ArchiveError, match=rf"archive\.zip: .*{why}") as caught:
        run(place, content)
    assert "\n" not in str(caught.value)
    assert everything(place) == before
    assert not (place / "data" / ".staging").exists()


def zip_with(info: zipfile.ZipInfo, content: bytes = b"x") -> bytes:
    """A good archive with one more member at its end."""
    buffer = io.BytesIO(zip_of(GOOD))
    with zipfile.ZipFile(buffer, "a") as zipped:
        zipped.writestr(info, content)
    return buffer.getvalue()


def test_files_are_placed_and_named(place: Path) -> None:
    sizes = run(place, zip_of(GOOD), {"fan/test/b.wav": "fan/test/full.wav"})
    assert sizes == {"fan/train/a.wav": 500, "fan/test/full.wav": 300, "fan/attributes_00.csv": 1}
    assert everything(place) == {
        "data/fan/train/old.wav": b"old",
        "data/fan/train/a.wav": b"a" * 500,
        "data/fan/test/full.wav": b"b" * 300,
        "data/fan/attributes_00.csv": b"c",
    }
    assert not (place / "data" / ".staging").exists()


def test_earlier_files_and_staging_are_replaced(place: Path) -> None:
    (place / "data" / ".staging" / "fan").mkdir(parents=True)
    (place / "data" / ".staging" / "fan" / "stale.wav").write_bytes(b"stale")
    run(place, zip_of(GOOD))
    run(place, zip_of(GOOD | {"fan/train/a.wav": b"new"}))
    assert everything(place)["data/fan/train/a.wav"] == b"new"
    assert "data/fan/stale.wav" not in everything(place)


def test_folders_and_litter_are_no_files(place: Path) -> None:
    extra = {"fan/": b"", "__MACOSX/fan/._a.wav": b"x", "fan/.DS_Store": b"x"}
    assert set(run(place, zip_of(extra | GOOD))) == set(GOOD)
    assert not (place / "data" / "__MACOSX").exists()


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("../x", "leads to another folder"),
        ("fan/../../x", "leads to another folder"),
        ("fan/./x", "leads to another folder"),
        ("fan//x", "leads to another folder"),
        ("/tmp/x", "leads to another folder"),
        ("//host/x", "leads to another folder"),
        ("__MACOSX/../x", "leads to another folder"),
        ("C:/x", "a character"),
        ("fan/x:stream", "a character"),
        ("fan\\..\\..\\x", "a character"),
        ("fan/a\nb", "a character"),
        ("x", "not below fan/"),
        ("fan", "not below fan/"),
        ("valve/train/x.wav", "not below fan/"),
        ("fans/x.wav", "not below fan/"),
        ("dev_data/fan/x.wav", "not below fan/"),
    ],
)
def test_wrong_paths_are_refused(place: Path, path: str, why: str) -> None:
    info = zipfile.ZipInfo("fan/x")
    info.filename = path
    refused(place, zip_with(info), why)


def test_name_that_hides_behind_a_null_is_refused(place: Path) -> None:
    content = zip_with(zipfile.ZipInfo("fan/a.wavZ../../x"))
    refused(place, content.replace(b"wavZ..", b"wav\x00.."), "a character")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK])
def test_links_and_devices_are_refused(place: Path, kind: int) -> None:
    info = zipfile.ZipInfo("fan/train/link.wav")
    info.external_attr = (kind | 0o777) << 16
    refused(place, zip_with(info, b"/etc/passwd"), "not a plain file")


def test_encrypted_archive_is_refused(place: Path) -> None:
    content = bytearray(zip_of({"fan/a.wav": b"a"}))
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    refused(place, bytes(content), "is encrypted")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_packing_is_refused(place: Path, method: int) -> None:
    info = zipfile.ZipInfo("fan/x.wav")
    info.compress_type = method
    refused(place, zip_with(info), "packed in a way")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("path", ["fan/train/a.wav", "fan/train/A.wav"])
def test_same_file_twice_is_refused(place: Path, path: str) -> None:
    refused(place, zip_with(zipfile.ZipInfo(path)), "the same file twice")


def test_two_members_of_one_full_name_are_refused(place: Path) -> None:
    with pytest.raises(ArchiveError, match="the same file twice"):
        run(place, zip_of(GOOD), {"fan/test/b.wav": "fan/train/a.wav"})


def test_bomb_is_refused(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unzip, "ALWAYS_ALLOWED_BYTES", 1000)
    refused(place, zip_of({"fan/a.wav": bytes(1_000_000)}), "1 files of 1000000 bytes")
    monkeypatch.setattr(unzip, "MOST_FILES", 2)
    refused(place, zip_of(GOOD), "3 files of 801 bytes")


@pytest.mark.parametrize("change", [-100, 100])
def test_size_other_than_declared_is_refused(place: Path, change: int) -> None:
    content = bytearray(zip_of({"fan/a.wav": b"abc" * 200}))
    at = content.rindex(b"PK\x01\x02") + 24
    content[at : at + 4] = (600 + change).to_bytes(4, "little")
    refused(place, bytes(content), "not a whole zip file")


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9, 0.99])
def test_truncated_archive_is_refused(place: Path, share: float) -> None:
    content = zip_of(GOOD)
    refused(place, content[: int(share * len(content))], "not a whole zip file")


def test_wrong_crc_in_the_last_file_writes_none(place: Path) -> None:
    content = bytearray(zip_of(GOOD))
    at = content.rindex(b"PK\x01\x02") + 16
    content[at] ^= 0xFF
    refused(place, bytes(content), "not a whole zip file .*CRC")


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(changes=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), max_size=4))
def test_any_damage_is_refused_or_harmless(place: Path, changes: list[tuple[float, int]]) -> None:
    content = bytearray(zip_of(GOOD))
    for share, value in changes:
        content[int(share * len(content))] = value
    shutil.rmtree(place / "data")
    (place / "data").mkdir()
    try:
        sizes = run(place, bytes(content))
    except ArchiveError:
        assert everything(place) == {}
    else:
        assert {path: len(b) for path, b in everything(place).items()} == {
            f"data/{path}": size for path, size in sizes.items()
        }
        assert set(everything(place).values()) <= set(GOOD.values())
