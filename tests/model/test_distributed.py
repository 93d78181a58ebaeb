"""Two Gloo processes train as one does, and neither waits for a dead one."""

from __future__ import annotations

import json
import os
import runpy
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from dgmix.audio.bank import MelBank
from dgmix.config import Recipe, dump_recipe
from dgmix.errors import DgmixError
from dgmix.model.distributed import ALONE, Launch, Ranks, communicating, first_host, launched
from dgmix.model.joint import joint_encoder
from dgmix.pipeline import run

RANK = Path(__file__).with_name("rank.py")
STOPPED = Path(__file__).parents[1] / "e2e" / "stopped.py"
one = SimpleNamespace(**runpy.run_path(str(RANK)))
Bank = Callable[..., MelBank]

TORCHRUN = {
    "RANK": "1",
    "WORLD_SIZE": "2",
    "LOCAL_RANK": "1",
    "MASTER_ADDR": "localhost",
    "MASTER_PORT": "1234",
}
SRUN = {
    "SLURM_PROCID": "3",
    "SLURM_LOCALID": "1",
    "SLURM_STEP_NUM_TASKS": "4",
    "SLURM_STEP_NODELIST": "gpu[003-004]",
    "SLURM_JOB_ID": "40007",
}


# Who takes part


def test_torchrun_and_srun_are_recognised() -> None:
    assert launched(TORCHRUN) == Launch(1, 2, 1, "env://")
    assert launched(SRUN) == Launch(3, 4, 1, "tcp://gpu003:10007")
    elsewhere = {"MASTER_ADDR": "head", "MASTER_PORT": "99"}
    assert launched({**SRUN, **elsewhere}) == Launch(3, 4, 1, "tcp://head:99")


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"RANK": "0", "WORLD_SIZE": "2"},
        {**TORCHRUN, "RANK": "0", "WORLD_SIZE": "1"},
        {"SLURM_PROCID": "0", "SLURM_NTASKS": "4", "SLURM_JOB_ID": "1"},  # a batch script, no srun
        {**SRUN, "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1"},
    ],
)
def test_a_single_process_is_alone(environment: dict[str, str]) -> None:
    assert launched(environment) is None


@pytest.mark.parametrize(
    ("hosts", "first"),
    [
        ("node1", "node1"),
        ("a,b", "a"),
        ("gpu[003-005,9],login", "gpu003"),
        ("n[7,9]-ib,n[1-2]", "n7-ib"),
    ],
)
def test_the_first_host_of_a_slurm_list(hosts: str, first: str) -> None:
    assert first_host(hosts) == first


@given(total=st.integers(0, 100), size=st.integers(1, 9))
def test_rows_are_parted_evenly(total: int, size: int) -> None:
    parts = [list(range(total))[Ranks(rank, size).rows(total)] for rank in range(size)]
    assert [row for part in parts for row in part] == list(range(total))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_alone_nothing_changes() -> None:
    encoder = nn.Linear(2, 2)
    assert joint_encoder(encoder, ALONE) is encoder
    done: list[int] = []
    ALONE.first_does(lambda: done.append(1))
    ALONE.agree(object())
    assert done == [1]


# Two processes


@pytest.fixture(scope="module")
def task(make_bank: Bank, tiny: Recipe) -> dict[str, Any]:
    bank = make_bank(tiny, [1.5] * 17)
    mels = [torch.from_numpy(bank[index]).half() for index in range(len(bank))]
    sections = ["00", "01"] * 8 + ["00"]
    return {"recipe": tiny.model_dump(), "size": 2, "mels": mels, "sections": sections}


