"""The part of `benchmarks/speed.py` that needs a GPU: rates, and how near its scores are."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from speed_data import CLIPS, bank_of, files, recipe_with

from dgmix.audio.bank import MelBank
from dgmix.config import load_recipe
from dgmix.detect.detector import Detector
from dgmix.detect.embed import embed_clips
from dgmix.model.crops import TrainingCrops
from dgmix.model.train import Run, train, untrained
from dgmix.pipeline import run


def on_gpu(folder: Path, full: bool) -> dict[str, Any]:
    """Return clips a second of training and embedding on the GPU, beside one CPU thread's scores.

    With `full` also the minutes of the whole published recipe on a simulated set of the full form.
    """
    torch.set_num_threads(1)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        bank = bank_of(files(folder), load_recipe("published"), scratch)
        for encoder in ("mobilenetv2", "light"):
            found[encoder] = rates(encoder, bank, Path(scratch))
        found["scores"] = {"largest relative difference from the CPU's": difference(bank)}
    if full:
        found["whole recipe"] = {"minutes": whole_recipe(folder.parents[1]) / 60}
    return found


def rates(encoder: str, bank: MelBank, scratch: Path) -> dict[str, float]:
    """Return clips a second of training (after a first training, which warms up) and embedding."""
    epochs = 20
    recipe = recipe_with(encoder, epochs)
    crops = TrainingCrops.of(bank, ["00"] * CLIPS)

    def training() -> None:
        train(recipe, crops, 0, Run(Path(tempfile.mkdtemp(dir=scratch))), "cuda")

    network = untrained(recipe, crops, 0, "cuda")
    training()
    embed_clips(recipe, network, bank)
    return {
        "training, clips a second": epochs * CLIPS / seconds(training),
        "embedding, clips a second": CLIPS / seconds(lambda: embed_clips(recipe, network, bank)),
        "peak of GPU memory MB": torch.cuda.max_memory_allocated() / 1e6,
    }


def seconds(work: Callable[[], Any]) -> float:
    torch.cuda.synchronize()
    began = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - began


def difference(bank: MelBank) -> float:
    """Return how far scores of clips by the same weights differ between GPU and CPU."""
    recipe = load_recipe("published")
    half = MelBank([bank[i].astype(np.float16) for i in range(0, CLIPS, 2)], bank.n_mels)
    rest = MelBank([bank[i].astype(np.float16) for i in range(1, CLIPS, 2)], bank.n_mels)
    names, domains = ["00"] * len(half), ["source"] * len(half)
    network = untrained(recipe, TrainingCrops.of(half, names), 0)
    scores = []
    for device in ("cpu", "cuda"):
        detector = Detector(recipe).learn(recipe, network.to(device), half, names, domains)
        scores.append(detector.score_bank(rest, names))
    return float(np.abs(scores[1] / scores[0] - 1).max())


def whole_recipe(folder: Path) -> float:
    from dgmix.data.simulate import simulate

    data = folder / "full"
    simulate(data, sections=6, clips=1000, jobs=16)
    cache = folder / "full cache"
    return seconds(lambda: run("published", data, folder / "full run", cache=cache, device="cuda"))
