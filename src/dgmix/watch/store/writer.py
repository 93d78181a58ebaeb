"""The one thread that writes: operations in order, several in a transaction, tried until done."""

from __future__ import annotations

import logging
import sqlite3
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any, TypeAlias

from dgmix.errors import DgmixError
from dgmix.watch.clock import Backoff

Operation: TypeAlias = Callable[[sqlite3.Connection], Any]
MOST_WAITING = 5000
COLLECT_SECONDS = 0.2
CLOSE_SECONDS = 3.0
PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_PROTOCOL,
}
DAMAGED = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
log = logging.getLogger("dgmix.watch.store")


def _code(error: Exception) -> int:
    """Return the primary result code of SQLite, or 0."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _passing(error: Exception) -> bool:
    """Say whether the same operation may succeed later."""
    return _code(error) in PASSING


class StoreBusyError(DgmixError):
    """Too much waits to be written: the disk is full, slow, or locked by another program."""


class Writer:
    """Writes what threads submit.

    Operations are committed together every fifth of a second. Where the database is locked or the
    disk full, they wait and are tried again; `problem` is then the reason. Once `MOST_WAITING`
    wait, `submit` raises `StoreBusyError`: nothing queues without end. `damaged` is what SQLite
    says of a file that is no whole database any more.
    """

    def __init__(self, connection: sqlite3.Connection, most_waiting: int = MOST_WAITING) -> None:
        self.problem = ""
        self.damaged = ""
        self._connection = connection
        self._most = most_waiting
        self._waiting: deque[tuple[Operation, Future[Any]]] = deque()
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._urgent = False
        self._thread = threading.Thread(target=self._run, name="store", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many operations are not committed yet."""
        return len(self._waiting)

    def submit(self, operation: Operation, *, urgent: bool = False) -> Future[Any]:
        """Let an operation be committed; the future has its result once it is on disk."""
        future: Future[Any] = Future()
        with self._changed:
            if self._stopping.is_set():
                raise StoreBusyError("the store is closed")
            if len(self._waiting) >= self._most:
                raise StoreBusyError(f"the store cannot keep up ({self.problem or 'slow disk'})")
            self._waiting.append((operation, future))
            self._urgent |= urgent
            self._changed.notify_all()
        return future

    def call(self, operation: Operation, timeout: float | None = None) -> Any:
        """Return the result of an operation once it is committed."""
        return self.submit(operation, urgent=True).result(timeout)

    def close(self) -> None:
        """Commit what waits, for three seconds at most if that is not possible, and end."""
        with self._changed:
            self._stopping.set()
            self._changed.notify_all()
        self._thread.join(CLOSE_SECONDS)
        if not self._thread.is_alive():
            self._connection.close()

    def _run(self) -> None:
        backoff = Backoff(0.1, 5.0)
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._stopping.is_set())
                if not self._waiting:
                    return
                if not (self._urgent or self._stopping.is_set()):
                    self._changed.wait(COLLECT_SECONDS)
                batch, self._urgent = list(self._waiting), False
            if self._commit([operation for operation, _ in batch], [each for _, each in batch]):
                with self._changed:
                    for _ in batch:
                        self._waiting.popleft()
                backoff.succeeded()
            elif self._stopping.wait(backoff.failed()) and backoff.failures > 5:
                return

    def _commit(self, operations: Sequence[Operation], futures: Sequence[Future[Any]]) -> bool:
        """Commit operations together; False where that has to be tried again."""
        try:
            results = self._transaction(operations)
        except sqlite3.Error as error:
            self._rollback()
            if not _passing(error):
                return self._one_by_one(operations, futures, error)
            if self.problem != str(error):
                log.error("store: %s; trying again", error)
            self.problem = str(error)
            return False
        except Exception as error:
            self._rollback()
            return self._one_by_one(operations, futures, error)
        self.problem = ""
        for future, result in zip(futures, results, strict=True):
            future.set_result(result)
        return True

    def _one_by_one(
        self, operations: Sequence[Operation], futures: Sequence[Future[Any]], error: Exception
    ) -> bool:
        """Commit each operation by itself, so that one that cannot succeed fails alone."""
        if _code(error) in DAMAGED:
            self.problem = self.damaged = str(error)
        if len(operations) == 1:
            log.error("store: an operation failed: %s", error)
            futures[0].set_exception(error)
            return True
        for operation, future in zip(operations, futures, strict=True):
            if not future.done() and not self._commit([operation], [future]):
                self._stopping.wait(0.1)
                if not self._commit([operation], [future]):
                    future.set_exception(StoreBusyError(self.problem))
        return True

    def _transaction(self, operations: Sequence[Operation]) -> list[Any]:
        self._connection.execute("BEGIN IMMEDIATE")
        results = [operation(self._connection) for operation in operations]
        self._connection.execute("COMMIT")
        return results

    def _rollback(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
