"""Which recordings there are: data sets in DCASE form, plain folders, tables."""

from __future__ import annotations

import os
from pathlib import Path

from dgmix.data.clip import Clip, Manifest
from dgmix.data.dcase import dcase_manifest
from dgmix.data.folder import folder_manifest
from dgmix.data.table import read_table
from dgmix.data.walk import walk
from dgmix.errors import InputError

__all__ = ["Clip", "Manifest", "load_manifest"]


def load_manifest(path: str | os.PathLike[str]) -> Manifest:
    """Return the clips of a data set: a CSV table, a DCASE folder, or any folder of recordings.

    A folder is a DCASE one when at least one of its recordings has a DCASE name. Clips come
    sorted by path, those of a table in its order. Nothing is decoded.

    Raises `InputError` when the path is missing or unreadable, and when no usable clip is there.
    """
    path = Path(path)
    if path.suffix.lower() == ".csv" and not path.is_dir():
        return read_table(path)
    if path.is_file():
        raise InputError(f"{path}: neither a folder nor a CSV file; give the folder it lies in")
    contents = walk(path)
    if not contents.recordings:
        why = "".join(f"; left out: {line}" for line in contents.left_out())
        raise InputError(f"{path}: no recordings in this folder; put WAV or FLAC files there{why}")
    manifest = dcase_manifest(path, contents.recordings) or folder_manifest(
        path, contents.recordings
    )
    return Manifest(manifest.clips, manifest.root, manifest.notes, contents.left_out())
