"""The store: what the rest of the watch holds of it."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from dgmix.errors import DgmixError
from dgmix.watch.clock import Clock
from dgmix.watch.store import rows
from dgmix.watch.store.opening import BACKUP, DATABASE, connect, only_process, open_database
from dgmix.watch.store.writer import MOST_WAITING, Operation, Writer

T = TypeVar("T")
READ_SECONDS = 5.0
STEPS = 10_000  # of SQLite's machine between looks at the time


class Store:
    """A state folder that this process alone writes, and any thread may read.

    Raises `InputError` where another process has the folder. `close` commits what waits.
    """

    def __init__(self, folder: Path, clock: Clock, most_waiting: int = MOST_WAITING) -> None:
        self.folder = folder
        self.path = folder / DATABASE
        self.clock = clock
        self._readers = threading.local()
        self._all_readers: list[sqlite3.Connection] = []
        self._held = ExitStack()
        self._held.enter_context(only_process(folder))
        try:
            stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(clock.now()))
            connection, self.notice = open_database(folder, stamp)
        except BaseException:
            self._held.close()
            raise
        self.writer = Writer(connection, most_waiting)
        if self.notice:
            text = self.notice
            self.write(lambda to: rows.notice(to, clock.now(), text))

    def close(self) -> None:
        """Commit what waits, as far as that is possible within three seconds, and let go."""
        self.writer.close()
        for reader in self._all_readers:
            reader.close()
        self._held.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def write(self, operation: Operation) -> Future[Any]:
        """Let an operation be committed soon, together with others."""
        return self.writer.submit(operation)

    def write_now(self, operation: Operation, timeout: float | None = 10.0) -> Any:
        """Return the result of an operation once it is on disk.

        Raises `DgmixError` where that takes longer than `timeout` seconds.
        """
        try:
            return self.writer.call(operation, timeout)
        except TimeoutError as error:
            reason = self.writer.problem or "slow disk"
            raise DgmixError(
                f"{self.path}: not written yet ({reason}); look again later"
            ) from error

    def flush(self) -> None:
        """Wait until all that was submitted is on disk."""
        self.write_now(lambda _: None)

    def read(self, query: Callable[..., T], *arguments: Any, **options: Any) -> T:
        """Return what a query of `queries` gives; raises `DgmixError` if it takes too long."""
        connection = getattr(self._readers, "connection", None)
        if connection is None:
            connection = self._readers.connection = connect(self.path, read_only=True)
            self._all_readers.append(connection)
        return timed(connection, query, *arguments, **options)

    def backup(self) -> None:
        """Write a copy of the database beside it, whole or not at all."""
        temporary = self.folder / f".{BACKUP}.part"
        with (
            closing(connect(self.path, read_only=True)) as source,
            closing(sqlite3.connect(temporary)) as target,
        ):
            source.backup(target, pages=500)
        temporary.replace(self.folder / BACKUP)


def timed(
    connection: sqlite3.Connection, query: Callable[..., T], *arguments: Any, **options: Any
) -> T:
    """Return what a query gives, or stop it after five seconds with a `DgmixError`."""
    end = time.monotonic() + READ_SECONDS
    connection.set_progress_handler(lambda: time.monotonic() > end, STEPS)
    try:
        return query(connection, *arguments, **options)
    except sqlite3.OperationalError as error:
        if "interrupted" not in str(error):
            raise
        raise DgmixError("a query took too long and was stopped; ask for less") from error
    finally:
        connection.set_progress_handler(None, 0)


@contextmanager
def read_only(folder: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection that only reads, beside a watch that runs."""
    from dgmix.errors import InputError

    path = folder / DATABASE
    if not path.exists():
        raise InputError(f"{path}: no watch has written here yet; check the `state` folder")
    with closing(connect(path, read_only=True)) as connection:
        yield connection
