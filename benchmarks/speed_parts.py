"""What `benchmarks/speed.py` measures: a function a part, most of them in child processes."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from measuring import Cost, alternating, comparison, cost_of, in_child, peak_memory
from torch.utils.flop_counter import FlopCounterMode
from yardstick import Yardstick

import dgmix
from dgmix.audio.bank import MelBank
from dgmix.audio.cache import FeatureStore
from dgmix.audio.io import read_audio, write_wav
from dgmix.config import DetectSettings, Recipe, load_recipe
from dgmix.data.simulate import simulate
from dgmix.detect.detector import Detector
from dgmix.detect.scorers.knn import KNearest
from dgmix.model.crops import TrainingCrops
from dgmix.model.train import Run, StageTraining, train, untrained
from dgmix.progress import silent
from dgmix.workers import single_threaded_torch

CLIPS, SECONDS = 256, 10.0
JUST_TRAIN = ["finetune.epochs=0", "recalibrate=false"]  # as the yardstick does
Options = argparse.Namespace


def recording_folder(folder: Path) -> Path:
    """Return a folder of 256 simulated fan clips of 10 s, made at the first call."""
    clips = CLIPS // 2
    simulate(folder / "fan", machines=("fan",), sections=2, clips=clips, test_clips=1)
    return folder / "fan" / "fan" / "train"


def files(folder: str | Path) -> list[Path]:
    return sorted(Path(folder).rglob("*.wav"))


def recipe_with(encoder: str, epochs: int) -> Recipe:
    changes = [f"encoder.name={encoder}", f"pretrain.epochs={epochs}", *JUST_TRAIN]
    return load_recipe("published", changes)


def bank_of(paths: list[Path], recipe: Recipe, cache: str | Path) -> MelBank:
    store = FeatureStore(cache, recipe.audio, recipe.features)
    store.add(paths, os.cpu_count() or 1)
    return store.open(paths)


# Training


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


def stage(encoder: str, bank: MelBank, folder: str, epochs: int = 100) -> StageTraining:
    """Return a pre-training that can be taken epoch by epoch."""
    recipe = recipe_with(encoder, epochs)
    crops = TrainingCrops.of(bank, ["00"] * len(bank))
    run = Run(Path(tempfile.mkdtemp(dir=folder)))
    run.log.rewind(0)
    network = untrained(recipe, crops, 0)
    return StageTraining("pretrain", recipe.pretrain, network, crops, 0, run)


def epochs(folder: str, rounds: int) -> dict[str, Any]:
    """Second and later epochs from files on disk, everything included."""
    with tempfile.TemporaryDirectory() as scratch:
        bank = bank_of(files(folder), load_recipe("published"), scratch)
        works: dict[str, Callable[[], Any]] = {"yardstick": Yardstick(files(folder), 100).epoch}
        for encoder in ("mobilenetv2", "light"):
            training = stage(encoder, bank, scratch)
            works[encoder] = lambda training=training: training._train_epoch(silent)
        return compared(works, rounds, CLIPS)


def steps(folder: str, rounds: int) -> dict[str, Any]:
    """Steps alone: the yardstick's from ready spectrograms, ours from the cache, crops included."""
    with tempfile.TemporaryDirectory() as scratch:
        bank = bank_of(files(folder), load_recipe("published"), scratch)
        yardstick = Yardstick(files(folder), 100)
        mels = torch.from_numpy(bank.crops(np.arange(64), np.zeros(64, np.int64), 63))
        mels = mels.transpose(1, 2).contiguous()
        works: dict[str, Callable[[], Any]] = {"yardstick": lambda: yardstick.train(mels)}
        for encoder in ("mobilenetv2", "light"):
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
        "mobilenetv2": lambda: ours("mobilenetv2"),
        "light": lambda: ours("light"),
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
        bank = bank_of(files(folder)[:64], load_recipe("published"), scratch)
        trainings = {name: stage(name, bank, scratch) for name in ("mobilenetv2", "light")}
        steppers = {name: stepper(training) for name, training in trainings.items()}
        matrix = torch.randn(1024, 1024)
        works = {
            "matrix": lambda: cost_of(lambda: [matrix @ matrix for _ in range(20)]),
            **{name: (lambda work=work: cost_of(work)) for name, work in steppers.items()},
        }
        costs = alternating(works, rounds, warm_ups=2)
        peak = [20 * 2 * 1024**3 / cost.cpu for cost in costs.pop("matrix")]
        found: dict[str, Any] = {"matrix GFLOP/s": float(np.median(peak)) / 1e9}
        for name, each in costs.items():
            flop = 3 * forward_flop(trainings[name])  # a backward pass costs two forward ones
            shares = [flop / cost.cpu / best for cost, best in zip(each, peak, strict=True)]
            found[name] = {
                "GFLOP a clip": flop / 64e9,
                "ms a clip": 1e3 * float(np.median([cost.cpu for cost in each])) / 64,
                "part of the matrix rate": float(np.median(shares)),
                "parts": profile(steppers[name]),
            }
        return found


