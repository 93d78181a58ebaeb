"""A few real clips of DCASE 2020 and 2023 through every recipe that ships with dgmix.

`field.py --years DATA` runs them. Trainings have a few steps on small batches, and encoders whose
weights are not at hand have random ones, a twelfth as wide: Ω says that a recipe ends with tables
and the official score of its year, not what the recipe is worth.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file

import dgmix
from dgmix.audio.frames import crop_frames
from dgmix.config import RECIPES, load_recipe
from dgmix.data import load_manifest
from dgmix.evaluate.formats import markdown_table
from dgmix.files import write_text
from dgmix.model.encoders import build_encoder

SETS = {
    "dcase2020_lite36": "2020: 36 clips, 6 machines",
    "dcase2023_mixed": "2023: 24 clips, 6 machines",
    "dcase2023_valve": "2023: valve, one split",
}
HEALTHY = (
    2  # clips of each machine id of 2020 to learn from: the set has three, and no folder train
)
STEPS, BATCH = 4, 8
NARROW = ["encoder.width=0.08333333333333333"]
RANDOM = ("beats", "eat", "first-shot")  # weights not at hand
WEIGHTS = ("aisfx",)
SHORT = [
    f"{stage}.{name}={value}"
    for stage in ("pretrain", "finetune")
    for name, value in (("min_steps", 0), ("max_steps", STEPS), ("batch_size", BATCH))
]
EXPLAINED = f"""## Real clips of two years through every recipe

A few real recordings, and {STEPS} steps of training on batches of {BATCH} crops: Ω (official
in that year, %) shows that a recipe ends with tables and an official score, not what it is worth.
`beats`, `eat` and `first-shot` have random weights, a twelfth as wide. In brackets
the arithmetic mean of AUC (source), because one AUC of 0, of one normal clip and one anomaly, makes
the harmonic mean 0."""
Numbers = Mapping[str, Mapping[str, Sequence[float | None]]]
"""Ω and the mean AUC in % by recipe and set; None where they are undefined."""


@dataclass(frozen=True)
class Years:
    """The folder of real recordings, and where runs, features and weights are."""

    data: Path
    folder: Path
    cache: Path
    aisfx: Path | None = None

    def numbers(self) -> Numbers:
        """Return Ω and the mean AUC of every recipe that can be run, on every set."""
        tables = {name: self._table(name) for name in SETS}
        return {
            recipe: {name: self._judged(recipe, name, table) for name, table in tables.items()}
            for recipe in RECIPES
            if recipe not in WEIGHTS or self.aisfx
        }

    def _judged(self, recipe: str, name: str, table: Path) -> list[float | None]:
        output = self.folder / name / recipe
        dgmix.run(recipe, table, output, changes=self._changes(recipe), jobs=1, cache=self.cache)
        judged = dgmix.evaluate_scores(output, bootstrap=0)
        means = judged.means["arithmetic"]
        values = [judged.omega, means.get("auc", means.get("auc_source"))]
        return [None if value is None else 100 * value for value in values]

    def _changes(self, name: str) -> list[str]:
        """Return what is changed of a recipe: its budget, and the weights that it starts from."""
        changes = ["evaluate.bootstrap=10", *SHORT]
        if name in WEIGHTS:
            return [*changes, f"encoder.weights={self.aisfx}"]
        if name not in RANDOM:
            return changes
        weights = self.folder / f"{name}.safetensors"
        if not weights.exists():
            recipe = load_recipe(name, NARROW)
            torch.manual_seed(0)
            encoder = build_encoder(recipe.encoder, recipe.features.n_mels, crop_frames(recipe))
            state = {key: value.contiguous() for key, value in encoder.state_dict().items()}
            save_file(state, weights)
        return [*changes, *NARROW, f"encoder.weights={weights}"]

    def _table(self, name: str) -> Path:
        """Return the clips of a set: its folder, or a table of them where a split is chosen."""
        if name == "dcase2023_mixed":
            return self.data / name
        rows = self._first_split(name) if name == "dcase2023_valve" else self._split_of_2020(name)
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(("path", "machine", "section", "domain", "split", "label"))
        writer.writerows(rows)
        path = self.folder / f"{name}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, text.getvalue())
        return path

    def _first_split(self, name: str) -> Iterator[tuple[object, ...]]:
        for c in load_manifest(self.data / "protocols" / f"{name}.csv").select(repeat=0):
            yield c.path.resolve(), c.machine, c.section, c.domain, c.split, c.label

    def _split_of_2020(self, name: str) -> Iterator[tuple[object, ...]]:
        known: dict[tuple[str, str], int] = {}
        for c in load_manifest(self.data / name):
            place = c.machine, c.section
            known[place] = known.get(place, 0) + (c.label == "normal")
            healthy = c.label == "normal" and known[place] <= HEALTHY
            split = "train" if healthy else "test"
            yield c.path.resolve(), c.machine, c.section, c.domain, split, c.label


def table(numbers: Numbers) -> str:
    """Return Ω and the mean AUC of every recipe on every set, below what they say."""
    rows = [[f"`{recipe}`", *(_cell(*of[s]) for s in SETS)] for recipe, of in numbers.items()]
    return f"{EXPLAINED}\n\n{markdown_table(['Ω', *SETS.values()], rows)}"


def _cell(omega: float | None, auc: float | None) -> str:
    shown = "undefined" if omega is None else f"{omega:.1f}"
    return shown if auc is None else f"{shown} ({auc:.1f})"
