"""How do the scorers and poolings that the field publishes do beside `knn`, without any training?

    python benchmarks/field.py TABLE … -o runs/field [--page benchmarks/results/field.md]

On each table of repeated splits: Ω (official, %) of every scorer, in each view of the default
recipe in the metric of a detector (peaks in one part), in the mean of the log-mel and in that
pooled by relative deviation; and of all the default's views together. Scorers learn from all
healthy clips, but for the views together, where half of them calibrate where a scorer estimates
something. Nothing was chosen by these numbers: all have the settings that they are shipped with, or
that their publication has. What is made of a set is kept in the output folder.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from described import judged
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.audio.cache import FeatureStore, default_folder
from dgmix.config import DetectSettings, Recipe, load_recipe
from dgmix.data import load_manifest
from dgmix.data.clip import Clip, Manifest
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.memory import HealthyClips, Memory
from dgmix.detect.quality import measures_of
from dgmix.detect.recordings import of_clips
from dgmix.detect.resolve import resolve
from dgmix.detect.scorers import build_joint_scorer, build_scorer, estimates
from dgmix.detect.views import RAW_VIEWS, Vectors, represent
from dgmix.detect.views.levels import logmel
from dgmix.detect.windows import Windows
from dgmix.evaluate.formats import markdown_table
from dgmix.evaluate.intervals import resample
from dgmix.evaluate.scores import SCHEMA
from dgmix.files import write_text
from dgmix.progress import progress, say

BANDS = 8  # of 128 mel bands 16 each, as a BEATs patch has
SYSTEMS: dict[str, dict[str, Any]] = {
    "knn": {},
    "kriging (default)": {"scorer": "kriging"},
    "knn, cosine": {"metric": "cosine"},
    "knn, 8 bands": {"bands": BANDS},
    "knn, cosine, 8 bands (BEAM)": {"metric": "cosine", "bands": BANDS},
    "density, 1 neighbour (LDN)": {"scorer": "density", "local_neighbors": 1},
    "density, 4 neighbours (LDN)": {"scorer": "density"},
    "varmin": {"scorer": "varmin"},
    "varmin, 8 bands": {"scorer": "varmin", "bands": BANDS},
    "varmin, cosine, 8 bands (BEAM + VarMin)": {
        "scorer": "varmin",
        "metric": "cosine",
        "bands": BANDS,
    },
    "daco": {"scorer": "daco"},
    "daco, cosine (as published)": {"scorer": "daco", "metric": "cosine"},
    "knn, per domain": {"per_domain": True},
    "mahalanobis": {"scorer": "mahalanobis"},
}
MEAN = "logmel-mean"
DEVIATION_POOLED = {f"log-mel, RDP {emphasis}": float(emphasis) for emphasis in (4, 8)}
TOGETHER = "default's views together"
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class Trial:
    """A section of a split: clips to learn from and to ask about, by number among all clips."""

    repeat: int
    healthy: Numbers
    queries: Numbers
    domains: NDArray[np.str_]
    asked: Sequence[Clip]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", type=Path, nargs="+", help="CSV files of repeated splits")
    parser.add_argument("--cache", type=Path, default=default_folder())
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the numbers")
    parser.add_argument("--page", type=Path, help="write the tables to this file too")
    options = parser.parse_args()
    omegas = {path.stem: kept(path, options.cache, options.output) for path in options.tables}
    text = page(omegas)
    print(text)
    if options.page:
        write_text(options.page, text)


def kept(path: Path, cache: Path, output: Path) -> dict[str, dict[str, float]]:
    """Return what `omegas_of` does, from a file of an earlier call where there is one."""
    file = output / f"{path.stem}.json"
    if not file.exists():
        write_text(file, json.dumps(omegas_of(path, cache), indent=1))
    omegas: dict[str, dict[str, float]] = json.loads(file.read_text("utf-8"))
    return omegas


def omegas_of(path: Path, cache: Path) -> dict[str, dict[str, float]]:
    """Return Ω in % by view and system of a table of repeated splits."""
    clips = load_manifest(path)
    recipe = resolve(load_recipe("default"), of_clips(clips))
    paths = list(dict.fromkeys(clip.path for clip in clips))
    store = FeatureStore(cache, recipe.audio, recipe.features)
    store.add(paths)
    say(f"{path.stem}: {len(paths)} clips")
    vectors = described(recipe, store.open(paths))
    trials = list(trials_of(clips, paths))
    rows: dict[str, list[tuple[Any, ...]]] = {}
    with progress(path.stem, len(trials)) as advance:
        for trial in trials:
            for view in vectors:
                rows.setdefault(view, []).extend(scored(trial, vectors[view]))
            rows.setdefault(TOGETHER, []).extend(scored_together(recipe, trial, vectors))
            advance()
    tables = {view: pl.DataFrame(each, schema=SCHEMA, orient="row") for view, each in rows.items()}
    judgements = {view: resample(table, "official") for view, table in tables.items()}
    return {
        view: {
            system: 100 * judgement.estimate(system).value
            for system in SYSTEMS
            if system in set(tables[view]["system"])
        }
        for view, judgement in judgements.items()
    }


def described(recipe: Recipe, bank: MelBank) -> dict[str, Vectors]:
    """Return every view of the clips of a bank, in the metric in which detectors compare them."""
    views = [MEAN, *recipe.detect.views]
    detect = recipe.detect.model_copy(update={"views": views})
    vectors = represent(recipe.model_copy(update={"detect": detect}), None, bank)
    scaled = RAW_VIEWS[MEAN].scaled
    for name, emphasis in DEVIATION_POOLED.items():
        pooled = [scaled(deviation_pooled(logmel(bank[i]), emphasis)) for i in range(len(bank))]
        vectors[name] = Vectors(np.array(pooled), np.arange(len(bank)))
    return vectors


def deviation_pooled(levels: NDArray[np.float32], emphasis: float) -> NDArray[np.float32]:
    """Return the levels (frame, mel) of a clip as one vector (mel,), pooled by deviation."""
    frames = np.zeros(len(levels), np.int64)
    return Windows(frames, frames, 1).relative_deviation(levels, emphasis)[0].astype(np.float32)


def trials_of(clips: Manifest, paths: Sequence[Path]) -> Iterator[Trial]:
    """Yield the trials of a table of splits."""
    place = {path: number for number, path in enumerate(paths)}
    groups: dict[tuple[int, str, str], list[Clip]] = {}
    for clip in clips:
        groups.setdefault((clip.repeat, clip.machine, clip.section), []).append(clip)
    for (repeat, _, _), mine in sorted(groups.items()):
        healthy = [c for c in mine if c.split == "train" and c.label == "normal"]
        healthy.sort(key=lambda clip: place[clip.path])
        asked = sorted((c for c in mine if c.split == "test"), key=lambda clip: place[clip.path])
        numbers = (np.array([place[c.path] for c in part]) for part in (healthy, asked))
        yield Trial(repeat, *numbers, np.array([c.domain for c in healthy]), asked)


def scored(trial: Trial, vectors: Vectors) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a trial in one view."""
    known, asked = vectors.select(trial.healthy), vectors.select(trial.queries)
    for system, changes in SYSTEMS.items():
        settings = DetectSettings(**changes)
        if not estimates(settings):
            joint = build_joint_scorer(settings, known, [known.clips])
            scores = joint.measure(asked, len(trial.asked))[0]
        else:
            scores = build_scorer(settings, trial.domains).fit(known.values).score(asked.values)
        yield from rows_of(system, trial, scores)


