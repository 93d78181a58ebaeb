"""Processes that work for this one, which end when it does and leave Ctrl-C to it; and threads."""

from __future__ import annotations

import itertools
import multiprocessing
import multiprocessing.connection
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import lru_cache, partial
from multiprocessing.process import BaseProcess
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar
from weakref import WeakValueDictionary

from dgmix.errors import DgmixError, InputError
from dgmix.progress import level, set_level, share_terminal

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")
IDLE = -1
UNGUARDED = (
    "a worker process ended as it started: in a script, put the call of dgmix under "
    "`if __name__ == '__main__':`"
)
CONTINUE = "start again: what is done is kept"


@contextmanager
def worker_pool(count: int, prepare: Callable[[], None] | None = None) -> Iterator[WorkerPool]:
    """Yield a pool of processes; when the block fails or is interrupted they end at once.

    `prepare` is called once in each of them. Raises `InputError` where a program that does not
    guard its main part would start itself again in every process, and `DgmixError` when the block
    fails because a process has died.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise InputError(
            "each worker process starts this program again; put the call of dgmix under "
            "`if __name__ == '__main__':`"
        )
    interruptible()
    with WorkerPool(count, prepare) as pool:
        try:
            yield pool
        except BrokenProcessPool as error:
            causes = [cause for _, cause in pool.deaths()]
            raise DgmixError(next(iter(causes), str(error))) from error
        except BaseException:
            for worker in pool.workers:
                worker.terminate()
            raise


class WorkerPool(ProcessPoolExecutor):
    """A pool of processes that tells, when one of them dies, of what and in which call."""

    def __init__(self, count: int, prepare: Callable[[], None] | None = None) -> None:
        spawn = multiprocessing.get_context("spawn")
        self._calls: WeakValueDictionary[int, Future[Any]] = WeakValueDictionary()
        self._numbers = itertools.count()
        self._table = spawn.RawArray("q", 2 * count)  # of each process its id, and its call
        next_row = spawn.Value("i", 0)
        start = (self._table, next_row, count > 1, level(), prepare)
        super().__init__(count, spawn, _start, start)
        # All of them start at the first call: CPython overlooks the death of one that starts later.
        self._safe_to_dynamically_spawn_children = False
        self._others = set(multiprocessing.active_children())
        self.workers: set[BaseProcess] = set()

    def submit(self, work: Callable[P, T], /, *args: P.args, **options: P.kwargs) -> Future[T]:
        """Return the future result of `work`."""
        interruptible()
        number = next(self._numbers)
        future = super().submit(_do, number, partial(work, *args, **options))
        self._calls[number] = future
        if not self.workers:
            self.workers = set(multiprocessing.active_children()) - self._others
        return future

    def deaths(self) -> list[tuple[Future[Any] | None, str]]:
        """Return what ended each process that died, after the call that it was at, if at any.

        For a pool that is broken. It has ended its other processes by SIGTERM: they do not count.
        """
        self.shutdown()
        calls = dict(zip(self._table[::2], self._table[1::2], strict=True))
        ended = [(w.pid, w.exitcode) for w in self.workers if w.exitcode]
        died = [each for each in ended if each[1] != -signal.SIGTERM] or ended
        return [
            (self._calls.get(call), describe_exit(code) if call != IDLE or code != 1 else UNGUARDED)
            for call, code in ((calls.get(pid or 0, IDLE), code) for pid, code in died)
        ]


def describe_exit(code: int | None) -> str:
    """Return a sentence on how a worker process ended, by its exit code, and what to do.

    A negative code is that of a signal, as in `subprocess`.
    """
    if code is None or code >= 0:
        return f"its worker process ended with exit status {code}; {CONTINUE}"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else str(-code)
    hint = "perhaps memory ran out: with fewer --jobs, " if code == -signal.SIGKILL else ""
    return f"its worker process was ended by signal {name}; {hint}{CONTINUE}"


def interruptible() -> None:
    """Let Ctrl-C end this process's waiting at once.

    Polars, once imported, leaves a handler with which the system goes on waiting, perhaps a while
    later; Python's takes its place again.
    """
    if threading.current_thread() is threading.main_thread():
        handler = signal.getsignal(signal.SIGINT)
        if handler is not None:
            signal.signal(signal.SIGINT, handler)


def results_in_order(
    pool: Executor, work: Callable[[S], T], items: Iterable[S], ahead: int
) -> Generator[T, None, None]:
    """Yield the results of `work` in the order of `items`, at most `ahead` of them under way."""
    waiting: deque[Future[T]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) == ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


class _Row:
    """The place in the pool's table where this process, a worker, notes the call that it is at."""

    table: Any = None
    first = 0


def _do(call: int, work: Callable[[], T]) -> T:
    _Row.table[_Row.first + 1] = call
    try:
        return work()
    finally:
        _Row.table[_Row.first + 1] = IDLE


def _start(
    table: Any, next_row: Any, several: bool, loudness: int, prepare: Callable[[], None] | None
) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with next_row.get_lock():
        _Row.table, _Row.first = table, 2 * next_row.value
        next_row.value += 1
    table[_Row.first], table[_Row.first + 1] = os.getpid(), IDLE
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_with, args=(parent.sentinel,), daemon=True).start()
    set_level(loudness)
    if several:
        share_terminal()
    if prepare:
        prepare()


def _exit_with(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


def use_one_thread() -> None:
    """Let this process compute in one thread from now on, with what it loads later as well."""
    from threadpoolctl import threadpool_limits

    os.environ["OMP_NUM_THREADS"] = "1"
    threadpool_limits(1)
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)


class ThreadCount:
    """How many threads a library computes in: `get` tells it, `limit` changes it."""

    def __init__(self, get: Callable[[], int], limit: Callable[[int], object]) -> None:
        self._get, self._limit = get, limit
        self._lock = threading.Lock()
        self._blocks = 0
        self._before = 1

    @contextmanager
    def one(self) -> Iterator[None]:
        """Let the library compute in the calling thread alone: the same bits on any number of
        cores.

        Blocks may overlap, and end in any order.
        """
        with self._lock:
            if not self._blocks:
                self._before = self._get()
                self._limit(1)
            self._blocks += 1
        try:
            yield
        finally:
            with self._lock:
                self._blocks -= 1
                if not self._blocks:
                    self._limit(self._before)

    def allowed(self) -> int:
        """Return how many threads the library may use, also inside of `one`."""
        with self._lock:
            return self._before if self._blocks else self._get()


@lru_cache(maxsize=1)
def _libraries(modules: int) -> ThreadpoolController:  # noqa: ARG001 - by which it is kept
    """Return the libraries of the process while it has so many modules, with which they come.

    To look for them reads the list of all that is mapped, as long as judging a recording takes.
    """
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _blas_threads() -> int:
    libraries = _libraries(len(sys.modules)).select(user_api="blas")
    counts = [each["num_threads"] for each in libraries.info()]
    return max(counts, default=os.cpu_count() or 1)


def _limit_blas(count: int) -> None:
    _libraries(len(sys.modules)).limit(limits=count, user_api="blas")


BLAS = ThreadCount(_blas_threads, _limit_blas)
single_threaded = BLAS.one
threads = BLAS.allowed
