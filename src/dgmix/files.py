"""Files that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
import time
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dgmix.errors import DgmixError, InputError
from dgmix.streams import is_stream, open_stream

AUDIO_SUFFIXES = (
    *(".wav", ".wave", ".flac", ".ogg", ".oga", ".opus", ".mp3"),
    *(".aif", ".aiff", ".au", ".caf", ".rf64", ".w64"),
)
DECODER_SUFFIXES = (  # that only FFmpeg decodes
    *(".m4a", ".m4b", ".aac", ".ac3", ".amr", ".ape", ".wma", ".wv", ".tta", ".mp2", ".mka"),
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".wmv", ".3gp", ".3g2", ".mts", ".flv"),
)
KEPT = (*AUDIO_SUFFIXES, *DECODER_SUFFIXES, ".dgmix", ".onnx")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
LEFT_BEHIND = 3600.0  # seconds
UMASK = os.umask(0)  # can only be read by setting it, which is safe before there are threads
os.umask(UMASK)


@contextmanager
def atomic_path(target: str | os.PathLike[str], replace: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside `target`; move it onto `target` when the block ends well.

    Without `replace` a target that is there by then, of another process say, stays as it is.
    Missing parent folders are made. When the block raises, the temporary file is removed and
    `target` stays as it was. A link stays a link: what it leads to is replaced. What is no file (a
    device, a pipe, "-" for standard output) is written to. Errors of the operating system leave as
    one sentence: a place that cannot be written is an `InputError`, a full disk or broken medium a
    `DgmixError`.
    """
    if is_stream(target):
        with _through(target) as path:
            yield path
        return
    target = _real(Path(target))
    temporary = None
    with explained(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=target.parent, prefix=f".{target.name}.", suffix=".part"
        )
        temporary = Path(name)
        try:
            with _held(handle):
                yield temporary
                with temporary.open("rb") as written:
                    os.fsync(written.fileno())
                temporary.chmod(0o666 & ~UMASK)
                if replace or not _linked(temporary, target):
                    temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def _through(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a temporary path; write its content to a stream when the block ends well."""
    handle, name = tempfile.mkstemp(prefix="dgmix.", suffix=".part")
    os.close(handle)
    try:
        yield Path(name)
        with explained(target), Path(name).open("rb") as written, open_stream(target) as stream:
            shutil.copyfileobj(written, stream)
    finally:
        Path(name).unlink(missing_ok=True)


def _real(target: Path) -> Path:
    """Return where a link leads to, at last; also where that is not there yet."""
    return Path(os.path.realpath(target)) if target.is_symlink() else target


@contextmanager
def _held(handle: int) -> Iterator[None]:
    """Lock an open file for as long as the block lasts, where there are such locks; close it."""
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_SH)
    except (ImportError, OSError):
        os.close(handle)
        yield
        return
    try:
        yield
    finally:
        os.close(handle)


@contextmanager
def token(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield a file in a folder for as long as the block lasts: who sees it sees that very folder.

    Where its process is killed it stays.
    """
    with explained(folder):
        handle, name = tempfile.mkstemp(dir=folder, prefix=".token.")
        os.close(handle)
    try:
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)


def _linked(temporary: Path, target: Path) -> bool:
    """Give a file its second name, unless there is such a file; False without hard links."""
    try:
        os.link(temporary, target)
    except FileExistsError:
        return True
    except OSError:
        return target.exists()
    return True


def write_text(target: str | os.PathLike[str], text: str, replace: bool = True) -> None:
    """Write `text` (UTF-8, newlines as they are) to `target`, whole or not at all.

    Without `replace` a file that is there stays as it is.
    """
    with atomic_path(target, replace) as temporary:
        temporary.write_bytes(text.encode())


