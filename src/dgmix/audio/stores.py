"""What lies in a cache folder: a store of features for each pair of audio and feature settings."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dgmix.files import explained

NAME = re.compile(r"[0-9a-f]{16}")
SETTINGS = "settings.json"
FILES = ("shard-*.f16", "shard-*.jsonl", ".shard-*.part", f".{SETTINGS}.*.part", SETTINGS)
DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Store:
    """A store: its folder, what its features are, how much there is, when it was last added to.

    `written` is in seconds since 1970.
    """

    folder: Path
    sample_rate: int
    n_mels: int
    recordings: int
    size: int
    written: float

    @property
    def name(self) -> str:
        """The name of its folder, which its settings decide."""
        return self.folder.name


def stores(cache: Path) -> list[Store]:
    """Return the stores in a cache folder, the one that was added to last first.

    A folder that is not there holds none. Raises `InputError` for one that cannot be read.
    """
    with explained(cache):
        if not cache.exists():
            return []
        folders = [path for path in cache.iterdir() if NAME.fullmatch(path.name)]
        present = [store for folder in folders if (store := _store(folder))]
    return sorted(present, key=lambda store: store.written, reverse=True)


def clear(cache: Path, older_than: float = 0.0) -> list[Store]:
    """Remove the stores that nothing was added to for `older_than` days; return them.

    Only files that stores consist of are removed, and the folders that this leaves empty: anything
    else in a cache folder stays. A process that is reading a store keeps what it has opened.
    """
    latest = time.time() - older_than * DAY
    removed = [store for store in stores(cache) if store.written <= latest]
    for store in removed:
        with explained(store.folder):
            for path in _files(store.folder):
                path.unlink(missing_ok=True)
            with suppress(OSError):  # what else lies there is not dgmix's to remove
                store.folder.rmdir()
    return removed


def _store(folder: Path) -> Store | None:
    """Return the store in a folder, or None where it is no store."""
    try:
        settings = json.loads((folder / SETTINGS).read_text("utf-8"))
        rate, n_mels = settings["audio"]["sample_rate"], settings["features"]["n_mels"]
    except (OSError, ValueError, TypeError, LookupError):
        return None
    states = [path.stat() for path in _files(folder)]
    return Store(
        folder,
        rate,
        n_mels,
        sum(path.read_bytes().count(b"\n") for path in folder.glob("shard-*.jsonl")),
        sum(state.st_size for state in states),
        max(state.st_mtime for state in states),
    )


def _files(folder: Path) -> Iterator[Path]:
    return (path for pattern in FILES for path in folder.glob(pattern) if not path.is_dir())
