"""How long and how large the parts of a run are, measured on a few of its clips.

A trial does what a run does, in a folder that is thrown away: it decodes, trains some steps, scores
with every system and writes all files.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from dgmix.config import Recipe, StageSettings
from dgmix.data.clip import Manifest
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.memory import HealthyClips, Memory
from dgmix.detect.quality import measures_of
from dgmix.detect.views import LEARNED, Vectors, find_view, view_size
from dgmix.estimate.counting import healthy
from dgmix.model.steps import STAGES, crops_per_clip
from dgmix.progress import quiet
from dgmix.units import Known, Unit, score_unit
from dgmix.workers import single_threaded

if TYPE_CHECKING:
    from dgmix.model.network import Network

SIZES = (3, 1), (12, 6)  # healthy clips and clips to score of the two units that are tried
FEW_QUERIES = 4
STEPS, MOST_CROPS = 3, 64
FEW_RECORDINGS = 16


@dataclass(frozen=True)
class Costs:
    """What was measured of a few clips, in seconds and bytes.

    `crop`: a training step, for each crop, by stage; `forward`: a crop through the network that
    training begins with; `clip`, `unit`: scoring with all systems, for
    each clip, healthy or tested, and for each unit; `clip_bytes`, `unit_bytes`: the files of it;
    `training_bytes`: those of a training.
    """

    crop: dict[str, float]
    forward: float
    clip: float
    unit: float
    clip_bytes: float
    unit_bytes: float
    training_bytes: float


def measured(unit: Unit) -> Costs:
    """Return what a unit costs. Raises `InputError` for clips that cannot be read."""
    with _workplace() as folder:
        teacher = _few(unit.teacher or unit, folder / "training", *SIZES[1])
        network, by_stage = _trained(teacher) if unit.recipe.detect.learns else (None, {})
        forward = _forward(teacher) if unit.recipe.has_network else 0.0
        training_bytes = float(_size(teacher.folder))
        counts, seconds, sizes = [], [], []
        for number, size in enumerate(SIZES):
            few = _few(unit, folder / f"unit{number}", *size)
            few = replace(few, teacher=teacher if unit.teacher else None)
            work = partial(score_unit, few, Known.healthy(few), network)
            counts.append(len(few.clips))
            seconds.append(timed(work))
            sizes.append(float(_size(few.folder)))
    clip, start = _line(counts, seconds)
    clip_bytes, unit_bytes = _line(counts, sizes)
    if network is not None:  # one of an ensemble, all of which a detector's file has
        one = sum(each.nbytes for each in network.state_dict().values())
        unit_bytes += (unit.recipe.encoder.ensemble - 1) * one
    return Costs(by_stage, forward, clip, start, clip_bytes, unit_bytes, training_bytes)


def decoding(units: Sequence[Unit], missing: Sequence[str]) -> tuple[float, float]:
    """Return the seconds, in one thread, and the bytes of features of recordings to decode."""
    if not missing:
        return 0.0, 0.0
    chosen = [missing[i] for i in _spread(len(missing), FEW_RECORDINGS)]
    with _workplace() as folder:
        store = replace(units[0], cache=folder).store
        store.add(chosen[:1])  # the first one warms up
        began = time.perf_counter()
        store.add(chosen)
        seconds = (time.perf_counter() - began) / max(len(chosen) - 1, 1)
        kept = sum(path.stat().st_size for path in store.folder.glob("*.f16"))
    files = sum(Path(path).stat().st_size for path in missing)
    few = sum(Path(path).stat().st_size for path in chosen)
    return seconds * len(chosen) * files / few, kept * files / few


def comparing(recipe: Recipe, unit: Unit) -> tuple[float, float]:
    """Return the seconds to make a comparison with a unit's largest section, and by query.

    Of vectors drawn at random, as many and as long as the section has.
    """
    sections = [clip.section for clip in healthy(unit)]
    count = max(map(sections.count, set(sections))) if recipe.detect.per_section else len(sections)
    domains = tuple(clip.domain for clip in healthy(unit))[:count]
    queries = _drawn(recipe, FEW_QUERIES, ("",))
    memory = _drawn(recipe, count, domains)
    detector = FittedDetector(recipe, None, memory, (), trained=0)
    began = time.perf_counter()
    comparison, calibration = detector.comparison(), detector.calibration()
    made = time.perf_counter() - began
    distances = comparison.measure(queries.views, FEW_QUERIES)
    calibration.judge(distances, [None] * FEW_QUERIES)
    return made, (time.perf_counter() - began - made) / FEW_QUERIES


def starting(networks: bool) -> float:
    """Return the seconds that a process takes to start working, with or without `networks`."""
    modules = ["dgmix.units", "dgmix.detect.learn", *(["dgmix.model.train"] if networks else [])]
    command = [sys.executable, "-c", f"import {', '.join(modules)}"]
    return timed(lambda: subprocess.run(command, check=True), warm=False)


def tabulating(units: Sequence[Unit], judge: Callable[[Path, Recipe], None]) -> float:
    """Return the seconds of `judge`, which makes tables and report, on scores drawn at random."""
    import polars

    from dgmix.evaluate.scores import write_scores

    rng = np.random.default_rng(0)
    with _workplace() as folder:
        for unit in units:
            tested = unit.clips.select(split="test")
            rows = [(str(c.path), c.machine, c.section, c.domain, c.split, c.label) for c in tested]
            columns = ["path", "machine", "section", "domain", "split", "label"]
            table = polars.DataFrame(rows, schema=columns, orient="row")
            place = folder / unit.label
            place.mkdir(parents=True)
            for name in ("", *(f"_{each}" for each in unit.recipe.evaluate.baselines)):
                scores = table.with_columns(polars.Series("score", rng.normal(size=len(rows))))
                write_scores(place / f"scores{name}.csv", scores)
        return timed(lambda: judge(folder, units[0].recipe), warm=False)


def timed(work: Callable[[], object], warm: bool = True) -> float:
    """Return the seconds of `work`, done once before to be `warm`."""
    if warm:
        work()
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@contextmanager
def _workplace() -> Iterator[Path]:
    """Yield a folder for a trial, which is silent and has one thread, as a worker process has."""
    from threadpoolctl import threadpool_limits

    with (
        tempfile.TemporaryDirectory() as folder,
        quiet(),
        single_threaded(),
        threadpool_limits(1),
    ):
        yield Path(folder)


def _few(unit: Unit, folder: Path, clips: int, queries: int) -> Unit:
    """Return a unit of a few healthy clips and a few of the same sections to score, decoded."""
    known = healthy(unit)
    chosen = [known[i] for i in _spread(len(known), clips)]
    sections = {(clip.machine, clip.section) for clip in chosen}
    tested = [c for c in unit.clips.select(split="test") if (c.machine, c.section) in sections]
    queried = [tested[i] for i in _spread(len(tested), queries)]
    kept = Manifest([*chosen, *queried], unit.clips.root)
    few = replace(unit, clips=kept, folder=folder, cache=folder.parent / "features")
    few.store.add([clip.path for clip in kept])
    folder.mkdir()
    return few


def _line(places: Sequence[int], values: Sequence[float]) -> tuple[float, float]:
    """Return slope and height at 0 of the line through two points, neither of them negative.

    Where both are at one place, all is slope.
    """
    few, many = places
    slope = (values[1] - values[0]) / (many - few) if many > few else values[1] / many
    slope = min(max(slope, 0.0), values[1] / many)
    return slope, max(values[1] - slope * many, 0.0)


def _spread(count: int, wanted: int) -> list[int]:
    """Return up to `wanted` numbers below `count`, far from each other."""
    return sorted(set(np.linspace(0, count - 1, min(count, wanted)).round().astype(int).tolist()))


def _short(recipe: Recipe) -> Recipe:
    """Return a recipe of a few steps, each of at most `MOST_CROPS` crops."""
    changes: dict[str, object] = {"recalibrate": False}
    for name in STAGES:
        stage: StageSettings = getattr(recipe, name)
        few = {
            "batch_size": min(stage.batch_size, MOST_CROPS),
            "crops_per_clip": 0,
            "min_steps": STEPS,
            "max_steps": STEPS,
        }
        changes[name] = stage.model_copy(update=few)
    encoder = recipe.encoder.model_copy(update={"ensemble": 1})
    return recipe.model_copy(update={**changes, "encoder": encoder})


def _trained(unit: Unit) -> tuple[Network, dict[str, float]]:
    """Return a network trained for some steps, and the seconds of these by crop, by stage."""
    from dgmix.model.train import Run, train

    run, crops = Run(unit.folder, label="trial"), Known.healthy(unit).crops(unit.recipe)
    network = train(_short(unit.recipe), crops, unit.seed, run, unit.device)
    return network, _seconds_by_crop(unit.recipe, len(crops.bank), run.log.path)


def _forward(unit: Unit) -> float:
    """Return the seconds in which a crop goes through a network as it is in training."""
    import torch

    from dgmix.model.network import build_network

    recipe, crops = _short(unit.recipe), Known.healthy(unit).crops(unit.recipe)
    network = build_network(recipe, unit.seed).to(unit.device)
    [batch, *_] = crops.epoch(network, recipe.pretrain, np.random.default_rng(0))
    with torch.no_grad():
        return timed(lambda: network.encoder(batch.inputs)) / len(batch.inputs)


def _seconds_by_crop(recipe: Recipe, clips: int, log: Path) -> dict[str, float]:
    """Return the seconds of a step for each of its crops, by stage, of a short training's log."""
    short = _short(recipe)
    seconds: dict[str, list[float]] = {}
    for line in map(json.loads, log.read_text("utf-8").splitlines()):
        seconds.setdefault(line["stage"], []).append(line["seconds"])
    return {
        name: float(np.median(each[1:])) / (clips * crops_per_clip(clips, getattr(short, name)))
        for name, each in seconds.items()
    }


def _drawn(recipe: Recipe, count: int, domains: tuple[str, ...]) -> Memory:
    """Return as many clips as vectors drawn at random, which domains take turns."""
    rng = np.random.default_rng(0)
    sizes = {name: _view_size(recipe, name) for name in recipe.detect.views}
    views: dict[str, Vectors] = {
        name: Vectors(rng.normal(size=(count, size)).astype(np.float32), np.arange(count))
        for name, size in sizes.items()
    }
    names = tuple(f"{number:06}" for number in range(count))
    of = (domains * count)[:count]
    clips = HealthyClips(
        ("",) * count, of, names, of, np.arange(count), np.zeros(count), measures_of([None] * count)
    )
    return Memory(views, clips)


def _view_size(recipe: Recipe, name: str) -> int:
    """Return how many numbers a view of a clip has."""
    if name != LEARNED:
        return view_size(find_view(name, recipe.plugins), recipe.features.n_mels)
    from dgmix.model.network import build_network

    return build_network(recipe, 0).embedding_size


def _size(folder: Path) -> int:
    """Return the bytes of the files in a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
