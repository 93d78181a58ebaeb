"""Worker processes end with the process that started them, at once when it is interrupted."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from dgmix.errors import DgmixError
from dgmix.model.threads import TORCH
from dgmix.workers import ThreadCount, WorkerPool, single_threaded, threads, worker_pool


def run_script(body: str) -> subprocess.CompletedProcess[str]:
    """Run a script that starts workers; this returns when all of its processes have ended."""
    script = "from dgmix.workers import worker_pool\n" + textwrap.dedent(body)
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120
    )


def test_workers_do_what_they_are_asked() -> None:
    with worker_pool(1) as pool:
        assert pool.submit(divmod, 7, 3).result() == (2, 1)
        assert pool.submit(signal.getsignal, signal.SIGINT).result() == signal.SIG_IGN


def test_workers_are_prepared() -> None:
    with worker_pool(1, os.setpgrp) as pool:
        assert pool.submit(os.getpgrp).result() != os.getpgrp()


def test_workers_end_at_once_when_the_block_fails() -> None:
    other = multiprocessing.active_children()
    with pytest.raises(KeyboardInterrupt), worker_pool(1) as pool:
        stuck(pool)
    assert multiprocessing.active_children() == other


def stuck(pool: object) -> None:
    """Give a worker something that never ends, see it begin, and be interrupted."""
    assert pool.submit(divmod, 7, 3).result()  # type: ignore[attr-defined]
    pool.submit(signal.pause)  # type: ignore[attr-defined]
    raise KeyboardInterrupt


def test_ctrl_c_ends_the_waiting_for_workers_after_polars_was_imported() -> None:
    done = run_script("""
        import signal, threading
        signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
        import polars
        with worker_pool(1) as pool:
            pool.submit(divmod, 7, 3).result()
            endless = pool.submit(signal.pause)
            main = threading.main_thread().ident
            threading.Timer(0.2, signal.pthread_kill, (main, signal.SIGINT)).start()
            endless.result()
    """)
    assert done.returncode == -signal.SIGINT
    assert "KeyboardInterrupt" in done.stderr


def test_a_program_without_its_guard_is_told(tmp_path: Path) -> None:
    script = tmp_path / "unguarded.py"
    script.write_text(
        "from dgmix.workers import worker_pool\n"
        "with worker_pool(1) as pool:\n    pool.submit(divmod, 7, 3).result()\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "put the call of dgmix under `if __name__ == '__main__':`" in done.stderr


def test_workers_end_when_their_parent_is_killed() -> None:
    done = run_script("""
        import os, signal
        with worker_pool(2) as pool:
            pool.submit(divmod, 7, 3).result()
            pool.submit(signal.pause)
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    assert done.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("call", "cause"),
    [
        ((signal.raise_signal, signal.SIGABRT), "was ended by signal SIGABRT; start again"),
        (
            (signal.raise_signal, signal.SIGKILL),
            "was ended by signal SIGKILL; perhaps memory ran out",
        ),
        ((signal.raise_signal, signal.SIGTERM), "was ended by signal SIGTERM"),
        ((os._exit, 3), "ended with exit status 3"),
    ],
)
def test_a_worker_that_dies_is_known_by_its_call_and_what_ended_it(
    call: tuple[Callable[..., object], int], cause: str
) -> None:
    with WorkerPool(2) as pool:
        assert pool.submit(divmod, 7, 3).result() == (2, 1)
        other, dying = pool.submit(signal.pause), pool.submit(*call)
        queued = [pool.submit(divmod, 7, 3) for _ in range(9)]
        with pytest.raises(BrokenProcessPool):
            dying.result()
        deaths = dict(pool.deaths())
        assert cause in deaths.pop(dying)
        assert not deaths.keys() & {None, *queued}
        assert other not in deaths or call[1] == signal.SIGTERM  # by which the pool ends it


def test_a_block_that_fails_for_a_dead_worker_fails_with_what_ended_it() -> None:
    cause = "^its worker process was ended by signal SIGSEGV; start again"
    with pytest.raises(DgmixError, match=cause), worker_pool(1) as pool:
        pool.submit(signal.raise_signal, signal.SIGSEGV).result()


def test_a_worker_that_dies_before_its_first_call_is_told_too() -> None:
    cause = "its worker process ended with exit status 5"
    with pytest.raises(DgmixError, match=cause), worker_pool(1, partial(os._exit, 5)) as pool:
        pool.submit(divmod, 7, 3).result()


def test_a_script_that_starts_itself_again_in_each_worker_is_told_so() -> None:
    cause = "ended as it started: in a script, put the call of dgmix under `if __name__"
    with pytest.raises(DgmixError, match=cause), worker_pool(1, partial(os._exit, 1)) as pool:
        pool.submit(divmod, 7, 3).result()


def test_one_thread_until_the_last_block_ends() -> None:
    now = [2]
    count = ThreadCount(lambda: now[-1], now.append)
    first, second = count.one(), count.one()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert (now, count.allowed()) == ([2, 1], 2)
    second.__exit__(None, None, None)
    assert (now, count.allowed()) == ([2, 1, 2], 2)


def test_one_thread_of_each_library() -> None:
    """Of numpy's products, and of torch where there are networks."""
    before = threads()
    with threadpool_limits(2, "blas"):
        with single_threaded():
            assert {each["num_threads"] for each in blas()} <= {1}
            assert threads() == (2 if blas() else before)
        assert {each["num_threads"] for each in blas()} <= {2}
    with TORCH.one():
        assert torch.get_num_threads() == 1


def blas() -> list[dict[str, Any]]:
    return [each for each in threadpool_info() if each["user_api"] == "blas"]
