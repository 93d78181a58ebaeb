"""Does the default detector keep the false-alarm rate on healthy clips of a known condition?

    python benchmarks/false_alarms.py SET [--known 19 99] [--fits 5] [--cache DIR]

SET is a simulated set (`dgmix simulate -d SET --clips 200`). Of each section of each machine the
healthy source clips are split at random, `--fits` times: a detector of the raw views of the default
recipe is made of some, and asked about the others. Prints, as Markdown, how many of those it flags
at 1, 5 and 10 %, with the standard error over sections, the binomial 95 % interval of as many
independent clips, and how much single fits differ beside what `rate_interval` tells of one fit.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.audio.cache import FeatureStore, default_folder
from dgmix.config import Recipe, load_recipe
from dgmix.data import load_manifest
from dgmix.detect.memory import Comparison, Memory
from dgmix.detect.threshold import Calibration, rate_interval, smallest_rate
from dgmix.detect.views import Vectors, represent
from dgmix.model.network import build_network

RATES = (0.01, 0.05, 0.1)
Floats = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="a simulated set")
    parser.add_argument("--known", type=int, nargs="+", default=[19, 99], help="clips of a fit")
    parser.add_argument("--fits", type=int, default=5, help="of each section")
    parser.add_argument("--cache", type=Path, default=None)
    options = parser.parse_args()
    recipe = load_recipe("default")
    described = dict(sections(recipe, options.data, options.cache or default_folder()))
    print("| n | α | flagged | binomial 95 % | 95 % of fits | told of one fit |")
    print("|--:|--:|--:|--:|--:|--:|")
    for known in options.known:
        values = {
            name: [p_values(recipe, views, known, seed) for seed in range(options.fits)]
            for name, views in described.items()
        }
        for rate in RATES:
            if rate >= smallest_rate(known):
                print(row(values, known, rate), flush=True)


def sections(
    recipe: Recipe, data: Path, cache: Path
) -> Iterator[tuple[tuple[str, str], dict[str, Vectors]]]:
    """Yield machine and section with the views of its healthy source clips."""
    healthy = load_manifest(data).select(split="train", label="normal", domain="source")
    store = FeatureStore(cache, recipe.audio, recipe.features)
    store.add([clip.path for clip in healthy])
    network = build_network(recipe, 0)
    for machine in healthy.values("machine"):
        for section in healthy.select(machine=machine).values("section"):
            clips = healthy.select(machine=machine, section=section)
            bank: MelBank = store.open([clip.path for clip in clips])
            yield (machine, section), represent(recipe, network, bank)


def p_values(recipe: Recipe, views: dict[str, Vectors], known: int, seed: int) -> Floats:
    """Return the p-values of the clips (clip,) that a detector of `known` others gives."""
    count = len(next(iter(views.values())).values)
    order = np.random.default_rng([known, seed]).permutation(count)
    first, rest = (
        {name: Vectors(view.values[of], np.arange(len(of))) for name, view in views.items()}
        for of in (order[:known], order[known:])
    )
    comparison = Comparison(recipe.detect, Memory(first, ("",) * known, ("source",) * known))
    calibration = Calibration(comparison.calibrate(), np.arange(known), ("source",) * known)
    return calibration.p_values(comparison.score(rest, [""] * (count - known)))


def row(values: dict[tuple[str, str], list[Floats]], known: int, rate: float) -> str:
    """Return a row of the table, in %."""
    realised = 100 * np.array([[np.mean(p <= rate) for p in fits] for fits in values.values()])
    clips = sum(len(p) for fits in values.values() for p in fits)
    error = realised.mean(1).std(ddof=1) / np.sqrt(len(realised))
    half = 196 * np.sqrt(rate * (1 - rate) / clips)
    first, last = np.quantile(realised, [0.025, 0.975])
    low, high = rate_interval(known, rate)
    return (
        f"| {known} | {rate:.0%} | {realised.mean():.2f} ± {error:.2f} "
        f"| {100 * rate - half:.2f} to {100 * rate + half:.2f} | {first:.1f} to {last:.1f} "
        f"| {100 * low:.1f} to {100 * high:.1f} |"
    )


if __name__ == "__main__":
    main()
