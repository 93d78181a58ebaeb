"""Files appear whole or not at all, and what goes wrong is one sentence."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dgmix import files
from dgmix.errors import DgmixError, InputError
from dgmix.files import atomic_path, explained, make_folder, remove_unfinished, write_text


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_text_is_written_as_it_is(tmp_path: Path) -> None:
    target = tmp_path / "new" / "folder" / "file.txt"
    write_text(target, "Ω\r\nline\n")
    assert target.read_bytes() == "Ω\r\nline\n".encode()
    assert names(target.parent) == ["file.txt"]


def test_an_old_file_is_replaced(tmp_path: Path) -> None:
    write_text(tmp_path / "file", "a long text before")
    write_text(tmp_path / "file", "after")
    assert (tmp_path / "file").read_text() == "after"


def interrupted(path: Path, error: type[BaseException]) -> None:
    path.write_text("half")
    raise error


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_what_is_interrupted_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, error: type[BaseException]
) -> None:
    write_text(tmp_path / "file", "before")
    with pytest.raises(error), atomic_path(tmp_path / "file") as temporary:
        interrupted(temporary, error)
    assert (tmp_path / "file").read_text() == "before"
    assert names(tmp_path) == ["file"]


def test_the_temporary_file_is_beside_the_target_and_hidden(tmp_path: Path) -> None:
    with atomic_path(tmp_path / "file") as temporary:
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".file.")
        assert not (tmp_path / "file").exists()


def test_permissions_follow_the_umask(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "UMASK", 0o027)
    write_text(tmp_path / "file", "text")
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o640


def test_the_umask_is_read_without_changing_it() -> None:
    code = "import os; os.umask(0o027); import dgmix.files as f; print(f.UMASK, os.umask(0))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(0o027)] * 2


def test_a_place_that_cannot_be_written_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(InputError, match=r"file/inside: .*; choose another path"):
        write_text(tmp_path / "file" / "inside", "text")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputError, match="folder: "):
        write_text(tmp_path / "folder", "text")
    assert names(tmp_path) == ["file", "folder"]


@pytest.mark.parametrize(
    ("number", "kind", "sentence"),
    [
        (errno.ENOSPC, DgmixError, "the disk is full; free some space"),
        (errno.EDQUOT, DgmixError, "the disk is full; free some space"),
        (errno.EIO, DgmixError, "the disk reports a read or write error"),
        (errno.EMFILE, DgmixError, "too many files are open; allow more of them"),
        (errno.EACCES, InputError, "permission denied; choose another path or its permissions"),
        (errno.EROFS, InputError, "read-only file system; choose another path"),
        (errno.ENAMETOOLONG, InputError, "file name too long; choose another path"),
    ],
)
def test_errors_of_the_system_are_one_sentence(
    number: int, kind: type[DgmixError], sentence: str
) -> None:
    with (
        pytest.raises(DgmixError, match=f"^some/where: {sentence}") as raised,
        explained("some/where"),
    ):
        raise OSError(number, os.strerror(number))
    assert type(raised.value) is kind
    assert isinstance(raised.value.__cause__, OSError)


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", failing(errno.ENOSPC))
    with pytest.raises(DgmixError, match="file: the disk is full"):
        write_text(tmp_path / "file", "text")
    assert names(tmp_path) == []


def test_other_errors_are_left_alone() -> None:
    with pytest.raises(ZeroDivisionError), explained("file"):
        1 / 0  # noqa: B018


def failing(number: int) -> Callable[..., None]:
    """Return what fails as the system does."""

    def fail(*arguments: object) -> None:
        raise OSError(number, os.strerror(number))

    return fail


@pytest.mark.parametrize("locks", [True, False])
def test_what_a_killed_process_left_is_removed(
    locks: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not locks:
        monkeypatch.setattr(fcntl, "flock", failing(errno.ENOLCK))
    write_text(tmp_path / "file", "text")
    below = make_folder(tmp_path / "below")
    with atomic_path(tmp_path / "file") as temporary:
        for folder in (tmp_path, below):
            left = folder / f"{temporary.stem}2.part"
            left.write_text("left")
            os.utime(left, (0, 0))
        (tmp_path / "my.part").write_text("somebody else's")
        remove_unfinished(tmp_path)
        assert len(names(below)) == 1
        remove_unfinished(tmp_path, below=True)
        assert temporary.exists()
    assert names(below) == []
    assert names(tmp_path) == ["below", "file", "my.part"]


@pytest.mark.parametrize("links", [True, False])
def test_of_two_writers_the_first_stays(
    links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", failing(errno.EPERM))
    target = tmp_path / "file"
    for text in ("first", "second"):
        write_text(target, text, replace=False)
    assert target.read_text() == "first"
    assert names(tmp_path) == ["file"]


def test_a_folder_is_made_with_its_parents(tmp_path: Path) -> None:
    assert make_folder(tmp_path / "a" / "b").is_dir()
    assert make_folder(str(tmp_path / "a")) == tmp_path / "a"


def test_a_folder_in_a_file_is_bad_input(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in (tmp_path / "file", tmp_path / "file" / "folder"):
        with pytest.raises(InputError, match=f"{place}: "):
            make_folder(place)


def test_a_folder_without_permission_is_bad_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(InputError, match=f"{tmp_path}: permission denied"):
        make_folder(tmp_path)
