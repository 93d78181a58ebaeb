"""The systems that `benchmarks/quality.py` compares: where each comes from, and what it takes.

A part is one `dgmix run`, or an official baseline on the clips of one; a part may score several
systems. Everything lies below a folder for each data set, and what is there is not done again.
"""

from __future__ import annotations

import json
import math
import tempfile
from collections.abc import Sequence
from concurrent.futures import as_completed
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import mobilenetv2
import numpy as np
import official
import polars as pl
import yaml

import dgmix
from dgmix.audio.cache import FeatureStore
from dgmix.audio.frames import crop_frames
from dgmix.config import Recipe, StageSettings, load_recipe
from dgmix.data import load_manifest
from dgmix.data.clip import Manifest
from dgmix.detect.recordings import of_clips
from dgmix.detect.resolve import resolve
from dgmix.detect.views import LEARNED, RAW_VIEWS
from dgmix.evaluate.scores import read_run, shown_system, write_scores
from dgmix.model.device import chosen_device
from dgmix.model.network import without_ensemble
from dgmix.model.steps import STAGES, total_steps
from dgmix.model.threads import TORCH
from dgmix.model.train import Run, train
from dgmix.progress import say
from dgmix.units import Known, Unit, plan
from dgmix.workers import use_one_thread, worker_pool

DETECTOR, LEARNED_ALONE, FINETUNED = "detector", "learned", "finetuned"
WHOLE_CLIPS = ("whole-clips", "attributes")
AUTOENCODERS: dict[str, list[str]] = {"autoencoder": [], "mahala": []}  # recipes, and changes
OFFICIAL = {"mobilenetv2": mobilenetv2}
PARTS = (DETECTOR, LEARNED_ALONE, FINETUNED, *WHOLE_CLIPS, *AUTOENCODERS, *OFFICIAL)
NAMES = {
    **{view: shown_system(view) for view in RAW_VIEWS},
    "autoencoder": "official autoencoder",
    "mahala": "official autoencoder, Mahalanobis",
    "mobilenetv2": "official MobileNetV2",
    "untrained": "untrained encoder",
    LEARNED_ALONE: "DG-Mix alone",
    FINETUNED: "DG-Mix + published fine-tuning",
    "whole-clips": "DG-Mix on whole clips",
    "attributes": "attributes of whole clips",
    "raw": "detector without its DG-Mix view",
    DETECTOR: "detector",
}
OF_SECTIONS = (FINETUNED, "attributes", "mobilenetv2")
FEW_CLIPS, FEW_STEPS = 16, 4
FORWARDS = 4.5  # a training step costs as much as so many passes of its crops forward


@dataclass(frozen=True)
class DataSet:
    """A data set by name, with the seeds to train with on it and the folder of its runs."""

    name: str
    data: Path
    seeds: tuple[int, ...]
    folder: Path
    cache: Path

    @cached_property
    def clips(self) -> Manifest:
        return load_manifest(self.data)

    @property
    def several_sections(self) -> bool:
        """Whether some machine has sections to tell apart."""
        places = {(clip.machine, clip.section) for clip in self.clips}
        return len(places) > len({machine for machine, _ in places})

    def units(self, part: str, recipe: Recipe) -> list[Unit]:
        """Return the trainings of a part.

        Those of MobileNetV2 lie beside the detector's.
        """
        where = self.folder / (DETECTOR if part in OFFICIAL else part)
        return plan(recipe, self.clips, self.seeds_of(part), where, self.cache, chosen_device(None))

    def resolved(self, recipe: Recipe) -> Recipe:
        """Return a recipe in which the healthy clips have decided what it leaves open."""
        return resolve(recipe, of_clips(self.clips.select(split="train", label="normal")))

    def seeds_of(self, part: str) -> tuple[int, ...]:
        """Return the seeds of a part; official baselines are long: the first one has to do."""
        return self.seeds[:1] if part in (*AUTOENCODERS, *OFFICIAL) else self.seeds

    def parts(self, wanted: Sequence[str], recipes: dict[str, Recipe]) -> list[str]:
        """Return those of the wanted parts that there are, and that mean something here."""
        known = [part for part in wanted if part in recipes or part in OFFICIAL]
        return [p for p in known if self.several_sections or p not in OF_SECTIONS]


