"""What is already done: a small file for each archive, written when everything else is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from dgmix.data.download.records import Archive
from dgmix.files import write_text


def part_file(folder: Path, archive: Archive) -> Path:
    """Return where an archive is while it is being fetched and unpacked."""
    return folder / ".download" / f"{archive.name}.part"


def staging_folder(folder: Path, archive: Archive) -> Path:
    """Return where an archive is unpacked before its files move into place."""
    return folder / ".download" / f"{archive.name}.unpacked"


def state_file(folder: Path, archive: Archive) -> Path:
    """Return the file that says that an archive is unpacked, and into which files."""
    return folder / ".download" / f"{archive.name}.json"


def write_state(folder: Path, archive: Archive, md5: str, files: Mapping[str, int]) -> None:
    """Note that an archive is unpacked into `files`: paths below `folder`, sizes in bytes."""
    state = {"record": archive.record, "md5": md5, "files": dict(files)}
    write_text(state_file(folder, archive), json.dumps(state, indent=0))


def is_complete(folder: Path, archive: Archive) -> bool:
    """Return whether an archive was unpacked and each of its files is still there, whole."""
    try:
        files = json.loads(state_file(folder, archive).read_bytes())["files"]
        return all((folder / path).stat().st_size == size for path, size in files.items())
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return False
