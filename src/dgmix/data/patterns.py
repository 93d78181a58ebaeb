"""Patterns on the command line, where brackets may belong to the name of a folder."""

from __future__ import annotations

import glob
import os
from pathlib import Path


def matching_files(pattern: str) -> list[Path]:
    """Return the files that a pattern matches, sorted.

    Where it matches none, the folders at its start that are there are taken as they are written:
    in `hall [1]/*.wav` the brackets are part of a name.
    """
    matches = _files(pattern)
    parts = Path(pattern).parts
    for count in range(len(parts) - 1, 0, -1):
        folder = Path(*parts[:count])
        if matches or not glob.has_magic(str(folder)):
            break
        if folder.is_dir():
            matches = _files(os.path.join(glob.escape(str(folder)), *parts[count:]))  # noqa: PTH118
    return matches


def _files(pattern: str) -> list[Path]:
    matches = glob.glob(pattern, recursive=True)  # noqa: PTH207 - may be absolute
    return [path for path in sorted(map(Path, matches)) if path.is_file()]
