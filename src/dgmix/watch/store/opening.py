"""Opening the database: for one process at a time, whole, or else from its backup."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from dgmix.errors import InputError
from dgmix.files import explained, make_folder
from dgmix.watch.store.schema import migrate

DATABASE, BACKUP, LOCK = "watch.db", "watch.db.backup", "lock"
BUSY_SECONDS = 5.0
CACHE_KILOBYTES = 8000
CHECKPOINT_PAGES = 250  # of 4 kB: the log beside the database stays near 1 MB


@contextmanager
def only_process(folder: Path) -> Iterator[None]:
    """Hold a state folder for this process; raises `InputError` where another has it."""
    import fcntl

    make_folder(folder)
    path = folder / LOCK
    with explained(path), path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            other = file.read().strip()
            raise InputError(
                f"{folder}: in use by another dgmix watch (process {other or 'unknown'}); stop "
                "that one, or give this one a `state` of its own"
            ) from error
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """Return a connection in autocommit mode; writing ones in WAL mode, synchronised at commits."""
    mode = "ro" if read_only else "rwc"
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode={mode}",
        uri=True,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
    )
    connection.row_factory = sqlite3.Row
    connection.execute(f"PRAGMA cache_size = -{CACHE_KILOBYTES}")
    if not read_only:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    return connection


def open_database(folder: Path, stamp: str) -> tuple[sqlite3.Connection, str]:
    """Return the database of a folder, of this version, and a sentence if it was damaged.

    A damaged file is put aside under a name with `stamp`, and the last backup, if it is whole, or
    else an empty database takes its place: listening goes on.
    """
    path = folder / DATABASE
    notice = ""
    if path.exists() and (problem := damage(path)):
        aside = _put_aside(path, stamp)
        backup = folder / BACKUP
        restored = backup.exists() and not damage(backup)
        if restored:
            with explained(path):
                path.write_bytes(backup.read_bytes())
        instead = "the last backup takes its place" if restored else "a new one takes its place"
        notice = f"{path}: damaged ({problem}); kept as {aside.name}, and {instead}"
    with explained(path):
        try:
            connection = connect(path)
        except sqlite3.OperationalError as error:
            raise InputError(f"{path}: {error}; choose another state folder") from error
    migrate(connection, str(path))
    return connection, notice


def damage(path: Path) -> str:
    """Return what SQLite's quick check finds wrong with a database, or nothing."""
    try:
        with closing(connect(path)) as connection:
            (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        if isinstance(error, sqlite3.OperationalError) and "locked" in str(error):
            raise InputError(f"{path}: locked by another program; close that one") from error
        return str(error)
    return "" if answer == "ok" else " ".join(str(answer).split())


def _put_aside(path: Path, stamp: str) -> Path:
    aside = path.with_name(f"{path.name}.damaged-{stamp}")
    for ending in ("", "-wal", "-shm"):
        part = path.with_name(path.name + ending)
        if part.exists():
            part.rename(aside.with_name(aside.name + ending))
    return aside
