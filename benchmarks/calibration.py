"""How much do the false-alarm rates of fits differ, and what does training on the clips cost?

    python benchmarks/calibration.py [--fits 400]
    python benchmarks/calibration.py TABLE|FOLDER … [--known 29] [--recipe demo] [--repeats 4]

Prints numbers of docs/decisions/0019-exact-verdicts.md. Without recordings: simulated fits of a
nearest-neighbour detector, their false-alarm rates on new healthy clips, and how much these differ
between fits beside what `rate_interval` says of one.

With recordings: raw views and DG-Mix on random splits of the healthy clips. A random split makes
calibrating and other clips exchangeable, so that what is off comes from a network that was trained
on the calibrating clips: compare with the same rows of the untrained network.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from pathlib import Path

import numpy as np
from described import detector_of_vectors, judged, of_vectors
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.audio.cache import FeatureStore
from dgmix.audio.mel_scale import REFERENCE_RATE
from dgmix.config import Recipe, load_recipe
from dgmix.data import load_manifest
from dgmix.detect.conformal import ROUNDING, rate_interval, smallest_rate
from dgmix.detect.resolve import recipe_at
from dgmix.detect.views import LEARNED, RAW_VIEWS, represent
from dgmix.evaluate.tables import markdown_table
from dgmix.model.crops import TrainingCrops
from dgmix.model.network import Network
from dgmix.model.train import Run, train, untrained

RATES = (0.01, 0.05, 0.1)
RESOLUTION = 0.001  # of a realised rate: one in a thousand new clips
Floats = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fits", type=int, default=400)
    parser.add_argument("data", type=Path, nargs="*", help="tables or folders of recordings")
    parser.add_argument("--known", type=int, default=29, help="recordings that a fit is given")
    parser.add_argument("--recipe", default="demo", help="one with the view dgmix")
    parser.add_argument("--repeats", type=int, default=4, help="random splits")
    options = parser.parse_args()
    for path in options.data:
        with tempfile.TemporaryDirectory() as cache:
            random_splits(path, options, Path(cache))
    if not options.data:
        rates_of_fits(options.fits)


def p_values(
    known: NDArray[np.floating], queries: NDArray[np.floating], neighbors: int = 1
) -> Floats:
    """Return the p-values of clips (clip, dim) that a detector of others in one view gives."""
    view = next(iter(RAW_VIEWS))
    settings = Recipe().detect.model_copy(update={"views": [view], "neighbors": neighbors})
    detector = detector_of_vectors(Recipe(detect=settings), {view: known})
    return judged(detector, of_vectors({view: queries})).p_known


# Simulated fits


def rates_of_fits(fits: int, queries: int = round(1 / RESOLUTION)) -> None:
    """Print the false-alarm rates of simulated fits, and how much they differ between fits."""
    header = ["n", "dim", "k", "α", "supported", "realised, mean", "95 % of fits", "interval"]
    rows = []
    for n, dim, k in [(n, d, k) for n in (19, 39, 99) for d in (2, 16) for k in (1, 5)]:
        rng = np.random.default_rng([n, dim, k])
        p = np.empty((fits, queries))
        for fit in range(fits):
            clips = rng.standard_normal((n + queries, dim)) * np.linspace(1, 3, dim)
            p[fit] = p_values(clips[:n], clips[n:], k)
        for rate in RATES:
            if rate >= smallest_rate(n):
                realised = (p <= rate + ROUNDING).mean(1)
                rows.append([str(n), str(dim), str(k), *spread(realised, n, rate)])
    print(markdown_table([*header, "inside"], rows))


def spread(realised: Floats, n: int, rate: float) -> list[str]:
    """Return the end of a row: the rates that fits realised, and the interval of one fit."""
    low, high = rate_interval(n, rate)
    supported = np.floor(rate * (n + 1) + ROUNDING) / (n + 1)
    error = realised.std(ddof=1) / np.sqrt(len(realised))
    first, last = np.quantile(realised, [0.025, 0.975])
    inside = np.mean((realised >= low - RESOLUTION) & (realised <= high + RESOLUTION))
    return [
        f"{rate:.0%}",
        f"{supported:.1%}",
        f"{realised.mean():.1%} ± {error:.1%}",
        f"{first:.1%} to {last:.1%}",
        f"{low:.1%} to {high:.1%}",
        f"{inside:.0%}",
    ]


# Real recordings


def random_splits(path: Path, options: argparse.Namespace, cache: Path) -> None:
    """Print the false alarms of each view of the healthy clips of a machine, split at random."""
    clips, n = load_manifest(path), options.known
    recipe = recipe_at(load_recipe(options.recipe), REFERENCE_RATE)
    healthy = list(clips.select(repeat=clips.repeats[0], label="normal"))
    store = FeatureStore(cache, recipe.audio, recipe.features)
    store.add([clip.path for clip in healthy])
    settings = recipe.detect.model_copy(update={"views": list(RAW_VIEWS)})
    raw = recipe.model_copy(update={"detect": settings})
    scores: dict[str, list[Floats]] = defaultdict(list)
    for repeat in range(options.repeats):
        order = np.random.default_rng(repeat).permutation(len(healthy))
        known, queries = (
            store.open([healthy[i].path for i in part]) for part in (order[:n], order[n:])
        )
        described = [represent(raw, None, bank) for bank in (known, queries)]
        for name in RAW_VIEWS:
            scores[name].append(p_values(*(views[name].values for views in described)))
        for name, network in networks(recipe, known, repeat, cache).items():
            views = [represent(recipe, network, bank)[LEARNED].values for bank in (known, queries)]
            scores[name].append(p_values(*views))
    title = f"{healthy[0].machine}, {n} healthy clips, {len(healthy) - n} others"
    rows = [
        [name, f"{np.mean(p):.3f}", *(alarms(np.concatenate(p), rate, n) for rate in RATES)]
        for name, p in scores.items()
    ]
    print(f"\n{title}, {options.repeats} random splits, recipe {options.recipe}; in brackets what")
    print("the counts support\n")
    print(markdown_table(["view", "mean p", *(f"{rate:.0%}" for rate in RATES)], rows))


def networks(recipe: Recipe, known: MelBank, seed: int, cache: Path) -> dict[str, Network]:
    """Return the network before and after training on a bank."""
    crops = TrainingCrops.of(known, ["00"] * len(known))
    run = Run(Path(tempfile.mkdtemp(dir=cache)), label=f"split {seed}")
    return {
        "untrained": untrained(recipe, crops, seed).eval(),
        "DG-Mix": train(recipe, crops, seed, run),
    }


def alarms(p: Floats, rate: float, n: int) -> str:
    """Return the false-alarm rate of clips, and what n recordings support."""
    if rate < smallest_rate(n):
        return "–"
    supported = np.floor(rate * (n + 1) + ROUNDING) / (n + 1)
    return f"{(p <= rate + ROUNDING).mean():.1%} ({supported:.1%})"


if __name__ == "__main__":
    main()
