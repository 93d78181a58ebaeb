"""Runs of the real command in processes of their own: killed, interrupted, failing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dgmix.config import Recipe, dump_recipe

STOPPED = Path(__file__).parent / "stopped.py"
COMMAND = (sys.executable, "-m", "dgmix")
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def start(tiny: Recipe, simulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Call `dgmix run` in a process group of its own; `stop` is what `stopped.py` reads."""
    recipe = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    recipe.write_text(dump_recipe(tiny))

    def call(output: Path, *options: str, stop: str = "") -> subprocess.CompletedProcess[str]:
        program = (sys.executable, str(STOPPED)) if stop else COMMAND
        arguments = ("run", recipe, "-d", simulated, "-o", output / "run")
        return subprocess.run(
            [*program, *arguments, "--cache", output / "cache", "--device", "cpu", *options],
            env={**os.environ, "STOP": stop},
            start_new_session=True,
            capture_output=True,
            text=True,
            timeout=300,
        )

    return call


@pytest.fixture(scope="module")
def undisturbed(start: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing disturbed, in one process."""
    output = tmp_path_factory.mktemp("undisturbed")
    done = start(output, "--jobs", "1")
    assert done.returncode == 0, done.stderr
    return output / "run"


def contents(run: Path) -> dict[str, Any]:
    """Return the files of a run that must be the same to the byte, and the logs without times."""
    files: dict[str, Any] = {}
    for path in run.rglob("*"):
        name = path.relative_to(run).as_posix()
        if path.name == "log.jsonl":
            lines = [json.loads(line) for line in path.read_text().splitlines()]
            files[name] = [{k: v for k, v in line.items() if k != "seconds"} for line in lines]
        elif path.is_file():
            same = path.suffix in (".csv", ".md", ".yaml", ".dgmix", ".npy")
            files[name] = path.read_bytes() if same else None
    return files


def test_a_run_killed_again_and_again_ends_as_if_it_was_not(
    start: Run, undisturbed: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    moments = [
        "caching,13,SIGKILL,group",
        "pretrain,3,SIGKILL,parent",
        "checkpoint,2,SIGKILL,group",
        "finetune,3,SIGKILL,group",
        "scoring,4,SIGKILL,group",
    ]
    for moment in moments:
        killed = start(tmp_path, "--jobs", "1", stop=moment)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        assert not (run / "results.csv").exists()
        assert not (run / "fan/seed0/scores.csv").exists()
    log = (run / "fan/seed0/log.jsonl").read_text()
    done = start(tmp_path, "--jobs", "1")
    assert done.returncode == 0, done.stderr
    assert (run / "fan/seed0/log.jsonl").read_text() == log
    assert contents(run) == contents(undisturbed)


def test_an_interrupted_run_says_so_and_continues_in_two_processes(
    start: Run, undisturbed: Path, tmp_path: Path
) -> None:
    stopped = start(tmp_path, "--jobs", "2", stop="pretrain,1,SIGINT,group")
    assert stopped.returncode == 130
    assert "Traceback" not in stopped.stderr
    last = stopped.stderr.splitlines()[-1]
    assert last == "dgmix: stopped; the same command continues where it was"
    assert not (tmp_path / "run/results.csv").exists()
    done = start(tmp_path, "--jobs", "2")
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "run") == contents(undisturbed)


def test_bad_input_that_a_worker_finds_is_one_sentence(start: Run, tmp_path: Path) -> None:
    checkpoint = tmp_path / "run/fan/seed0/last.ckpt"
    checkpoint.parent.mkdir(parents=True)
    checkpoint.write_bytes(b"no checkpoint")
    done = start(tmp_path, "--machine", "fan")
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if not line.startswith("decoding: ")]
    assert lines == [
        f"dgmix: {checkpoint}: not a usable checkpoint; remove it to train from the start"
    ]
