"""How do recipes, scorers and poolings that the field publishes do beside the default?

    python benchmarks/field.py TABLE … -o runs/field [--simulated DIR] [--aisfx WEIGHTS]
        [--years DATA] [--recipe NAME …] [--page benchmarks/results/field.md]

Recipes: Ω (official, %) of the runs in `field_recipes.py` on each table of repeated splits, and on
a simulated set; of those in `field_years.py` on a few real clips of two years. Scorers, without any
training: Ω in each view of the default recipe in the metric of a detector (peaks in one part), in
the mean of the log-mel and in that pooled by relative deviation; and of all the default's views
together. Scorers learn from all healthy clips, but for the views together, where half of them
calibrate where a scorer estimates something. Nothing was chosen by these numbers: all have the
settings that they are shipped with, or that their publication has. What is done is kept in the
output folder, and the page shows what there is so far; `--recipe` limits what is run (`--recipe
none`: nothing), `--no-scorers` leaves scorers out.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import field_recipes
import field_years
import numpy as np
import polars as pl
from described import judged
from kept import kept
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
from dgmix.evaluate.intervals import Estimate, resample
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
Omegas = Mapping[str, Mapping[str, float]]
"""Ω in % by view and system."""
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


INTRODUCTION = """# Recipes, scorers and poolings of the field

Written by `benchmarks/field.py`; what each is and where it comes from:
[0032](../../docs/decisions/0032-systems-of-the-field.md). Ω (official) in %: on repeated splits of
real recordings the mean ± its standard error over the splits, on the simulated set with its 95 %
interval over test clips. Nothing was chosen by these numbers, and none of it is a default.

## Recipes"""
RECIPES_ARE = """One seed. `autoencoder` and `mahala` are of one training, as in the organisers'
code. `first-shot` is run with the frozen encoder
aiSFX (`--aisfx`; a package of PyPI holds its weights): those of BEATs were not at hand. `scac` and
`attributes` (one network, its learned view alone) need several classes to tell apart, machines,
sections or attributes: a dash stands where a set has one, or where a recipe was not run. They learn
from sections on adi_cbm and pronostia (axes of an accelerometer, not what the recipes are meant
for), and from all machine types together on the simulated set; crops of sets with short clips are
as long as these."""
SCORERS_ARE = """## Scorers and poolings, without training

Healthy clips to learn from: 12 (mimii_fan), 18 of which 3 are of the target domain
(dcase2023_valve), 60 of which 5 (bldc_propeller), 151 (lathe), 10 of each axis (adi_cbm), 84 of
each axis (pronostia). Numbers within a set that differ by less than its standard error, 1 to 3
points, say nothing."""


@dataclass(frozen=True)
class Trial:
    """A section of a split: clips to learn from and to ask about, by number among all clips."""

    repeat: int
    healthy: Numbers
    queries: Numbers
    domains: NDArray[np.str_]
    query_clips: Sequence[Clip]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", type=Path, nargs="+", help="CSV files of repeated splits")
    parser.add_argument("--simulated", type=Path, help="a simulated set, for the recipes")
    parser.add_argument("--aisfx", type=Path, help="weights for the recipe first-shot")
    parser.add_argument("--years", type=Path, help="folder of real clips, for field_years.py")
    parser.add_argument("--recipe", action="append", help="run these alone")
    parser.add_argument("--no-scorers", action="store_true", help="show those that are done alone")
    parser.add_argument("--cache", type=Path, default=default_folder())
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of what is done")
    parser.add_argument("--page", type=Path, help="write the page to this file too")
    options = parser.parse_args()
    text = page(of_recipes(options), of_scorers(options), of_years(options))
    print(text)
    if options.page:
        write_text(options.page, text)


def of_recipes(options: argparse.Namespace) -> dict[str, Mapping[str, Estimate]]:
    """Return Ω by set and recipe, of those that are run now or were before."""
    sets = {path.stem: path for path in options.tables}
    if options.simulated:
        sets["simulated"] = options.simulated
    estimates = {}
    for name, data in sets.items():
        runs = field_recipes.Runs(data, options.output / name, options.cache, options.aisfx)
        for recipe in options.recipe or field_recipes.RECIPES:
            if recipe in field_recipes.RECIPES:
                runs.complete(recipe)
        estimates[name] = runs.estimates()
    return estimates


