"""The files of a folder: recordings by their names, and what is none, with the reason."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from dgmix.audio.io import is_audio_name
from dgmix.errors import InputError, first_few
from dgmix.files import explained, printable

CLUTTER = re.compile(  # what systems and editors leave beside recordings
    r"\..*|Thumbs\.db|desktop\.ini|.*\.(asd|reapeaks|pkf|pk|sfk|sfl|ovw|gpk|peak|tmp|part|dgmix)",
    re.IGNORECASE,
)
DOCUMENTS = re.compile(  # what people write about recordings
    r".*\.(csv|tsv|json|ya?ml|xml|txt|md|pdf|xlsx?|ods|docx?|html?|png|jpe?g|svg|zip|py|ipynb|notice)",
    re.IGNORECASE,
)
CLUTTER_FOLDERS = re.compile(r"\..*|__MACOSX|@eaDir|System Volume Information|\$RECYCLE\.BIN")


@dataclass
class Contents:
    """What a folder holds: its `recordings`, sorted by path, and why others were left out.

    `other` counts files that are no recordings by the end of their name, by that end.
    """

    recordings: list[Path] = field(default_factory=list)
    unusable: list[tuple[Path, str]] = field(default_factory=list)
    other: Counter[str] = field(default_factory=Counter)

    def left_out(self) -> list[str]:
        """Return a line for each file that cannot be read, and one for those that are none."""
        notes = [f"{printable(path)}: {reason}" for path, reason in sorted(self.unusable)]
        if self.other:
            count = self.other.total()
            files = (
                "1 file that is no recording"
                if count == 1
                else f"{count} files that are no recordings"
            )
            ends = [f"{end} {number}" for end, number in self.other.most_common()]
            notes.append(f"{files} by the end of the name ({first_few(ends, 6)})")
        return notes


def walk(root: Path) -> Contents:
    """Return what is in a folder and its sub-folders, through links too, never round in a circle.

    Hidden files and folders, documents, and what systems leave beside recordings, are not
    mentioned. Raises `InputError` when the folder itself is missing or cannot be read.
    """
    contents = Contents()
    for path, reason in _walk(root, frozenset()):
        if reason:
            contents.unusable.append((path, reason))
        elif is_audio_name(path.name):
            contents.recordings.append(path)
        elif not DOCUMENTS.fullmatch(path.name):
            contents.other[printable(path.suffix.lower()) or "without an ending"] += 1
    contents.recordings.sort()
    return contents


def _walk(folder: Path, above: frozenset[Path]) -> Iterator[tuple[Path, str]]:
    """Yield the files below `folder`, with the reason why one can be no recording."""
    with explained(folder):
        real = folder.resolve()
        if real in above:
            return
        entries = list(os.scandir(folder))
    for entry in entries:
        path = folder / entry.name
        if _is_folder(entry):
            if not CLUTTER_FOLDERS.fullmatch(entry.name):
                yield from _sub_folder(path, above | {real})
        elif not CLUTTER.fullmatch(entry.name):
            yield path, _reason(path) if is_audio_name(entry.name) else ""


def _sub_folder(path: Path, above: frozenset[Path]) -> Iterator[tuple[Path, str]]:
    try:
        yield from _walk(path, above)
    except InputError as error:
        yield path, str(error).removeprefix(f"{path}: ")


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _reason(path: Path) -> str:
    """Return why a path is no file to read, or nothing."""
    try:
        if path.is_file():
            return ""
        return "a pipe, socket or device" if path.exists() else "a link to nothing"
    except OSError as error:
        return (error.strerror or str(error)).lower()
