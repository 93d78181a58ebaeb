"""Clips as FLAC files, within a budget: the most ordinary ones go first, kept ones never."""

from __future__ import annotations

import logging
import shutil
import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dgmix.errors import DgmixError
from dgmix.files import atomic_path
from dgmix.watch.settings import StorageSettings
from dgmix.watch.sound import Block
from dgmix.watch.store.rows import insert_clip
from dgmix.watch.store.store import Store

MEGABYTE = 1_000_000
FOLDER = "clips"
WORST = 3  # bytes a sample that FLAC cannot make smaller, 24 bits
ATTEMPTS = 1000
PURGE_ORDER = """
SELECT * FROM clips WHERE NOT pinned AND NOT EXISTS
    (SELECT 1 FROM labels WHERE labels.event = clips.event AND labels.undone IS NULL)
ORDER BY kind = 'event', p_value IS NULL, p_value DESC, id LIMIT 1
"""
log = logging.getLogger("dgmix.watch.clips")


@dataclass(frozen=True)
class NewClip:
    """A clip to write: whose, of what kind (event or healthy), and how ordinary it is."""

    machine: str
    kind: str
    block: Block
    p_value: float | None
    condition: str | None
    event: str | None = None


class Clips:
    """The clips of a store.

    `free` returns the free bytes of the disk. `refused` counts clips that had no place.
    """

    def __init__(
        self,
        store: Store,
        settings: StorageSettings,
        free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
    ) -> None:
        self.folder = store.folder / FOLDER
        self.refused = 0
        self._store, self._settings, self._free = store, settings, free
        self.folder.mkdir(parents=True, exist_ok=True)
        self._remove_strays()

    def path(self, file: str) -> Path:
        """Return where a clip is, by what its row calls its file."""
        return self.folder / file

    def write(self, clip: NewClip) -> int | None:
        """Write a clip, make room for it first, and return its number; None without room.

        Whatever is wrong with the disk is counted and logged: listening goes on.
        """
        try:
            if self._make_room(len(clip.block.samples) * WORST):
                return self._write(clip)
            reason = "no room within storage.budget_mb, and nothing left that may be removed"
        except (DgmixError, OSError) as error:
            reason = str(error)
        self.refused += 1
        if self.refused == 1 or not self.refused % 100:
            log.warning("clip of %s not kept: %s (%d so far)", clip.machine, reason, self.refused)
        return None

    def pin(self, number: int, pinned: bool) -> bool:
        """Keep a clip whatever the budget, or no longer; False where there is none."""
        cursor = self._store.write_now(
            lambda to: (
                to.execute("UPDATE clips SET pinned = ? WHERE id = ?", (pinned, number)).rowcount
            )
        )
        return bool(cursor)

    def used(self) -> int:
        """Return how many bytes clips and database take."""
        return self._store.read(_clip_bytes) + sum(
            path.stat().st_size
            for path in self._store.folder.glob(f"{self._store.path.name}*")
            if path.is_file()
        )

    def remove_older(self, before: float) -> int:
        """Remove clips from before a time that nobody pinned or labelled; return how many."""
        removed = 0
        query = PURGE_ORDER.replace("WHERE NOT pinned", "WHERE start < ? AND NOT pinned")
        while row := self._store.read(lambda of: of.execute(query, (before,)).fetchone()):
            self._remove(row)
            removed += 1
        return removed

    def _write(self, clip: NewClip) -> int:
        import soundfile

        block = clip.block
        day = time.strftime("%Y/%m/%d", time.gmtime(block.start))
        stamp = time.strftime("%H%M%S", time.gmtime(block.start))
        number = f"{time.time_ns() % 10**9:09d}"
        file = f"{clip.machine}/{day}/{stamp}-{clip.kind}-{number}.flac"
        with atomic_path(self.path(file)) as temporary:
            samples = np.clip(block.samples, -1, 1)
            soundfile.write(temporary, samples, block.sample_rate, "PCM_24", format="FLAC")
            size = temporary.stat().st_size
        values = {
            "machine": clip.machine,
            "kind": clip.kind,
            "event": clip.event,
            "start": block.start,
            "seconds": block.seconds,
            "file": file,
            "bytes": size,
            "p_value": clip.p_value,
            "condition": clip.condition,
        }
        return int(self._store.write_now(lambda to: insert_clip(to, values)))

    def _make_room(self, size: int) -> bool:
        """Remove ordinary clips until there is room for `size` bytes; False if there is none."""
        budget = self._settings.budget_mb * MEGABYTE
        least = self._settings.least_free_mb * MEGABYTE
        for _ in range(ATTEMPTS):
            if self.used() + size <= budget and self._free(self.folder) - size >= least:
                return True
            row = self._store.read(_most_ordinary)
            if row is None:
                return False
            self._remove(row)
        return False

    def _remove(self, row: sqlite3.Row) -> None:
        self.path(row["file"]).unlink(missing_ok=True)
        number = row["id"]
        self._store.write_now(lambda to: to.execute("DELETE FROM clips WHERE id = ?", (number,)))

    def _remove_strays(self) -> None:
        """Remove files without a row: of a process that was killed between the two."""
        known = self._store.read(
            lambda of: {row[0] for row in of.execute("SELECT file FROM clips")}
        )
        for path in self.folder.rglob("*"):
            if path.is_file() and path.relative_to(self.folder).as_posix() not in known:
                path.unlink(missing_ok=True)


def _clip_bytes(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT ifnull(sum(bytes), 0) FROM clips").fetchone()[0])


def _most_ordinary(connection: sqlite3.Connection) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(PURGE_ORDER).fetchone()
    return row
