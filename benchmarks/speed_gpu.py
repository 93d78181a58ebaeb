"""The part of `benchmarks/speed.py` that needs a GPU: rates, shares of time, differences.

Everything takes the device as an argument, so that its tests run where there is none.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from described import describe
from speed_data import ENCODERS, bank_of, files, recipe_with

from dgmix.audio.bank import MelBank
from dgmix.audio.cache import FeatureStore
from dgmix.config import Recipe, load_recipe
from dgmix.data.simulate import MACHINES, simulate
from dgmix.detect.embed import embed_clips
from dgmix.model.crops import TrainingCrops
from dgmix.model.objectives import build_objective
from dgmix.model.precision import computing_in
from dgmix.model.train import Run, train, untrained
from dgmix.pipeline import run

EPOCHS = 20


def on_gpu(folder: Path, full: bool) -> dict[str, Any]:
    """Return clips a second on the GPU, and how far its scores and losses are from the CPU's.

    With `full` also the minutes of the whole published recipe on a simulated set of the full form.
    """
    torch.set_num_threads(1)
    measured: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        bank = bank_of(files(folder), load_recipe("published-small"), scratch)
        for name in ENCODERS:
            measured[name] = rates(recipe_with(name, EPOCHS), bank, Path(scratch), "cuda")
        measured["differences"] = {
            "scores, largest relative, from the CPU's": of_scores(bank, "cuda"),
            "loss in bfloat16, relative, from float32's": of_precision(bank, "cuda"),
        }
    if full:
        measured["whole recipe"] = whole_recipe(folder.parents[1], "cuda", MACHINES, 6, 1000)
    return measured


def rates(recipe: Recipe, bank: MelBank, scratch: Path, device: str) -> dict[str, float]:
    """Return clips a second of training (after a first training, which warms up) and embedding."""
    crops = TrainingCrops.of(bank, ["00"] * len(bank))

    def training() -> None:
        train(recipe, crops, 0, Run(Path(tempfile.mkdtemp(dir=scratch))), device)

    network = untrained(recipe, crops, 0, device)
    training()
    embed_clips(recipe, network, bank)
    crops_seen = recipe.pretrain.epochs * len(bank)
    per_second = {
        "training, clips a second": crops_seen / seconds(training),
        "embedding, clips a second": len(bank)
        / seconds(lambda: embed_clips(recipe, network, bank)),
    }
    if device == "cuda":
        per_second["peak of GPU memory MB"] = torch.cuda.max_memory_allocated() / 1e6
    return per_second


def seconds(work: Callable[[], Any]) -> float:
    """Return how long `work` takes, with what it leaves a GPU to do."""
    wait = torch.cuda.synchronize if torch.cuda.is_available() else lambda: None
    wait()
    began = time.perf_counter()
    work()
    wait()
    return time.perf_counter() - began


def of_scores(bank: MelBank, device: str) -> float:
    """Return how far scores of clips by the same weights differ between a device and the CPU."""
    recipe = load_recipe("published-small")
    half, rest = (
        MelBank([bank[i].astype(np.float16) for i in range(first, len(bank), 2)], bank.n_mels)
        for first in (0, 1)
    )
    names = ["00"] * len(half)
    network = untrained(recipe, TrainingCrops.of(half, names), 0)
    scores = []
    for place in ("cpu", device):
        fitted = describe(recipe, half, network=network.to(place))
        judgements = fitted.judge(rest, [""] * len(rest), ["00"] * len(rest))
        scores.append(np.array([each.score for each in judgements]))
    return float(np.abs(scores[1] / scores[0] - 1).max())


def of_precision(bank: MelBank, device: str) -> float:
    """Return how far the loss of one batch in bfloat16 is from that in float32."""
    recipe = load_recipe("published-small")
    crops = TrainingCrops.of(bank, ["00"] * len(bank))
    network = untrained(recipe, crops, 0, device).train()
    objective = build_objective("pretrain", recipe.pretrain, network.embedding_size, 1).to(device)
    batch = next(crops.epoch(network, recipe.pretrain, np.random.default_rng(0)))
    losses = []
    for dtype in (torch.float32, torch.bfloat16):
        with computing_in(dtype, [network.encoder, *objective.children()]):
            losses.append(objective(network.encoder, batch).loss.item())
    return abs(losses[1] / losses[0] - 1)


def whole_recipe(
    folder: Path,
    device: str,
    machines: Sequence[str],
    sections: int,
    clips: int,
    changes: Sequence[str] = (),
) -> dict[str, float]:
    """Return minutes of the published recipe on a simulated set, and which part goes where.

    A process for each machine type: they share the GPU. The shares of training and of the rest
    (embedding, scoring, tables) are those of the processes' time.
    """
    data, cache, output = folder / "full", folder / "full cache", folder / "full run"
    simulate(data, machines=machines, sections=sections, clips=clips, jobs=len(machines))
    recipe = load_recipe("published-small", changes)
    store = FeatureStore(cache, recipe.audio, recipe.features)
    decoding = seconds(lambda: store.add(files(data), len(machines)))
    rest = seconds(
        lambda: run(recipe, data, output, cache=cache, device=device, jobs=len(machines))
    )
    lines = [line for log in output.rglob("log.jsonl") for line in log.read_text().splitlines()]
    training = sum(json.loads(line)["seconds"] for line in lines) / len(machines)
    return {
        "minutes": (decoding + rest) / 60,
        "part of it decoding": decoding / (decoding + rest),
        "part of it training": training / (decoding + rest),
    }