def scored_together(
    recipe: Recipe, trial: Trial, vectors: dict[str, Vectors]
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a trial by detectors that compare all the default's views."""
    views = {name: vectors[name].select(trial.healthy) for name in recipe.detect.views}
    asked = {name: vectors[name].select(trial.queries) for name in recipe.detect.views}
    count = len(trial.healthy)
    names = tuple(f"{number:05}" for number in range(count))
    domains = tuple(trial.domains.tolist())
    clips = HealthyClips(
        ("00",) * count,
        domains,
        names,
        domains,
        trial.healthy,
        np.zeros(count),
        measures_of([None] * count),
    )
    for system, changes in SYSTEMS.items():
        detect = DetectSettings(views=list(recipe.detect.views), **changes)
        mine = recipe.model_copy(update={"detect": detect})
        detector = FittedDetector(mine, None, Memory(views, clips), (), trained=0)
        yield from rows_of(system, trial, judged(detector, asked).score)


def rows_of(system: str, trial: Trial, scores: Floats) -> Iterator[tuple[Any, ...]]:
    for c, score in zip(trial.asked, scores.tolist(), strict=True):
        clip = (str(c.path), c.machine, c.section, c.domain, c.split, c.label)
        yield (system, trial.repeat, 0, *clip, score)


def page(omegas: dict[str, dict[str, dict[str, float]]]) -> str:
    """Return the tables as Markdown: means over the sets by view, and each set."""
    sets = list(omegas)
    views = list(next(iter(omegas.values())))

    def mean(view: str, system: str) -> float:
        return float(np.mean([omegas[name][view][system] for name in sets]))

    tables = [table(f"Ω, mean of {', '.join(sets)}", views, mean)] if len(sets) > 1 else []
    for name, of in omegas.items():
        tables.append(table(f"Ω, {name}", views, lambda view, system, of=of: of[view][system]))
    return "\n\n".join(tables) + "\n"


def table(title: str, columns: Sequence[str], value: Any) -> str:
    rows = [[system, *(f"{value(name, system):.1f}" for name in columns)] for system in SYSTEMS]
    return markdown_table([title, *columns], rows)


if __name__ == "__main__":
    main()