def forward_flop(training: StageTraining) -> int:
    """Return the floating-point operations of an objective's forward passes over a batch."""
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

    with profiler(activities=[ProfilerActivity.CPU]) as found:
        for _ in range(3):
            work()
    times = {event.key: event.self_cpu_time_total for event in found.key_averages()}
    total = sum(times.values())
    parts = {
        part: sum(times.get(name, 0) for name in names) / total for part, names in OPERATORS.items()
    }
    return {**parts, "the rest": 1 - sum(parts.values())}


# Scoring


def scoring(folder: Path, options: Options) -> dict[str, Any]:
    """Return how fast files on disk are scored, in how much memory, and how exactly."""
    clips = recording_folder(folder)
    cores = os.cpu_count() or 1
    count = 10_000 if options.full else 1000
    rate = in_child("score rate", cores, folder=str(clips), rounds=options.rounds)
    return {**rate, **in_child("score many", cores, folder=str(clips), count=count)}


def fitted(folder: str) -> Detector:
    """Return a detector with an untrained network, which scores as fast as a trained one."""
    recipe = load_recipe("default")
    with tempfile.TemporaryDirectory() as scratch:
        bank = bank_of(files(folder)[::4], recipe, scratch)
        names = ["00"] * len(bank)
        network = untrained(recipe, TrainingCrops.of(bank, names), 0)
        return Detector(recipe).learn(recipe, network, bank, names, ["source"] * len(bank))


def score_rate(folder: str, rounds: int) -> dict[str, Any]:
    detector, yardstick, paths = fitted(folder), Yardstick(files(folder), 1), files(folder)
    together = detector.score_samples(paths)
    alone = np.array([detector.score_samples([path])[0] for path in paths[1::8]])

    def theirs() -> None:
        with single_threaded_torch():
            for path in paths[:64]:
                yardstick.embed(path)

    works = {
        "yardstick, one thread": lambda: cost_of(theirs).each(64),
        "dgmix": lambda: cost_of(lambda: detector.score_samples(paths)).each(len(paths)),
    }
    found = comparison(alternating(works, 2 * rounds), "yardstick, one thread")
    error = float(np.abs(together[1::8] / alone - 1).max())
    return {"rates": found, "largest relative difference from one at a time": error}


def score_many(folder: str, count: int) -> dict[str, Any]:
    """Score many files, links to a few, as a stream; return the peak of memory."""
    detector = fitted(folder)
    with tempfile.TemporaryDirectory(dir=folder) as many:
        originals = [path for path in files(folder) if Path(many) not in path.parents]
        paths = [Path(many) / f"{number:05}.wav" for number in range(count)]
        for number, path in enumerate(paths):
            path.hardlink_to(originals[number % len(originals)])
        cost = cost_of(lambda: sum(1 for _ in detector.judgements(paths)))
    return {
        "clips": count,
        "times real time": count * SECONDS / cost.wall,
        "times real time at full use of two cores": 2 * count * SECONDS / cost.cpu,
        "peak memory MB": peak_memory(),
    }


# Memory


def memory(folder: Path, options: Options) -> dict[str, Any]:
    """Return what training on many clips needs: resident memory, and disk for its cache."""
    count = 6000 if options.full else 600
    return in_child("train many", 1, folder=str(recording_folder(folder)), count=count)


