"""Unpacking an archive that is not trusted: all of it, in the right place, or nothing."""

from __future__ import annotations

import re
import shutil
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from dgmix.errors import DgmixError
from dgmix.files import explained

MOST_FILES = 100_000
MOST_BYTES_PER_BYTE = 100
"""How much larger than the archive its content may say it is; 16-bit sound is below 10."""
ALWAYS_ALLOWED_BYTES = 1 << 26
CHUNK_BYTES = 1 << 20


class ArchiveError(DgmixError):
    """An archive is damaged, or not what it should be."""


def unpack(
    archive: Path, folder: Path, staging: Path, machine: str, full_name: Callable[[str], str]
) -> dict[str, int]:
    """Unpack a zip file below `folder` and return the paths written there, with sizes in bytes.

    Every member has to be a plain file or folder below `machine`. `full_name` gives the path that a
    member is to have. All files are first written below `staging`, on the same disk, and moved only
    when the last of them is there and its CRC right; `staging` is gone in any case when this
    returns.

    Raises `ArchiveError` when the zip file is damaged, encrypted, holds a path or a kind of file
    that it must not, or too much; `DgmixError` when the disk is full.
    """
    try:
        with _opened(archive) as zipped:
            members = _placed(_checked(zipped, archive, machine), archive, full_name)
            with explained(folder):
                shutil.rmtree(staging, ignore_errors=True)
                for path, member in members.items():
                    _extract(zipped, member, staging / path)
        with explained(folder):
            for path in members:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (staging / path).replace(folder / path)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return {path: member.file_size for path, member in members.items()}


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    """Open a zip file; what shows, then or later, that it is damaged leaves as `ArchiveError`."""
    try:
        with explained(archive):
            zipped = zipfile.ZipFile(archive)
        with zipped:
            yield zipped
    except (
        zipfile.BadZipFile,
        zlib.error,
        struct.error,
        EOFError,
        NotImplementedError,
        ValueError,
    ) as error:
        raise ArchiveError(
            f"{archive}: not a whole zip file ({str(error) or 'it ends early'}); fetch it again"
        ) from error


def _checked(zipped: zipfile.ZipFile, archive: Path, machine: str) -> list[zipfile.ZipInfo]:
    """Return the files to unpack, or refuse the archive for the first member that is not right."""
    infos = zipped.infolist()
    for info in infos:
        fault = _fault(info, machine)
        if fault:
            raise ArchiveError(f"{archive}: refused, for {info.orig_filename!r} in it {fault}")
    files = [info for info in infos if not info.is_dir() and not _is_litter(info)]
    declared = sum(info.file_size for info in files)
    allowed = max(MOST_BYTES_PER_BYTE * archive.stat().st_size, ALWAYS_ALLOWED_BYTES)
    if len(files) > MOST_FILES or declared > allowed:
        raise ArchiveError(
            f"{archive}: refused, for it would unpack to {len(files)} files of {declared} bytes"
        )
    return files


def _placed(
    files: Sequence[zipfile.ZipInfo], archive: Path, full_name: Callable[[str], str]
) -> dict[str, zipfile.ZipInfo]:
    """Return the files by the path that each one gets; no two may get the same."""
    placed = {full_name(info.filename): info for info in files}
    if len({path.casefold() for path in placed}) < len(files):
        raise ArchiveError(f"{archive}: refused, for it holds the same file twice")
    return placed


def _fault(info: zipfile.ZipInfo, machine: str) -> str:
    """Return what is wrong with a member of a zip file, or nothing."""
    path, kind = info.orig_filename, stat.S_IFMT(info.external_attr >> 16)
    if not re.fullmatch(r"[^\\:\x00-\x1f\x7f]+", path):
        return "has a character that paths must not have"
    parts = path.removesuffix("/").split("/")
    if any(part in ("", ".", "..") for part in parts):
        return "leads to another folder"
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is not a plain file"
    if info.header_offset < 0:
        return "does not lie in the file"
    if info.flag_bits & 1:
        return "is encrypted"
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "is packed in a way that cannot be read here"
    if not path.startswith(f"{machine}/") and not _is_litter(info):
        return f"is not below {machine}/"
    return ""


def _is_litter(info: zipfile.ZipInfo) -> bool:
    """Return whether a member is what macOS adds to a zip file; it is left out."""
    parts = info.filename.split("/")
    return parts[0] == "__MACOSX" or parts[-1] == ".DS_Store"


def _extract(zipped: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipped.open(member) as packed, target.open("xb") as file:
        shutil.copyfileobj(packed, file, CHUNK_BYTES)
        if file.tell() != member.file_size:
            raise zipfile.BadZipFile(f"{member.filename!r} ends early")
