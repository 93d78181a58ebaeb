"""The data sets on which `choose_default.py` chooses, each clip in every view, and their trials.

A trial is a section of a train/test split: which clips are learned from, which are asked about,
and between which of these an AUC is measured. Beside each set stands one of planted faults, with
the same healthy clips, in which the anomalies are copies of normal test clips with a fault
(`planted_faults.py`).
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import candidate_views
import numpy as np
import planted_faults
from candidate_views import VIEWS, Floats
from exact_scores import Kernel, apart, logarithms, view_scores
from numpy.typing import NDArray

from dgmix.audio.cache import FeatureStore
from dgmix.audio.mel_scale import REFERENCE_RATE
from dgmix.config import load_recipe
from dgmix.data import load_manifest
from dgmix.data.clip import Clip, Manifest
from dgmix.detect.resolve import recipe_at
from dgmix.detect.views.blocks import Levels, logmel
from dgmix.evaluate.metrics import auc, harmonic_mean, pauc
from dgmix.progress import progress

PLANTED_CLIPS = 120  # normal clips of a set that faults are planted in
PLANTED_REPEATS = 3
Index = NDArray[np.int64]
Descriptions = dict[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Task:
    """Two groups of a trial's queries to tell apart; by the whole ROC curve or its first tenth."""

    normal: Index
    anomaly: Index
    partial: bool


@dataclass(frozen=True)
class Trial:
    """Clips to learn from and to ask about, by their number in the set's descriptions."""

    healthy: Index
    queries: Index
    tasks: list[Task]


@dataclass(eq=False)
class TestSet:
    """A data set described: `repeats` are its splits, each a list of trials.

    `paths` are the recordings that the first descriptions are of.
    """

    name: str
    described: Descriptions
    repeats: list[list[Trial]]
    paths: list[Path] = field(default_factory=list)
    known: dict[tuple[str, Kernel], list[list[Floats]]] = field(default_factory=dict)

    def scores(self, view: str, kernel: Kernel) -> list[list[Floats]]:
        """Return the scores (query,) of each trial in a view, in units; computed once."""
        key = view, kernel
        if key not in self.known:
            parts = VIEWS[view].parts(self.described[view])
            self.known[key] = [
                [_own_scores(parts, trial, kernel) for trial in trials] for trials in self.repeats
            ]
        return self.known[key]

    def omegas(self, fuse: Callable[[int, int], Floats]) -> list[float]:
        """Return Ω in % of each repeat for the scores that `fuse` returns of repeat and trial."""
        scores = []
        for number, trials in enumerate(self.repeats):
            values = [
                value
                for place, trial in enumerate(trials)
                for value in _values(trial, fuse(number, place))
            ]
            scores.append(100 * float(harmonic_mean(values)))
        return scores


def _own_scores(parts: Sequence[Floats], trial: Trial, kernel: Kernel) -> Floats:
    clips = [(part[trial.healthy], part[trial.queries]) for part in parts]
    logs, spread = ([of(*each, kernel) for each in clips] for of in (logarithms, apart))
    return view_scores(np.array(logs), np.array(spread))[-1]


def _values(trial: Trial, scores: Floats) -> Iterator[float]:
    for task in trial.tasks:
        measure = pauc if task.partial else auc
        yield measure(scores[task.normal], scores[task.anomaly])


def read_sets(name: str, data: Path, cache: Path) -> tuple[TestSet, TestSet]:
    """Return a data set, a folder or a CSV, and its planted faults; described once."""
    clips = load_manifest(data)
    paths = list(dict.fromkeys(clip.path for clip in clips))
    seeds = _to_plant(clips)
    described = _described(name, paths, seeds, cache)
    place = {path: number for number, path in enumerate(paths)}
    extra = {
        (path, fault): len(paths) + number
        for number, (path, fault) in enumerate((p, f) for p in seeds for f in planted_faults.FAULTS)
    }
    splits = [list(_sections(clips, repeat)) for repeat in clips.repeats]
    real = [[_real_trial(section, place) for section in split] for split in splits]
    faulty = [
        [_planted_trial(section, place, extra) for section in split]
        for split in splits[:PLANTED_REPEATS]
    ]
    return TestSet(name, described, real, paths), TestSet(f"{name}, planted", described, faulty)


def _sections(clips: Manifest, repeat: int) -> Iterator[list[Clip]]:
    groups: dict[tuple[str, str], list[Clip]] = {}
    for clip in clips.select(repeat=repeat):
        groups.setdefault((clip.machine, clip.section), []).append(clip)
    yield from (groups[key] for key in sorted(groups))


