"""Worker processes end with the process that started them, at once when it is interrupted."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch

from dgmix.workers import single_threaded_torch, torch_threads, worker_pool


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
        import os, signal, threading
        import polars
        with worker_pool(1) as pool:
            pool.submit(divmod, 7, 3).result()
            endless = pool.submit(signal.pause)
            threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
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
    assert "put what calls dgmix under `if __name__ == '__main__':`" in done.stderr


def test_workers_end_when_their_parent_is_killed() -> None:
    done = run_script("""
        import os, signal
        with worker_pool(2) as pool:
            pool.submit(divmod, 7, 3).result()
            pool.submit(signal.pause)
            os.kill(os.getpid(), signal.SIGKILL)
    """)
    assert done.returncode == -signal.SIGKILL


def test_torch_is_alone_until_the_last_block_ends() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        first, second = single_threaded_torch(), single_threaded_torch()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        assert (torch.get_num_threads(), torch_threads()) == (1, 2)
        second.__exit__(None, None, None)
        assert (torch.get_num_threads(), torch_threads()) == (2, 2)
    finally:
        torch.set_num_threads(before)
