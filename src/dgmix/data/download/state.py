"""What is already done: a small file for each archive, written when everything else is."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from dgmix.data.download.archive import Archive
from dgmix.data.download.names import ClipNames
from dgmix.data.years import YEARS
from dgmix.errors import InputError
from dgmix.files import explained, write_text


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


def is_complete(folder: Path, archive: Archive, names: ClipNames) -> bool:
    """Return whether an archive was unpacked and each of its files is still there, whole.

    A file may be called as it was unpacked or as `names` have it. Raises `InputError` where the
    folder holds the archive of the same name of another year's data set.
    """
    try:
        record = json.loads(state_file(folder, archive).read_bytes())["record"]
        if record == archive.record:
            files = _files(folder, archive)
            return all(_size_of(folder, path, names) == size for path, size in files)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return False
    for year in YEARS.values():
        if record in (source.record for source in year.sources.values()):
            raise InputError(
                f"{folder}: holds {archive.name} of {year.dataset}; give each data set a folder of "
                "its own"
            )
    return False


def rename_clips(folder: Path, archive: Archive, names: ClipNames) -> int:
    """Give the files of a complete archive their names; return how many got another one.

    What is interrupted is continued by the next call, for `is_complete` accepts either name.
    """
    files = dict(_files(folder, archive))
    renamed = {path: names.full(path) for path in files if names.full(path) != path}
    with explained(folder):
        for path, full in renamed.items():
            if (folder / path).exists():
                (folder / path).replace(folder / full)
    if renamed:
        state = json.loads(state_file(folder, archive).read_bytes())
        sizes = {renamed.get(path, path): size for path, size in files.items()}
        write_state(folder, archive, str(state.get("md5", "")), sizes)
    return len(renamed)


def _files(folder: Path, archive: Archive) -> Iterable[tuple[str, int]]:
    files = json.loads(state_file(folder, archive).read_bytes())["files"]
    return [(str(path), int(size)) for path, size in files.items()]


def _size_of(folder: Path, path: str, names: ClipNames) -> int:
    there = folder / path
    return (there if there.exists() else folder / names.full(path)).stat().st_size
