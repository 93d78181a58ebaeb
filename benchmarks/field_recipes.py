"""The recipes of the field that `benchmarks/field.py` shows, each a `dgmix run`.

Every run lies in a folder of its own, continues where it stopped, and is not repeated. The two
modes of the official autoencoder are of one training, as in the organisers' code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl
import torch

import dgmix
from dgmix.audio.cache import FeatureStore
from dgmix.config import Recipe, load_recipe
from dgmix.data import load_manifest
from dgmix.data.clip import Manifest
from dgmix.evaluate.intervals import Estimate, resample
from dgmix.evaluate.scores import read_run
from dgmix.model.checkpoint import load_checkpoint, save_checkpoint
from dgmix.model.network import build_network
from dgmix.units import plan

DEFAULT, ERROR, MAHALANOBIS, FROZEN = "default", "autoencoder", "mahala", "first-shot"
LEARNED = {  # recipes that tell classes apart, and changes
    "scac": [],
    "scac, one resolution": ["encoder.resolutions=[1024]"],
    "scac, one resolution, k-means": [
        "encoder.resolutions=[1024]",
        *("detect.balance=kmeans", "detect.balance_size=16"),
    ],
    "attributes": [],
}
RECIPES = (DEFAULT, ERROR, MAHALANOBIS, FROZEN, *LEARNED)
NETWORK_OF = {MAHALANOBIS: ERROR, "scac, one resolution, k-means": "scac, one resolution"}
"""Which recipes score by the network that another one trains."""
NO_BASELINES = "evaluate.baselines=[]"


@dataclass(frozen=True)
class Runs:
    """The runs on a data set, in folders below `folder`."""

    data: Path
    folder: Path
    cache: Path
    weights: Path | None = None

    @cached_property
    def clips(self) -> Manifest:
        return load_manifest(self.data)

    @cached_property
    def frames(self) -> int:
        """The frames of a clip, the median, in the features of the official autoencoder."""
        recipe = load_recipe(ERROR)
        paths = list(dict.fromkeys(clip.path for clip in self.clips))
        store = FeatureStore(self.cache, recipe.audio, recipe.features)
        store.add(paths)
        return int(np.median(store.open(paths).frames))

    @property
    def several_classes(self) -> bool:
        """Whether there is something to tell apart: machines, sections, or attributes."""
        healthy = self.clips.select(split="train")
        return len({(clip.machine, clip.section, clip.attributes) for clip in healthy}) > 1

    def recipe(self, name: str) -> Recipe | None:
        """Return a recipe as it is run on this set; None where it has nothing to do."""
        if name == FROZEN:
            return frozen(self.weights) if self.weights else None
        if name in (DEFAULT, ERROR, MAHALANOBIS):
            return load_recipe(name, [NO_BASELINES])
        if not self.several_classes:
            return None
        base, changes = name.partition(",")[0], list(LEARNED[name])
        if base == "attributes":
            changes += ["encoder.ensemble=1", "detect.views=[dgmix]"]
        shortest = min(10.0, self.frames * 512 / 16_000)  # a shorter clip would be repeated
        if shortest < 9:
            seconds = round(shortest - 0.04, 1)
            changes += [f"input.crop_seconds={seconds}", f"detect.hop_seconds={seconds}"]
        return load_recipe(base, [NO_BASELINES, *changes])

    def folder_of(self, name: str) -> Path:
        return self.folder / name.replace(", ", "-").replace(" ", "-")

    def complete(self, name: str, jobs: int = 1) -> None:
        """Run a recipe, as far as that is not done; nothing where it has nothing to do."""
        recipe, output = self.recipe(name), self.folder_of(name)
        if recipe is None or (output / "results.csv").exists():
            return
        if name in NETWORK_OF:
            self.complete(NETWORK_OF[name], jobs)
            self._take_networks(recipe, output, self.folder_of(NETWORK_OF[name]))
        dgmix.run(recipe, self.data, output, jobs=jobs, cache=self.cache)

    def _take_networks(self, recipe: Recipe, output: Path, trained: Path) -> None:
        """Put the checkpoints of another recipe's finished trainings where a run looks for them.

        What this recipe's network has beside the encoder is as before training.
        """
        for unit in plan(recipe, self.clips, [0], output, self.cache, "cpu"):
            teacher = unit.teacher or unit
            source = load_checkpoint(trained / teacher.folder.relative_to(output) / "last.ckpt")
            if source is None or (teacher.folder / "last.ckpt").exists():
                continue
            state = build_network(recipe, unit.seed).state_dict()
            own: dict[str, torch.Tensor] = source["network"]
            source["network"] = state | {key: own[key] for key in own if key in state}
            teacher.folder.mkdir(parents=True)
            save_checkpoint(teacher.folder / "last.ckpt", source | {"lines": 0})

    def estimates(self) -> dict[str, Estimate]:
        """Return Ω (official) of every recipe, over the splits that are done so far."""
        folders = {name: self.folder_of(name) for name in RECIPES}
        done = [name for name, each in folders.items() if any(each.rglob("scores.csv"))]
        tables = [
            read_run(self.folder_of(name))
            .filter(pl.col("system") == "dgmix")
            .with_columns(system=pl.lit(name))
            for name in done
        ]
        judged = resample(pl.concat(tables)) if tables else None
        return {name: judged.estimate(name) for name in done} if judged else {}


def frozen(weights: Path) -> Recipe:
    """Return the recipe `first-shot` with aiSFX as its encoder, on the features that it hears."""
    recipe = load_recipe(FROZEN, [NO_BASELINES, f"encoder.weights={weights}"])
    base = load_recipe("aisfx", [f"encoder.weights={weights}"])
    detect = recipe.detect.model_copy(update={"hop_seconds": base.detect.hop_seconds})
    parts = {name: getattr(base, name) for name in ("audio", "features", "input", "encoder")}
    return recipe.model_copy(update={**parts, "detect": detect})


def cell(estimates: Mapping[str, Estimate], name: str) -> str:
    """Return Ω in %, with its standard error or interval; a dash where it was not measured."""
    if name not in estimates:
        return "–"
    estimate = estimates[name]
    if np.isnan(estimate.error):
        return f"{100 * estimate.value:.1f} [{100 * estimate.low:.1f}, {100 * estimate.high:.1f}]"
    return f"{100 * estimate.value:.1f} ± {100 * estimate.error:.1f}"


def mean(estimates: Sequence[Mapping[str, Estimate]], name: str) -> str:
    """Return the mean Ω over sets, in %; a dash where one of them lacks it."""
    if not estimates or any(name not in each for each in estimates):
        return "–"
    return f"{100 * float(np.mean([each[name].value for each in estimates])):.1f}"