@pytest.fixture(scope="module")
def folder(task: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left that have done `task`."""
    folder = tmp_path_factory.mktemp("ranks")
    torch.save(task, folder / "task.pt")
    for process in [start(RANK, str(rank), str(folder)) for rank in range(2)]:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
    return folder


@pytest.fixture(scope="module")
def results(folder: Path) -> list[dict[str, Any]]:
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


def start(*command: str | Path, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.mark.parametrize("name", one.OBJECTIVES)
def test_loss_and_gradients_are_those_of_the_joint_batch(
    tiny: Recipe, results: list[dict[str, Any]], name: str
) -> None:
    alone = one.gradients(tiny, name)
    for each in results:
        torch.testing.assert_close(each["gradients"][name], alone, rtol=1e-7, atol=1e-7)


def test_weights_are_those_of_one_process(
    task: dict[str, Any], results: list[dict[str, Any]], tmp_path: Path
) -> None:
    alone = one.trained(task, tmp_path)
    for each in results:
        torch.testing.assert_close(each["weights"], alone, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(results[0]["weights"], results[1]["weights"], rtol=0, atol=0)


def test_only_the_first_writes(folder: Path) -> None:
    assert {path.name for path in (folder / "run0").iterdir()} == {"last.ckpt", "log.jsonl"}
    assert not (folder / "run1").exists()


def test_what_differs_or_fails_is_one_sentence_everywhere(results: list[dict[str, Any]]) -> None:
    for each in results:
        assert each["differs"].startswith("the processes do not find the same clips")
        assert each["too few"].startswith("a batch has 1 pairs, too few for 2 processes;")
    assert [each["done"] for each in results] == [[0], []]
    assert "failed" not in results[0]
    assert results[1]["failed"] == "the first process has stopped; its own message says why"


def test_a_lost_process_is_one_sentence() -> None:
    sentence = r"^another process .*; start all of them again"
    with pytest.raises(DgmixError, match=sentence), communicating():
        raise RuntimeError("Connection closed by peer")


# dgmix run


def run_all(size: int, output: Path, *options: str | Path, stop: str = "") -> list[tuple[int, str]]:
    """Return exit status and standard error of `dgmix run` in `size` processes that start together.

    `stop` is what `stopped.py` reads, for the last of them.
    """
    port = str(free_port())
    common = {"WORLD_SIZE": str(size), "MASTER_ADDR": "localhost", "MASTER_PORT": port}
    processes = []
    for number in range(size):
        program = [STOPPED] if stop and number == size - 1 else ["-m", "dgmix"]
        arguments = ["run", *options, "-o", output / "run", "--device", "cpu"]
        processes.append(start(*program, *arguments, RANK=str(number), STOP=stop, **common))
    errors = [process.communicate(timeout=120)[1] for process in processes]
    return [(p.returncode, text) for p, text in zip(processes, errors, strict=True)]


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("localhost", 0))
        return int(server.getsockname()[1])


def log(output: Path) -> list[dict[str, Any]]:
    text = (output / "fan" / "seed0" / "log.jsonl").read_text()
    return [json.loads(line) for line in text.splitlines()]


def names(output: Path) -> set[str]:
    return {path.relative_to(output).as_posix() for path in output.rglob("*")}


@pytest.mark.slow
def test_a_killed_process_stops_the_other_and_all_can_go_on(
    tiny: Recipe, simulated: Path, shared_cache: Path, tmp_path: Path, in_process: None
) -> None:
    judged = tiny.evaluate.model_copy(update={"baselines": [], "bootstrap": 20})
    small = tiny.model_copy(update={"evaluate": judged})
    recipe = tmp_path / "small.yaml"
    recipe.write_text(dump_recipe(small))
    options = (recipe, "-d", simulated, "--cache", shared_cache, "--machine", "fan")
    (status, errors), (killed, _) = run_all(2, tmp_path, *options, stop="finetune,3,SIGKILL,group")
    assert killed == -signal.SIGKILL
    assert status == 1
    assert errors.splitlines()[-1].startswith("dgmix: another process of this training has stopped")
    shutil.copytree(tmp_path / "run", tmp_path / "one" / "run")

    assert [status for status, _ in run_all(2, tmp_path, *options)] == [0, 0]
    one = tmp_path / "one" / "run"
    before = log(one)[:2]  # the checkpoint has all of pre-training
    run(small, simulated, one, machines=["fan"], cache=shared_cache, device="cpu")
    for output in (tmp_path / "run", one):
        assert names(output) == names(one) >= {"report.html", "fan/seed0/scores.csv"}
        assert log(output)[: len(before)] == before
        stages = [(line["stage"], line["epoch"]) for line in log(output)]
        assert stages == [(stage, epoch) for stage in ("pretrain", "finetune") for epoch in (1, 2)]
