"""Streams that are closed, of other encodings, or written through."""

from __future__ import annotations

import io
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dgmix.errors import InputError
from dgmix.files import atomic_path, check_output, printable, write_text
from dgmix.streams import is_stream, open_stream, prepare_streams

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such files")


def test_closed_streams_lead_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(sys, name, None)
    prepare_streams()
    print("into nothing")
    print("into nothing", file=sys.stderr)
    assert sys.stdin.read() == ""
    for name in ("stdin", "stdout", "stderr"):
        getattr(sys, name).close()


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_any_character_is_written_in_any_encoding(
    encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    prepare_streams()
    print("Ω k\udcfchler 異常", flush=True)
    text = written.getvalue().decode(encoding)
    assert text == (
        "Ω k\\udcfchler 異常\n" if encoding == "utf-8" else "\\u03a9 k\\udcfchler \\u7570\\u5e38\n"
    )


def test_names_in_other_encodings_are_shown_as_their_bytes() -> None:
    assert printable(os.fsdecode(b"k\xfchler.wav")) == "k\\xfchler.wav"
    assert printable("kühler.wav") == "kühler.wav"
    assert printable("two\nlines\x1b[31m.wav") == "two\\x0alines\\x1b[31m.wav"


@POSIX
def test_devices_and_pipes_are_streams_and_files_are_not(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    for stream in ("-", "/dev/stdout", "/dev/stderr", "/dev/null", tmp_path / "pipe"):
        assert is_stream(stream)
    for file in (tmp_path / "file", tmp_path / "none", tmp_path, "./-", "/dev/shm/x"):
        assert not is_stream(file)


@POSIX
def test_a_device_stays_a_device() -> None:
    before = Path(os.devnull).stat()
    write_text(os.devnull, "into nothing")
    assert Path(os.devnull).stat().st_rdev == before.st_rdev
    check_output(Path(os.devnull), ".csv")


@POSIX
def test_a_pipe_is_written_through_and_stays(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()))
    reader.start()
    write_text(pipe, "a,b\n")
    reader.join()
    assert read == [b"a,b\n"]
    assert pipe.is_fifo()
    assert [path.name for path in tmp_path.iterdir()] == ["pipe.csv"]


def test_standard_output_comes_after_what_was_printed(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    print("before")
    write_text("-", "a,b\n")
    print("after", flush=True)
    assert capfdbinary.readouterr().out == b"before\na,b\nafter\n"


def test_a_stream_of_text_alone_takes_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    text = io.StringIO()
    monkeypatch.setattr(sys, "stdout", text)
    with open_stream("-") as stream:
        stream.write("Ω".encode())
    assert text.getvalue() == "Ω"


def test_nothing_is_written_through_of_what_failed(
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    paths = []

    def write_half() -> None:
        with atomic_path("-") as temporary:
            paths.append(temporary)
            temporary.write_text("half")
            raise KeyError

    with pytest.raises(KeyError):
        write_half()
    assert capfdbinary.readouterr().out == b""
    assert not paths[0].exists()


def test_only_tables_are_written_to_streams() -> None:
    check_output(Path("-"), ".csv")
    with pytest.raises(InputError, match=r"-: \.dgmix files are not written to streams"):
        check_output(Path("-"), ".dgmix")


@POSIX
@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_leads_to_what_was_written(tmp_path: Path, there: bool) -> None:
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far/target.csv", tmp_path / "link.csv"
    if there:
        target.write_text("old")
    (tmp_path / "first.csv").symlink_to("far/target.csv")
    link.symlink_to("first.csv")
    write_text(link, "new")
    assert link.is_symlink()
    assert (tmp_path / "first.csv").is_symlink()
    assert target.read_text() == "new"
    assert not target.is_symlink()


@POSIX
def test_a_program_without_streams_and_on_a_full_device_ends_in_a_sentence() -> None:
    program = [sys.executable, "-m", "dgmix", "--version"]
    closed = subprocess.run(["sh", "-c", '"$@" <&- >&- 2>&-', "sh", *program], check=False)
    assert closed.returncode == 0
    if Path("/dev/full").exists():
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                program, stdout=full, stderr=subprocess.PIPE, text=True, check=False
            )
        assert done.returncode == 1
        assert done.stderr == "dgmix: standard output: no space left on device\n"
