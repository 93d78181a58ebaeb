"""The recipes of the field from clips to scores, with few steps and small networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import save_file

from dgmix.audio.cache import FeatureStore
from dgmix.config import load_recipe
from dgmix.data import load_manifest
from dgmix.errors import InputError
from dgmix.model.encoders import build_encoder
from dgmix.model.network import crop_frames
from dgmix.pipeline import chosen_machines
from dgmix.units import complete_unit, plan

SMALL = "encoder.width=0.08333333333333333"
QUICK = {
    "autoencoder": ["finetune.epochs=1", "finetune.crops_per_clip=8"],
    "mahala": ["finetune.epochs=1", "finetune.crops_per_clip=8"],
    "scac": [
        *("finetune.max_steps=2", "finetune.batch_size=8", "input.crop_seconds=1"),
        *("encoder.width=0.25", "encoder.resolutions=[256]"),
    ],
    "first-shot": [SMALL, "input.crop_seconds=1"],
}


@pytest.mark.parametrize("name", QUICK)
def test_a_recipe_scores_every_clip(
    name: str, simulated: Path, shared_cache: Path, tmp_path: Path
) -> None:
    recipe = load_recipe(name, [*QUICK[name], "evaluate.baselines=[]"])
    if name == "first-shot":
        torch.manual_seed(0)
        encoder = build_encoder(recipe.encoder, recipe.features.n_mels, crop_frames(recipe))
        state = {k: v.contiguous() for k, v in encoder.state_dict().items()}
        save_file(state, tmp_path / "beats.safetensors")
        changed = [f"encoder.weights={tmp_path / 'beats.safetensors'}", "evaluate.baselines=[]"]
        recipe = load_recipe(name, [*QUICK[name], *changed])
    everything = load_manifest(simulated)
    clips = everything if recipe.together else chosen_machines(everything, ["fan"])
    FeatureStore(shared_cache, recipe.audio, recipe.features).add([c.path for c in clips])
    [unit, *_] = plan(recipe, clips, [0], tmp_path / "run", shared_cache, "cpu")
    unit.folder.mkdir(parents=True)
    complete_unit(unit)
    scores = pl.read_csv(unit.folder / "scores.csv")
    assert len(scores) == len(unit.clips.select(split="test"))
    assert np.isfinite(scores["score"].to_numpy()).all()
    assert scores["score"].n_unique() > len(scores) // 2
    assert list(unit.folder.glob("decision_result_*.csv"))


@pytest.mark.parametrize("change", ["fan.detect.scorer=knn", "detect.machines={fan: 1}"])
def test_nothing_is_set_by_machine(change: str) -> None:
    with pytest.raises(InputError, match="first-shot: unknown setting"):
        load_recipe("first-shot", [change])