def read_csv_text(path: str | os.PathLike[str]) -> str:
    """Return the text of a table as programs and spreadsheets write it, in UTF-8 or UTF-16.

    Raises `InputError` where it is neither, and where it cannot be read.
    """
    with explained(path):
        content = Path(path).read_bytes()
    utf16 = content.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
    with suppress(UnicodeDecodeError):
        text = content.decode("utf-16" if utf16 else "utf-8-sig")
        if "\0" not in text:
            return text
    raise InputError(f"{path}: not a text file in UTF-8; save it as CSV UTF-8")


def remove_unfinished(folder: str | os.PathLike[str], below: bool = False) -> None:
    """Remove the temporary files that killed processes left in a folder, and `below` it.

    Those of a process that lives stay. Where files cannot be locked, so do those of the last hour.
    """
    for path in Path(folder).glob("**/.*.part" if below else ".*.part"):
        with suppress(FileNotFoundError):
            if _abandoned(path):
                path.unlink()


def _abandoned(path: Path) -> bool:
    try:
        import fcntl

        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except (ImportError, OSError):
        return time.time() - path.stat().st_mtime > LEFT_BEHIND
    return True


def check_output(path: Path, ending: str, read: Collection[Path] = ()) -> None:
    """See that a file can be written, before time is spent on what goes there; make its folder.

    Raises `InputError` for a folder, for a recording or model that is there, unless it has the
    ending of what is to be written, and for one of those that are `read`.
    """
    if is_stream(path):
        if ending != ".csv":
            raise InputError(f"{path}: {ending} files are not written to streams; name a file")
        return
    if path.is_dir():
        example = path / f"pump{ending}"
        raise InputError(f"{path}: a folder; name a file in it, for example {example}")
    other = path.suffix.lower() in KEPT and path.suffix.lower() != ending
    if path.exists() and (other or any(each.exists() and path.samefile(each) for each in read)):
        example = path.with_suffix(ending) if other else path.with_stem(f"{path.stem}-scores")
        raise InputError(
            f"{path}: exists, and would be overwritten; name another file, for example {example}"
        )
    make_folder(path.parent)


def make_folder(path: str | os.PathLike[str]) -> Path:
    """Make `path` and its parents, or say in one sentence why that is not possible."""
    path = Path(path)
    with explained(path):
        path.mkdir(parents=True, exist_ok=True)
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    return path


def printable(path: str | os.PathLike[str]) -> str:
    """Return a path as one line of text that any program can read.

    Bytes that are no text in the encoding of the system, line breaks and other control characters
    are shown as \\xe9.
    """
    name = os.fspath(path).encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", name)


def free_space(path: str | os.PathLike[str]) -> int | None:
    """Return how many bytes are free on the disk of a path, which need not be there yet.

    None where the system does not tell.
    """
    folder = Path(path).absolute()
    there = next((each for each in (folder, *folder.parents) if each.exists()), folder)
    try:
        return shutil.disk_usage(there).free
    except OSError:
        return None


def shown_size(number: float | None) -> str:
    """Return a number of bytes in the unit that suits it, in three figures."""
    if number is None:
        return "unknown"
    for unit in ("B", "kB", "MB", "GB"):
        if number < 999.5:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} TB"


@contextmanager
def explained(path: str | os.PathLike[str]) -> Iterator[None]:
    """Turn an `OSError` raised inside the block into a sentence that names `path`.

    Raises `DgmixError` for a full disk, a failing medium or too many open files, `InputError` for
    everything that another path or another permission would mend.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DgmixError(
                f"{path}: the disk is full; free some space or choose another folder"
            ) from error
        if error.errno in (errno.EMFILE, errno.ENFILE):
            raise DgmixError(
                f"{path}: too many files are open; allow more of them (ulimit -n)"
            ) from error
        if error.errno == errno.EIO:
            raise DgmixError(f"{path}: the disk reports a read or write error") from error
        if error.errno == errno.ENOENT:
            raise InputError(f"{path}: no such file or folder; check the path") from error
        reason = error.strerror or str(error)
        raise InputError(
            f"{path}: {reason[:1].lower()}{reason[1:]}; choose another path or its permissions"
        ) from error
