"""Which scorer detects how well, and keeps which false-alarm rate? The tables of docs/scorers.md.

    python benchmarks/scorers.py TABLE … [--cache DIR] [--fits 40]

Prints, as Markdown, Ω (official, %) of every scorer on raw views of each table of repeated splits,
mean ± standard error over the splits; then, without recordings, the false alarms of simulated fits
at 10 %. Nothing is trained: the features come from the cache, which is filled where they are not
there. Scorers are judged here, not chosen: all have the settings that they are shipped with.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from described import detector_of_vectors, judged, of_vectors
from numpy.typing import NDArray

from dgmix.audio.cache import FeatureStore, default_folder
from dgmix.config import DetectSettings, Recipe
from dgmix.data import load_manifest
from dgmix.data.clip import Manifest
from dgmix.detect.baselines import nearest_scores
from dgmix.detect.conformal import ROUNDING
from dgmix.detect.scorers import SCORERS, estimating
from dgmix.detect.views import RAW_VIEWS
from dgmix.evaluate.formats import markdown_table, shown
from dgmix.evaluate.intervals import resample
from dgmix.evaluate.scores import SCHEMA

ESTIMATING = [name for name, given in SCORERS.items() if estimating(given)]
SYSTEMS: dict[str, dict[str, Any]] = {
    **{name: {"scorer": name} for name in ESTIMATING},
    **{f"{name}, per domain": {"scorer": name, "per_domain": True} for name in ESTIMATING},
    **{
        f"{name}, {balance}, per domain": {"scorer": name, "balance": balance, "per_domain": True}
        for name in ("knn", "mahalanobis")
        for balance in ("kmeans", "smote", "memmixup")
    },
    "knn, kmeans": {"balance": "kmeans"},
}
RATE = 0.1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tables", type=Path, nargs="*", help="CSV files of repeated splits")
    parser.add_argument("--cache", type=Path, default=default_folder())
    parser.add_argument("--fits", type=int, default=40, help="simulated; 0 leaves them out")
    options = parser.parse_args()
    if options.tables:
        print(detection(options.tables, options.cache), end="\n\n")
    if options.fits:
        print(false_alarms(options.fits))


def detection(tables: list[Path], cache: Path) -> str:
    """Return Ω of every scorer: a column for each table and view."""
    columns, judged = [], []
    for path in tables:
        for view, scores in scores_of(load_manifest(path), cache).items():
            columns.append(f"{path.stem}, {view}")
            judged.append(resample(scores, "official"))
    rows = [[name, *(shown(each.estimate(name)) for each in judged)] for name in SYSTEMS]
    return markdown_table(["Ω, official", *columns], rows)


def scores_of(clips: Manifest, cache: Path) -> dict[str, pl.DataFrame]:
    """Return the test scores of all systems by each raw view, as `SCHEMA` has them."""
    recipe = Recipe()
    store = FeatureStore(cache, recipe.audio, recipe.features)
    store.add(list(dict.fromkeys(clip.path for clip in clips)))
    rows: dict[str, list[tuple[Any, ...]]] = {view: [] for view in RAW_VIEWS}
    for repeat in clips.repeats:
        for machine in clips.values("machine"):
            chosen = clips.select(repeat=repeat, machine=machine)
            for view in RAW_VIEWS:
                rows[view] += rows_of(store, chosen, view, repeat)
    return {view: pl.DataFrame(r, schema=SCHEMA, orient="row") for view, r in rows.items()}


def rows_of(
    store: FeatureStore, clips: Manifest, view: str, repeat: int
) -> Iterator[tuple[Any, ...]]:
    """Yield the rows of one split of one machine by one view."""
    known, queries = clips.select(split="train", label="normal"), clips.select(split="test")
    training, test = RAW_VIEWS[view](
        *(store.open([c.path for c in part]) for part in (known, queries))
    )
    sections, domains = ([getattr(c, name) for c in known] for name in ("section", "domain"))
    for system, settings in SYSTEMS.items():
        scores = nearest_scores(
            training,
            sections,
            test,
            [c.section for c in queries],
            DetectSettings(**settings),
            domains,
        )
        for c, score in zip(queries, scores.tolist(), strict=True):
            clip = (str(c.path), c.machine, c.section, c.domain, c.split, c.label)
            yield (system, repeat, 0, *clip, score)


def false_alarms(fits: int, queries: int = 200) -> str:
    """Return how many new healthy clips have a p-value of at most 10 %, by scorer and setting."""
    sizes = [(19, 4), (19, 64), (99, 16)]
    rows = []
    for name in (*ESTIMATING, "knn, memmixup, per domain"):
        settings = DetectSettings(**SYSTEMS[name])
        cells = (realised(settings, n, dim, fits, queries) for n, dim in sizes)
        rows.append([name, *(f"{rates.mean():.1%} ± {error(rates):.1%}" for rates in cells)])
    return markdown_table(["false alarms at 10 %", *(f"n {n}, dim {d}" for n, d in sizes)], rows)


def realised(
    settings: DetectSettings, n: int, dim: int, fits: int, queries: int
) -> NDArray[np.float64]:
    """Return the false-alarm rate (fit,) of simulated fits; each clip is of one of two domains."""
    rng = np.random.default_rng([n, dim])
    view = next(iter(RAW_VIEWS))
    recipe = Recipe(detect=settings.model_copy(update={"views": [view]}))
    rates = []
    for _ in range(fits):
        domains = np.where(rng.uniform(size=n + queries) < 0.5, "source", "target")
        clips = rng.standard_normal((n + queries, dim)) * np.linspace(1, 3, dim)
        clips[domains == "target"] *= 3
        known, query_views = ({view: part} for part in np.split(clips, [n]))
        detector = detector_of_vectors(recipe, known, domains=domains[:n].tolist())
        p = judged(detector, of_vectors(query_views)).p_known
        rates.append(np.mean(p <= RATE + ROUNDING))
    return np.array(rates)


def error(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1) / np.sqrt(len(values)))


if __name__ == "__main__":
    main()