def _to_plant(clips: Manifest) -> list[Path]:
    """Return normal test clips of a set, spread over its sections, to plant faults in."""
    normal = clips.select(split="test", label="normal")
    places = {clip.path: (clip.machine, clip.section) for clip in normal}
    sections: dict[tuple[str, str], list[Path]] = {}
    for path in sorted(places):
        sections.setdefault(places[path], []).append(path)
    each = -(-PLANTED_CLIPS // max(len(sections), 1))
    chosen = []
    for paths in sections.values():
        take = np.linspace(0, len(paths) - 1, min(each, len(paths))).round().astype(int)
        chosen += [paths[i] for i in take]
    return chosen


def _real_trial(section: Sequence[Clip], place: dict[Path, int]) -> Trial:
    tested = [clip for clip in section if clip.split == "test" and clip.label != "unknown"]
    anomaly = np.array([clip.label == "anomaly" for clip in tested])
    domains = np.array([clip.domain for clip in tested])
    queries = np.array([place[clip.path] for clip in tested])
    tasks = list(_tasks(anomaly, domains, np.flatnonzero(anomaly)))
    return Trial(_healthy(section, place), queries, tasks)


def _planted_trial(
    section: Sequence[Clip], place: dict[Path, int], extra: dict[tuple[Path, str], int]
) -> Trial:
    normal = [clip for clip in section if clip.split == "test" and clip.label == "normal"]
    queries = [place[clip.path] for clip in normal]
    domains = np.array([clip.domain for clip in normal])
    tasks: list[Task] = []
    for fault in planted_faults.FAULTS:
        faulty = [extra[c.path, fault] for c in normal if (c.path, fault) in extra]
        which = np.arange(len(queries), len(queries) + len(faulty))
        queries += faulty
        tasks += _tasks(np.zeros(len(normal), bool), domains, which)
    return Trial(_healthy(section, place), np.array(queries), tasks)


def _healthy(section: Sequence[Clip], place: dict[Path, int]) -> Index:
    return np.array([place[c.path] for c in section if c.split == "train" and c.label == "normal"])


def _tasks(anomaly: NDArray[np.bool_], domains: NDArray[np.str_], which: Index) -> Iterator[Task]:
    """Yield the tasks of the official convention, where both groups have clips."""
    if not len(which):
        return
    for domain in ("source", "target"):
        normal = np.flatnonzero(~anomaly & (domains == domain))
        if len(normal):
            yield Task(normal, which, partial=False)
    yield Task(np.flatnonzero(~anomaly), which, partial=True)


def _described(
    name: str, paths: Sequence[Path], seeds: Sequence[Path], cache: Path
) -> Descriptions:
    """Return every view of the clips and then of those with planted faults, kept in the cache."""
    sources = inspect.getsource(candidate_views) + inspect.getsource(planted_faults)
    stamps = [f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in paths]
    digest = hashlib.sha256("\n".join([sources, *stamps, *map(str, seeds)]).encode()).hexdigest()
    file = cache / f"{name}-{digest[:16]}.npz"
    if not file.exists():
        levels_of = _describe_all(name, paths, seeds, cache)
        file.parent.mkdir(parents=True, exist_ok=True)
        np.savez(file, **levels_of)  # type: ignore[arg-type]
    with np.load(file) as stored:
        return {view: stored[view] for view in VIEWS}


def _describe_all(
    name: str, paths: Sequence[Path], seeds: Sequence[Path], cache: Path
) -> Descriptions:
    recipe = recipe_at(load_recipe("default"), REFERENCE_RATE)
    store = FeatureStore(cache, recipe.audio, recipe.features)
    store.add(paths)
    bank = store.open(paths)
    number = {path: i for i, path in enumerate(paths)}
    levels_of: dict[str, list[Levels]] = {view: [] for view in VIEWS}
    with progress(f"describing {name}", len(paths) + len(seeds)) as advance:
        for i in range(len(paths)):
            _describe(bank[i], levels_of)
            advance()
        for i, path in enumerate(seeds):
            for j, fault in enumerate(planted_faults.FAULTS):
                _describe(planted_faults.planted(bank[number[path]], fault, (i, j)), levels_of)
            advance()
    return {view: np.array(vectors, np.float32) for view, vectors in levels_of.items()}


def _describe(magnitudes: NDArray[np.float32], levels_of: dict[str, list[Levels]]) -> None:
    levels = logmel(magnitudes)
    once: dict[Callable[[Levels], Levels], Levels] = {}
    for name, view in VIEWS.items():
        if view.describe not in once:
            once[view.describe] = np.asarray(view.describe(levels), np.float32)
        levels_of[name].append(once[view.describe])
