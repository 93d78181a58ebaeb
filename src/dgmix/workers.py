"""Processes that work for this one, which end when it does and leave Ctrl-C to it; and threads."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from dgmix.errors import InputError
from dgmix.progress import share_terminal

S = TypeVar("S")
T = TypeVar("T")


@contextmanager
def worker_pool(
    count: int, prepare: Callable[[], None] | None = None
) -> Iterator[ProcessPoolExecutor]:
    """Yield a pool of processes; when the block fails or is interrupted they end at once.

    `prepare` is called once in each of them. Raises `InputError` where a program that does not
    guard its main part would start itself again in every process.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        raise InputError(
            "this program is started anew in each process that works for it; put what calls dgmix "
            "under `if __name__ == '__main__':`"
        )
    interruptible()
    before = set(multiprocessing.active_children())
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(count, spawn, _start, (count > 1, prepare)) as pool:
        try:
            yield pool
        except BaseException:
            for worker in set(multiprocessing.active_children()) - before:
                worker.terminate()
            raise


def interruptible() -> None:
    """Let Ctrl-C end this process's waiting at once.

    Polars, once imported, leaves a handler with which the system goes on waiting; Python's takes
    its place again.
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


def _start(several: bool, prepare: Callable[[], None] | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_with, args=(parent.sentinel,), daemon=True).start()
    if several:
        share_terminal()
    if prepare:
        prepare()


def _exit_with(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


def use_one_thread() -> None:
    """Let this process compute in one thread from now on."""
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    threadpool_limits(1)


class _Alone:
    """How many blocks want torch in one thread, and how many threads it had before the first."""

    lock = threading.Lock()
    blocks = 0
    threads = 1


@contextmanager
def single_threaded_torch() -> Iterator[None]:
    """Let torch compute in the calling thread alone: the same bits however many cores there are.

    Blocks may overlap, and end in any order.
    """
    import torch

    with _Alone.lock:
        if not _Alone.blocks:
            _Alone.threads = torch.get_num_threads()
            torch.set_num_threads(1)
        _Alone.blocks += 1
    try:
        yield
    finally:
        with _Alone.lock:
            _Alone.blocks -= 1
            if not _Alone.blocks:
                torch.set_num_threads(_Alone.threads)


def torch_threads() -> int:
    """Return how many threads torch may use, also inside of `single_threaded_torch`."""
    import torch

    with _Alone.lock:
        return _Alone.threads if _Alone.blocks else torch.get_num_threads()
