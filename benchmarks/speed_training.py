"""Training beside the yardstick's, and where a step's time goes: parts of `benchmarks/speed.py`."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import Cost, alternating, comparison, cost_of, in_child
from speed_data import CLIPS, ENCODERS, bank_of, files, recipe_with, recording_folder, stage

from dgmix.config import load_recipe
from dgmix.model.crops import TrainingCrops
from dgmix.model.train import Run, StageTraining, train
from dgmix.progress import silent

Options = argparse.Namespace
MULTIPLIED_FLOP = 20 * 2 * 1024**3


def training(folder: Path, options: Options) -> dict[str, Any]:
    """Epochs, steps alone and cold runs of dgmix with both encoders beside the yardstick's."""
    clips = str(recording_folder(folder))
    rounds = options.rounds
    return {
        f"{what}, {threads} thread{'s' * (threads > 1)}": in_child(
            what, threads, folder=clips, rounds=rounds
        )
        for threads in options.threads
        for what in ("epochs", "steps", "cold run")
    }


def epochs(folder: str, rounds: int) -> dict[str, Any]:
    """Second and later epochs from files on disk, everything included."""
    from yardstick import Yardstick

    with tempfile.TemporaryDirectory() as scratch:
        bank = bank_of(files(folder), load_recipe("published-small"), scratch)
        works: dict[str, Callable[[], Any]] = {"yardstick": Yardstick(files(folder), 100).epoch}
        for encoder in ENCODERS:
            training = stage(encoder, bank, scratch)
            works[encoder] = lambda training=training: training._train_epoch(silent)
        return compared(works, rounds, CLIPS)


def steps(folder: str, rounds: int) -> dict[str, Any]:
    """Steps alone: the yardstick's from ready spectrograms, ours from the cache, crops included."""
    from yardstick import Yardstick

    with tempfile.TemporaryDirectory() as scratch:
        bank = bank_of(files(folder), load_recipe("published-small"), scratch)
        yardstick = Yardstick(files(folder), 100)
        mels = torch.from_numpy(bank.crops(np.arange(64), np.zeros(64, np.int64), 63))
        mels = mels.transpose(1, 2).contiguous()
        works: dict[str, Callable[[], Any]] = {"yardstick": lambda: yardstick.train(mels)}
        for encoder in ENCODERS:
            training = stage(encoder, bank, scratch)
            works[encoder] = stepper(training)
        return compared(works, 5 * rounds, 64, warm_ups=3)


def stepper(training: StageTraining) -> Callable[[], Any]:
    def batches() -> Any:
        rng = np.random.default_rng(0)
        training.network.train()
        while True:
            yield from training.crops.epoch(training.network, training.settings, rng)

    ready = batches()
    return lambda: training._step(1e-3, training.objective, next(ready))


def cold(folder: str, rounds: int) -> dict[str, Any]:
    """From nothing but files to three epochs, caching included."""
    from yardstick import Yardstick

    def ours(encoder: str) -> None:
        recipe = recipe_with(encoder, 3)
        with tempfile.TemporaryDirectory() as scratch:
            bank = bank_of(files(folder), recipe, scratch)
            crops = TrainingCrops.of(bank, ["00"] * len(bank))
            train(recipe, crops, 0, Run(Path(scratch)))

    def theirs() -> None:
        yardstick = Yardstick(files(folder), 3)
        for _ in range(3):
            yardstick.epoch()

    works: dict[str, Callable[[], Any]] = {
        "yardstick": theirs,
        **{encoder: partial(ours, encoder) for encoder in ENCODERS},
    }
    return compared(works, rounds, 3 * CLIPS, warm_ups=0)


def compared(
    works: dict[str, Callable[[], Any]], rounds: int, clips: int, warm_ups: int = 1
) -> dict[str, Any]:
    def timed(work: Callable[[], Any]) -> Callable[[], Cost]:
        return lambda: cost_of(work).each(clips)

    costs = alternating({name: timed(work) for name, work in works.items()}, rounds, warm_ups)
    return comparison(costs, "yardstick")


# Where the time of a step goes


def step(folder: Path, options: Options) -> dict[str, Any]:
    """Return how near to the rate of a matrix multiplication a step comes, and its parts."""
    return in_child("rates", 1, folder=str(recording_folder(folder)), rounds=5 * options.rounds)


def rates(folder: str, rounds: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as scratch:
        bank = bank_of(files(folder)[:64], load_recipe("published-small"), scratch)
        trainings = {name: stage(name, bank, scratch) for name in ENCODERS}
        steppers = {name: stepper(training) for name, training in trainings.items()}
        dtypes = {training.dtype for training in trainings.values()}
        works = {
            **{dtype: partial(cost_of, partial(multiply, dtype)) for dtype in dtypes},
            **{name: partial(cost_of, work) for name, work in steppers.items()},
        }
        costs = alternating(works, rounds, warm_ups=2)
        peaks = {d: [MULTIPLIED_FLOP / cost.cpu for cost in costs.pop(d)] for d in dtypes}
        per_second: dict[str, Any] = {
            f"matrix GFLOP/s, {str(dtype).removeprefix('torch.')}": float(np.median(rates)) / 1e9
            for dtype, rates in peaks.items()
        }
        for name, each in costs.items():
            flop = 3 * forward_flop(trainings[name])  # a backward pass costs two forward ones
            peak = peaks[trainings[name].dtype]
            shares = [flop / cost.cpu / best for cost, best in zip(each, peak, strict=True)]
            per_second[name] = {
                "GFLOP a clip": flop / 64e9,
                "ms a clip": 1e3 * float(np.median([cost.cpu for cost in each])) / 64,
                "part of the matrix rate": float(np.median(shares)),
                "parts": profile(steppers[name]),
            }
        return per_second


def multiply(dtype: torch.dtype) -> None:
    """Multiply matrices, `MULTIPLIED_FLOP` operations in all."""
    matrix = torch.ones(1024, 1024, dtype=dtype)
    for _ in range(20):
        matrix @ matrix


def forward_flop(training: StageTraining) -> int:
    """Return the floating-point operations of an objective's forward passes over a batch."""
    from torch.utils.flop_counter import FlopCounterMode

    rng = np.random.default_rng(0)
    batch = next(training.crops.epoch(training.network, training.settings, rng))
    with FlopCounterMode(display=False) as counter:
        training.objective(training.network.encoder, batch)
    return int(counter.get_total_flops())


OPERATORS = {
    "convolution, backward": ("aten::convolution_backward",),
    "convolution, forward": ("aten::mkldnn_convolution", "aten::_slow_conv2d_forward"),
    "batch norm": ("aten::native_batch_norm", "aten::native_batch_norm_backward"),
    "ReLU6": ("aten::clamp_", "aten::clamp", "aten::hardtanh_backward"),
    "projector": ("aten::mm", "aten::addmm"),
}


def profile(work: Callable[[], Any]) -> dict[str, float]:
    """Return which part of a step's time each kind of operator takes."""
    from torch.profiler import ProfilerActivity
    from torch.profiler import profile as profiler

    with profiler(activities=[ProfilerActivity.CPU]) as profiled:
        for _ in range(3):
            work()
    times = {event.key: event.self_cpu_time_total for event in profiled.key_averages()}
    total = sum(times.values())
    parts = {
        part: sum(times.get(name, 0) for name in names) / total for part, names in OPERATORS.items()
    }
    return {**parts, "the rest": 1 - sum(parts.values())}