def of_scorers(options: argparse.Namespace) -> dict[str, Omegas]:
    """Return Ω in % by set, view and scorer, of those that are measured now or were before."""
    return {
        path.stem: kept(options.output, path.stem, partial(omegas_of, path, options.cache))
        for path in options.tables
        if not options.no_scorers or (options.output / f"{path.stem}.json").exists()
    }


def of_years(options: argparse.Namespace) -> field_years.Numbers | None:
    """Return Ω and AUC of every recipe on a few clips of two years, where those are given."""
    if not options.years:
        return None
    folder = options.output / "years"
    runs = field_years.Years(options.years, folder, options.cache, options.aisfx)
    return kept(options.output, "years", runs.numbers)


def omegas_of(path: Path, cache: Path) -> Omegas:
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
        queries = sorted((c for c in mine if c.split == "test"), key=lambda clip: place[clip.path])
        numbers = (np.array([place[c.path] for c in part]) for part in (healthy, queries))
        yield Trial(repeat, *numbers, np.array([c.domain for c in healthy]), queries)


def scored(trial: Trial, vectors: Vectors) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a trial in one view."""
    known, queries = vectors.select(trial.healthy), vectors.select(trial.queries)
    for system, changes in SYSTEMS.items():
        settings = DetectSettings(**changes)
        if not estimates(settings):
            joint = build_joint_scorer(settings, known, [known.clips])
            scores = joint.measure(queries, len(trial.query_clips))[0]
        else:
            scores = build_scorer(settings, trial.domains).fit(known.values).score(queries.values)
        yield from rows_of(system, trial, scores)


def scored_together(
    recipe: Recipe, trial: Trial, vectors: dict[str, Vectors]
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of a trial by detectors that compare all the default's views."""
    views = {name: vectors[name].select(trial.healthy) for name in recipe.detect.views}
    queries = {name: vectors[name].select(trial.queries) for name in recipe.detect.views}
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
        yield from rows_of(system, trial, judged(detector, queries).score)


def rows_of(system: str, trial: Trial, scores: Floats) -> Iterator[tuple[Any, ...]]:
    for c, score in zip(trial.query_clips, scores.tolist(), strict=True):
        clip = (str(c.path), c.machine, c.section, c.domain, c.split, c.label)
        yield (system, trial.repeat, 0, *clip, score)


def page(
    estimates: Mapping[str, Mapping[str, Estimate]],
    omegas: Mapping[str, Omegas],
    years: field_years.Numbers | None,
) -> str:
    """Return the page: what is shown, the tables of recipes, the tables of scorers."""
    parts = [INTRODUCTION, recipe_table(estimates), RECIPES_ARE]
    parts += [field_years.table(years)] if years else []
    parts += scorer_tables(omegas)
    return "\n\n".join(parts) + "\n"


def recipe_table(estimates: Mapping[str, Mapping[str, Estimate]]) -> str:
    """Return Ω of every recipe on every set, with the mean over those with splits.

    Below it are named the recipes, and the sets, of which nothing was run.
    """
    measured = {name: each for name, each in estimates.items() if each}
    recipes = [name for name in field_recipes.RECIPES if any(name in e for e in measured.values())]
    real = [each for name, each in measured.items() if name != "simulated"]
    rows = []
    for name in recipes:
        cells = [field_recipes.cell(each, name) for each in measured.values()]
        rows.append([f"`{name}`", *cells, field_recipes.mean(real, name)])
    table = markdown_table(["Ω", *measured, f"mean of {len(real)} sets"], rows)
    missing = [f"`{name}`" for name in field_recipes.RECIPES if name not in recipes]
    missing += [name for name in estimates if name not in measured]
    return f"{table}\n\nNot run so far: {', '.join(missing)}." if missing else table


def scorer_tables(omegas: Mapping[str, Omegas]) -> Iterator[str]:
    """Yield Ω by scorer and view: means over the sets, then each set."""
    if not omegas:
        return
    views = list(next(iter(omegas.values())))

    def mean(view: str, system: str) -> float:
        return float(np.mean([of[view][system] for of in omegas.values()]))

    yield SCORERS_ARE
    if len(omegas) > 1:
        yield table(f"Ω, mean of {', '.join(omegas)}", views, mean)
    for name, of in omegas.items():
        yield table(f"Ω, {name}", views, lambda view, system, of=of: of[view][system])


def table(title: str, columns: Sequence[str], value: Any) -> str:
    rows = [[system, *(f"{value(name, system):.1f}" for name in columns)] for system in SYSTEMS]
    return markdown_table([title, *columns], rows)


if __name__ == "__main__":
    main()
