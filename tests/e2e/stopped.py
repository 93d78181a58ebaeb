"""Run dgmix's command line and stop it at a moment: `$STOP` is "moment, call, signal, whom".

The moment is a name in `MOMENTS`, the call is the number of its call in one process, and whom is
"group" (all processes of the command) or "parent" (the command, but not its workers). Workers
import this file as the command does. Checkpoints are written after every epoch.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import torch

import dgmix.audio.shards
import dgmix.evaluate.scores
from dgmix.cli import main
from dgmix.model import train


def stop(name: str, whom: str) -> None:
    number = signal.Signals[name]
    if whom == "parent":
        os.kill(os.getppid(), number)
        threading.Event().wait()
    os.killpg(0, number)


def write_half(file: Any, data: bytes) -> None:
    file.write(data[: len(data) // 2])


def save_half(state: Any, path: Path) -> None:
    path.write_bytes(b"half a checkpoint")


def in_stage(stage: str, training: train.StageTraining, *_: Any) -> bool:
    return training.stage == stage


def always(*_: Any) -> bool:
    return True


def nothing(*_: Any) -> None:
    return None


MOMENTS: dict[str, tuple[Any, str, Callable[..., bool], Callable[..., None]]] = {
    "caching": (dgmix.audio.shards, "_write_all", always, write_half),
    "pretrain": (train.StageTraining, "_step", partial(in_stage, "pretrain"), nothing),
    "checkpoint": (torch, "save", always, save_half),
    "finetune": (train.StageTraining, "_step", partial(in_stage, "finetune"), nothing),
    "scoring": (dgmix.evaluate.scores, "write_scores", always, nothing),
}


def stop_at(moment: str, call: int, name: str, whom: str) -> None:
    """Let the call of a moment, in this process, do half of its work and then stop all."""
    owner, function, counts, half = MOMENTS[moment]
    plain = getattr(owner, function)
    calls = count(1)

    def until_stopped(*args: Any, **options: Any) -> Any:
        if counts(*args) and next(calls) == call:
            half(*args)
            stop(name, whom)
        return plain(*args, **options)

    setattr(owner, function, until_stopped)


train.Run = partial(train.Run, checkpoint_seconds=0.0)  # type: ignore[assignment, misc]
moment, call, name, whom = os.environ["STOP"].split(",")
stop_at(moment, int(call), name, whom)

if __name__ == "__main__":
    main()