def recipes_of(name: str, changes: Sequence[str]) -> dict[str, Recipe]:
    """Return the recipe of every part that is a `dgmix run`.

    The detector is the recipe as it is. DG-Mix alone is a part of its run where the detector has
    a learned view, and a run of its own where it has not. `WHOLE_CLIPS` are the learned views of
    the recipes of those names, and `AUTOENCODERS` these recipes, whatever the recipe.
    """
    base = load_recipe(name, changes)
    learned = LEARNED in base.detect.views
    baselines = [*RAW_VIEWS, *(["learned", "untrained"] if learned else [])]
    if learned and len(base.detect.views) > 1:
        baselines.append("raw")
    published = load_recipe("published-small").finetune.model_dump(mode="json")

    def changed(**settings: Any) -> Recipe:
        texts = [f"{key.replace('__', '.')}={flow(value)}" for key, value in settings.items()]
        return load_recipe(name, [*changes, *texts])

    alone = partial(changed, detect__views=[LEARNED])
    recipes = {
        DETECTOR: changed(evaluate__baselines=baselines),
        LEARNED_ALONE: alone(evaluate__baselines=["untrained"]),
        FINETUNED: alone(evaluate__baselines=[], finetune=published),
    }
    for part in WHOLE_CLIPS:
        recipes[part] = load_recipe(part, [f"detect.views=[{LEARNED}]", "evaluate.baselines=[]"])
    for part, more in AUTOENCODERS.items():
        recipes[part] = load_recipe(part, ["evaluate.baselines=[]", *more])
    return {
        part: recipe for part, recipe in recipes.items() if part != LEARNED_ALONE or not learned
    }


def flow(value: Any) -> str:
    """Return a value as YAML in one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=math.inf).strip()


def scored_with(part: str, unit: Unit) -> Path:
    """Return the file whose presence says that a part has done a unit."""
    return unit.folder / (f"scores_{part}.csv" if part in OFFICIAL else "scores.csv")


def missing(part: str, dataset: DataSet, recipe: Recipe) -> list[Unit]:
    """Return the units that a part has not done yet."""
    return [u for u in dataset.units(part, recipe) if not scored_with(part, u).exists()]


def logs_of(part: str, unit: Unit) -> list[Path]:
    """Return the training logs that a part has left of a unit: one for each network."""
    return sorted(unit.folder.rglob(official_log(part) if part in OFFICIAL else "log.jsonl"))


def official_log(part: str) -> str:
    return f"log_{part}.jsonl"


def complete(part: str, dataset: DataSet, recipe: Recipe, jobs: int) -> None:
    """Do what is missing of a part, `jobs` trainings at a time."""
    if part not in OFFICIAL:
        where = dataset.folder / part
        seeds = dataset.seeds_of(part)
        dgmix.run(recipe, dataset.data, where, seeds=seeds, jobs=jobs, cache=dataset.cache)
        return
    units = missing(part, dataset, recipe)
    jobs = 1 if chosen_device(None).startswith("cuda") else min(jobs, len(units))
    with worker_pool(max(jobs, 1), use_one_thread) as pool:
        futures = {pool.submit(complete_official, part, unit): unit for unit in units}
        for number, future in enumerate(as_completed(futures), 1):
            future.result()
            say(f"{part}: {futures[future].label}: done ({number}/{len(units)})")


def complete_official(part: str, unit: Unit) -> None:
    """Train an official baseline on the clips of a unit and write its scores, with its log."""
    known, queries = official_clips(unit)
    scores = OFFICIAL[part].scores(
        known.bank,
        known.sections,
        queries.bank,
        queries.sections,
        unit.seed,
        unit.folder / official_log(part),
        unit.device,
    )
    write_scores(scored_with(part, unit), queries.scored(scores))


def official_clips(unit: Unit) -> tuple[Known, Known]:
    """Return training and test clips as the official baselines hear them."""
    store = FeatureStore(unit.cache, official.AUDIO, official.FEATURES)
    normal = unit.clips.select(split="train", label="normal")
    return Known(store, normal), Known(store, unit.clips.select(split="test"))


def decode(part: str, dataset: DataSet, recipe: Recipe, jobs: int) -> None:
    """Put the features that a part needs into the cache, where they are not there."""
    channel = official if part in OFFICIAL else None
    audio = channel.AUDIO if channel else recipe.audio
    features = channel.FEATURES if channel else recipe.features
    paths = list(dict.fromkeys(clip.path for clip in dataset.clips))
    FeatureStore(dataset.cache, audio, features).add(paths, jobs)


def seconds_left(part: str, dataset: DataSet, recipe: Recipe) -> tuple[int, float]:
    """Return how many trainings of a part are missing, and about how long one core takes for them.

    Measured on a short training for the first of them; the clips must have been decoded. What is
    only compared, not trained, counts as nothing.
    """
    taught = trainings(part, missing(part, dataset, recipe))
    if not taught or (part not in OFFICIAL and LEARNED not in recipe.detect.views):
        return len(taught), 0.0
    with tempfile.TemporaryDirectory() as folder, TORCH.one():
        if part in OFFICIAL:
            return len(taught), len(taught) * _official_seconds(part, taught[0], Path(folder))
        return len(taught), len(taught) * _recipe_seconds(recipe, taught[0], Path(folder))


def trainings(part: str, units: Sequence[Unit]) -> list[Unit]:
    """Return the units that train for a part: those given, or those whose training they share."""
    train = [unit if part in OFFICIAL else unit.teacher or unit for unit in units]
    return list({unit.folder: unit for unit in train}.values())


def _official_seconds(part: str, unit: Unit, folder: Path) -> float:
    """Return the seconds of an official baseline: an epoch on a few clips, times clips, epochs."""
    system = OFFICIAL[part]
    normal = unit.clips.select(split="train", label="normal")
    few = Manifest(normal.clips[:: -(-len(normal) // FEW_CLIPS)], normal.root)
    known = Known(FeatureStore(unit.cache, official.AUDIO, official.FEATURES), few)
    training = known.bank, known.sections
    log = folder / "log.jsonl"
    for _ in range(2):  # the first one warms up
        system.scores(*training, *training, unit.seed, log, unit.device, epochs=1)
    seconds: float = system.EPOCHS * total_seconds(log) * len(normal) / len(few)
    return seconds


def _recipe_seconds(recipe: Recipe, unit: Unit, folder: Path) -> float:
    """Return the seconds of a recipe's training, and of hearing every window of every clip."""
    store = FeatureStore(unit.cache, recipe.audio, recipe.features)
    known = Known(store, unit.clips.select(split="train", label="normal"))
    crops, run = known.crops(recipe), Run(folder, label="how fast")
    stages: dict[str, StageSettings] = {name: getattr(recipe, name) for name in STAGES}
    limits = {"min_steps": FEW_STEPS, "max_steps": FEW_STEPS}
    short = {name: stage.model_copy(update=limits) for name, stage in stages.items()}
    once = without_ensemble(recipe.model_copy(update={**short, "recalibrate": False}))
    train(once, crops, 0, run, unit.device)
    each = recipe.encoder.ensemble
    step = {name: each * s / FEW_STEPS for name, s in seconds_by_stage(run.log.path).items()}
    steps = {name: total_steps(stages[name], crops.steps_per_epoch(stages[name])) for name in step}
    windows = len(unit.clips) * float(known.bank.frames.mean()) / crop_frames(recipe)
    forwards = [s / getattr(recipe, name).batch_size / FORWARDS for name, s in step.items()]
    networks = 1 + ("untrained" in recipe.evaluate.baselines)
    hearing = networks * windows * max(forwards, default=0.0)
    return sum(step[name] * steps[name] for name in step) + hearing