def train_many(folder: str, count: int) -> dict[str, Any]:
    """Write `count` clips that all differ, cache them and train one epoch."""
    originals = files(folder)
    with tempfile.TemporaryDirectory(dir=folder) as many:
        paths = [Path(many) / f"{number:05}.wav" for number in range(count)]
        for number, path in enumerate(paths):
            sound = read_audio(originals[number % len(originals)]).samples
            write_wav(path, np.roll(sound, 1000 * (number // len(originals))), 16_000)
        recipe = recipe_with("mobilenetv2", 1)
        with tempfile.TemporaryDirectory(dir=folder) as cache:
            bank = bank_of(paths, recipe, cache)
            crops = TrainingCrops.of(bank, ["00"] * count)
            cost = cost_of(lambda: train(recipe, crops, 0, Run(Path(many))))
            stored = sum(path.stat().st_size for path in Path(cache).rglob("*.f16"))
        sound_bytes = sum(path.stat().st_size for path in paths)
    return {
        "clips": count,
        "peak memory MB": peak_memory(),
        "cache / 16-bit audio": stored / sound_bytes,
        "clips a second, one epoch": count / cost.wall,
    }


def neighbours(_: Path, options: Options) -> dict[str, Any]:
    """Return the cost of nearest-neighbour search in a large memory bank."""
    return in_child("search", 1, count=1_000_000 if options.full else 100_000)


def search(count: int, dims: int = 320, queries: int = 100) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    references = rng.standard_normal((count, dims), np.float32)
    before = peak_memory()
    scorer = KNearest(DetectSettings())
    fit = cost_of(lambda: scorer.fit(references))
    score = cost_of(lambda: scorer.score(references[:queries] + np.float32(0.1)))
    return {
        "references": count,
        "dimensions": dims,
        "seconds to fit": fit.cpu,
        "ms a query": 1e3 * score.cpu / queries,
        "references MB": references.nbytes / 1e6,
        "memory beyond them MB": peak_memory() - before,
    }


# Processes


def jobs(folder: Path, options: Options) -> dict[str, Any]:
    """Return how much faster two processes complete a run of several machine types."""
    machines = ("fan", "gearbox", "bearing", "valve")
    data = folder / "several"
    simulate(data, machines=machines, sections=2, clips=32, test_clips=5)
    changes = [] if options.full else ["pretrain.min_steps=30", "pretrain.max_steps=30"]
    outputs: dict[int, list[str]] = {1: [], 2: []}

    def runner(count: int) -> Callable[[], Cost]:
        def work() -> Cost:
            output = Path(tempfile.mkdtemp(dir=folder))
            cost = cost_of(
                lambda: dgmix.run(
                    "demo", data, output, jobs=count, changes=changes, cache=folder / "cache"
                )
            )
            outputs[count].append((output / "results.csv").read_text("utf-8"))
            return cost

        return work

    FeatureStore(folder / "cache", Recipe().audio, Recipe().features).add(files(data))
    works = {"--jobs 1": runner(1), "--jobs 2": runner(2)}
    costs = alternating(works, max(1, options.rounds - 1), warm_ups=0)
    same = len({*outputs[1], *outputs[2]}) == 1
    return {**comparison(costs, "--jobs 1"), "identical results": same}


# Cost curves


def curves(folder: Path, options: Options) -> list[dict[str, Any]]:
    """Return seconds over the number of clips, epochs, references and processes' work."""
    return in_child("curves", 1, folder=str(recording_folder(folder)), full=options.full)["curves"]


def cost_curves(folder: str, full: bool) -> dict[str, Any]:
    longest = 8 if full else 4
    with tempfile.TemporaryDirectory() as scratch:
        bank = bank_of(files(folder), load_recipe("published"), scratch)
        training = stage("light", bank, scratch)
        training._train_epoch(silent)

        def clips_trained(count: int) -> float:
            part = MelBank([bank[i % CLIPS].astype(np.float16) for i in range(count)], 128)
            mine = stage("light", part, scratch)
            return cost_of(lambda: mine._train_epoch(silent)).cpu

        def epochs_trained(count: int) -> float:
            return cost_of(lambda: [training._train_epoch(silent) for _ in range(count)]).cpu

        detector = fitted(folder)

        def clips_scored(count: int) -> float:
            paths = [files(folder)[i % CLIPS] for i in range(count)]
            return cost_of(lambda: detector.score_samples(paths)).cpu

        def bank_searched(count: int) -> float:
            return search(count)["ms a query"] / 1e3

        sizes = [2**power for power in range(7, 7 + longest)]
        works: list[tuple[str, list[int], Callable[[int], float]]] = [
            ("training clips of an epoch", sizes, clips_trained),
            ("epochs", [2**power for power in range(longest)], epochs_trained),
            ("scored clips", sizes[: longest - 1], clips_scored),
            ("references searched", [4000 * 2**p for p in range(longest)], bank_searched),
        ]
        found = [
            {"name": name, "sizes": sizes, "seconds": [work(size) for size in sizes]}
            for name, sizes, work in works
        ]
    return {"curves": found}


# On a GPU


def gpu(folder: Path, options: Options) -> dict[str, Any] | None:
    """Return rates on a GPU and how far its scores are from the CPU's; None where there is none."""
    if not torch.cuda.is_available():
        return None
    from speed_gpu import on_gpu

    return on_gpu(recording_folder(folder), options.full)


PARTS: dict[str, Callable[[Path, Options], Any]] = {
    "training": training,
    "step": step,
    "scoring": scoring,
    "memory": memory,
    "neighbours": neighbours,
    "jobs": jobs,
    "curves": curves,
    "gpu": gpu,
}
CHILDREN: dict[str, Callable[..., dict[str, Any]]] = {
    "epochs": epochs,
    "steps": steps,
    "cold run": cold,
    "rates": rates,
    "score rate": score_rate,
    "score many": score_many,
    "train many": train_many,
    "search": search,
    "curves": cost_curves,
}
