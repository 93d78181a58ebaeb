"""What `benchmarks/speed.py` measures: a function a part, most of them in child processes.

They import what they use themselves, so that a child's memory is that of its own work.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from measuring import alternating, comparison, cost_of, in_child, peak_memory
from speed_data import CLIPS, SECONDS, bank_of, files, recipe_with, recording_folder, stage
from speed_training import cold, epochs, rates, step, steps, training

from dgmix.audio.bank import MelBank
from dgmix.audio.cache import FeatureStore
from dgmix.audio.io import read_audio, write_wav
from dgmix.audio.mel_scale import REFERENCE_RATE
from dgmix.config import DetectSettings, Recipe, load_recipe
from dgmix.data.simulate import simulate
from dgmix.detect.resolve import recipe_at
from dgmix.model.crops import TrainingCrops
from dgmix.model.threads import TORCH
from dgmix.model.train import Run, train, untrained
from dgmix.progress import silent

if TYPE_CHECKING:
    from dgmix.detect.detector import Detector

Options = argparse.Namespace
MANY = 990  # healthy clips in memory, as a section of DCASE has


# Scoring


def scoring(folder: Path, options: Options) -> dict[str, Any]:
    """Return how fast files on disk are scored, in how much memory, and how exactly."""
    clips = recording_folder(folder)
    cores = os.cpu_count() or 1
    count = 10_000 if options.full else 1000
    rate = in_child("score rate", cores, folder=str(clips), rounds=options.rounds)
    return {**rate, **in_child("score many", cores, folder=str(clips), count=count)}


def fitted(folder: str, clips: int = 0) -> Detector:
    """Return a detector that remembers every fourth file, or as many `clips` made like them.

    Where a view is learned its network is untrained, which scores as fast as a trained one.
    """
    from described import describe, detector_of_vectors

    from dgmix.detect.detector import Detector

    recipe = recipe_at(load_recipe("default"), REFERENCE_RATE)
    with tempfile.TemporaryDirectory() as scratch:
        bank = bank_of(files(folder)[::4], recipe, scratch)
        network = None
        if recipe.detect.learns:
            network = untrained(recipe, TrainingCrops.of(bank, ["00"] * len(bank)), 0)
        detector = describe(recipe, bank, network=network)
    if clips:
        rng = np.random.default_rng(0)
        some = rng.integers(0, len(bank), clips)
        views = {name: view.values[some] for name, view in detector.memory.views.items()}
        views = {name: v + rng.normal(0, 0.3, v.shape) for name, v in views.items()}
        memory = detector_of_vectors(recipe, views).memory
        detector = replace(detector, memory=memory)
    return Detector.of(detector)


def score_rate(folder: str, rounds: int) -> dict[str, Any]:
    from yardstick import Yardstick

    detector, yardstick, paths = fitted(folder), Yardstick(files(folder), 1), files(folder)
    many = fitted(folder, MANY)
    together = detector.score_samples(paths)
    alone = np.array([detector.score_samples([path])[0] for path in paths[1::8]])

    def theirs() -> None:
        with TORCH.one():
            for path in paths[:64]:
                yardstick.embed(path)

    works = {
        "yardstick, one thread": lambda: cost_of(theirs).each(64),
        "dgmix": lambda: cost_of(lambda: detector.score_samples(paths)).each(len(paths)),
        f"dgmix, {MANY} healthy clips": lambda: cost_of(lambda: many.score_samples(paths)).each(
            len(paths)
        ),
    }
    compared = comparison(alternating(works, 2 * rounds), "yardstick, one thread")
    error = float(np.abs(together[1::8] / alone - 1).max())
    return {"rates": compared, "largest relative difference from one at a time": error}


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


# Fitting


def fit(folder: Path, options: Options) -> dict[str, Any]:
    """Return what `fit` of 20 recordings costs, alone and while others fill the cores."""
    clips, cores = str(recording_folder(folder)), os.cpu_count() or 1
    alone = in_child("fit few", cores, folder=clips, rounds=options.rounds)
    busy = "import time\nend = time.monotonic() + 600\nwhile time.monotonic() < end: pass"
    others = [subprocess.Popen([sys.executable, "-c", busy]) for _ in range(cores)]
    try:
        beside = in_child("fit few", cores, folder=clips, rounds=options.rounds)
    finally:
        for process in others:
            process.kill()
            process.wait()
    return {"alone": alone, "while others fill the cores": beside}


def fit_few(folder: str, rounds: int, count: int = 20) -> dict[str, Any]:
    from dgmix.detect.detector import Detector

    costs = []
    for first in range(max(1, rounds)):
        paths = files(folder)[first * count : (first + 1) * count]
        with tempfile.TemporaryDirectory() as cache:
            costs.append(cost_of(partial(Detector("default", cache=cache).fit, paths)))
    return {
        "recordings": count,
        "CPU seconds, the first fit": costs[0].cpu,
        "CPU seconds, median": float(np.median([cost.cpu for cost in costs])),
        "seconds, median": float(np.median([cost.wall for cost in costs])),
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
    from dgmix.detect.scorers.knn import KNearest

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
    several = Several(folder, options.full)
    works = {f"--jobs {count}": partial(cost_of, partial(several.run, count)) for count in (1, 2)}
    costs = alternating(works, max(1, options.rounds - 1), warm_ups=0)
    return {**comparison(costs, "--jobs 1"), "identical results": len(several.results) == 1}


class Several:
    """A run of four machine types whose clips are decoded already."""

    def __init__(self, folder: Path, full: bool = False) -> None:
        machines = ("fan", "gearbox", "bearing", "valve")
        self.folder, self.data, self.cache = folder, folder / "several", folder / "cache"
        simulate(self.data, machines=machines, sections=2, clips=32, test_clips=5)
        FeatureStore(self.cache, Recipe().audio, Recipe().features).add(files(self.data))
        self.changes = [] if full else ["pretrain.min_steps=30", "pretrain.max_steps=30"]
        self.results: set[str] = set()

    def run(self, jobs: int) -> None:
        """Run it with so many processes, and keep what comes out in `results`."""
        from dgmix.pipeline import run

        output = Path(tempfile.mkdtemp(dir=self.folder))
        run("demo", self.data, output, jobs=jobs, changes=self.changes, cache=self.cache)
        self.results.add((output / "results.csv").read_text("utf-8"))


# Cost curves


def curves(folder: Path, options: Options) -> list[dict[str, Any]]:
    """Return CPU seconds over clips, epochs and references; wall-clock ones over processes."""
    return in_child("curves", 1, folder=str(recording_folder(folder)), full=options.full)["curves"]


def cost_curves(folder: str, full: bool) -> dict[str, Any]:
    longest = 8 if full else 4
    with tempfile.TemporaryDirectory() as scratch:
        bank = bank_of(files(folder), load_recipe("published-small"), scratch)
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

        several = Several(Path(scratch))

        def processes(count: int) -> float:
            return cost_of(lambda: several.run(count)).wall

        cores = max(2, os.cpu_count() or 1)
        sizes = [2**power for power in range(7, 7 + longest)]
        works: list[tuple[str, list[int], Callable[[int], float]]] = [
            ("training clips of an epoch", sizes, clips_trained),
            ("epochs", [2**power for power in range(longest)], epochs_trained),
            ("scored clips", sizes[: longest - 1], clips_scored),
            ("references searched", [4000 * 2**p for p in range(longest)], bank_searched),
            ("processes", [2**p for p in range(3) if 2**p <= cores], processes),
        ]
        points = [
            {"name": name, "sizes": sizes, "seconds": [work(size) for size in sizes]}
            for name, sizes, work in works
        ]
    return {"curves": points}


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
    "fit": fit,
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
    "fit few": fit_few,
    "train many": train_many,
    "search": search,
    "curves": cost_curves,
}