def training_seconds(part: str, dataset: DataSet, recipe: Recipe) -> float:
    """Return the mean seconds of training of a part's units so far, by their logs; or NaN."""
    logs = [logs_of(part, unit) for unit in trainings(part, dataset.units(part, recipe))]
    spent = [sum(map(total_seconds, of_one)) for of_one in logs if of_one]
    return float(np.mean(spent)) if spent else math.nan


def total_seconds(log: Path) -> float:
    """Return the seconds in a training log."""
    return sum(seconds_by_stage(log).values())


def seconds_by_stage(log: Path) -> dict[str, float]:
    """Return the seconds in a training log, by stage."""
    spent: dict[str, float] = {}
    for line in map(json.loads, log.read_text("utf-8").splitlines()):
        stage = line.get("stage", "")
        spent[stage] = spent.get(stage, 0.0) + line["seconds"]
    return spent


def scores_of(dataset: DataSet, parts: Sequence[str]) -> pl.DataFrame:
    """Return the scores of the systems of parts that are done; `NAMES` are theirs."""
    system, frames = pl.col("system"), []
    for where in dict.fromkeys(DETECTOR if part in OFFICIAL else part for part in parts):
        scores = read_run(dataset.folder / where)
        part = pl.when(system.is_in(list(OFFICIAL))).then(system).otherwise(pl.lit(where))
        wanted = scores.filter(part.is_in(list(parts)))
        frames.append(wanted.with_columns(system.replace("dgmix", where)))
    return pl.concat(frames)
