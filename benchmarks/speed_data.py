"""The recordings, recipes and trainings that the parts of `benchmarks/speed.py` share."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from dgmix.audio.bank import MelBank
from dgmix.audio.cache import FeatureStore
from dgmix.config import Recipe, load_recipe
from dgmix.data.simulate import simulate
from dgmix.model.crops import TrainingCrops
from dgmix.model.precision import training_dtype
from dgmix.model.train import Run, StageTraining, untrained

CLIPS, SECONDS = 256, 10.0
JUST_TRAIN = ["finetune.epochs=0", "recalibrate=false"]  # as the yardstick does
ENCODERS = {  # by what their rows are called; 16 or 32 bits as the machine prefers, or 32
    "mobilenetv2": ["encoder.name=mobilenetv2"],
    "mobilenetv2, float32": ["encoder.name=mobilenetv2", "precision=float32"],
    "light": ["encoder.name=light"],
    "light, float32": ["encoder.name=light", "precision=float32"],
}


def recording_folder(folder: Path) -> Path:
    """Return a folder of 256 simulated fan clips of 10 s, made at the first call."""
    clips = CLIPS // 2
    simulate(folder / "fan", machines=("fan",), sections=2, clips=clips, test_clips=1)
    return folder / "fan" / "fan" / "train"


def files(folder: str | Path) -> list[Path]:
    return sorted(Path(folder).rglob("*.wav"))


def recipe_with(encoder: str, epochs: int) -> Recipe:
    changes = [*ENCODERS[encoder], f"pretrain.epochs={epochs}", *JUST_TRAIN]
    return load_recipe("published-small", changes)


def bank_of(paths: list[Path], recipe: Recipe, cache: str | Path) -> MelBank:
    store = FeatureStore(cache, recipe.audio, recipe.features)
    store.add(paths, os.cpu_count() or 1)
    return store.open(paths)


def stage(encoder: str, bank: MelBank, folder: str, epochs: int = 100) -> StageTraining:
    """Return a pre-training that can be taken epoch by epoch."""
    recipe = recipe_with(encoder, epochs)
    crops = TrainingCrops.of(bank, ["00"] * len(bank))
    run = Run(Path(tempfile.mkdtemp(dir=folder)))
    run.log.rewind(0)
    network = untrained(recipe, crops, 0)
    dtype = training_dtype(recipe.precision, network.encoder, network.device)
    return StageTraining("pretrain", recipe.pretrain, network, crops, 0, run, dtype)
