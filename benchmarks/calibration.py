"""Do verdicts keep the false-alarm rate that was asked for?

    python benchmarks/calibration.py [--fits 400]
    python benchmarks/calibration.py TABLE|FOLDER … [--known 29] [--recipe demo] [--repeats 4]

Prints the numbers of docs/decisions/0005-verdicts.md. Without recordings: simulated fits of a
nearest-neighbour detector, their false-alarm rates on new healthy clips and how much these differ
between fits, few clips of a second domain, recordings cut in pieces.

With recordings: raw views on the splits of the table, where it has any; then DG-Mix on random
splits of the healthy clips. A random split makes calibration and held-out clips exchangeable, so
what is off comes from the training: compare with the same rows of the untrained network.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.audio.cache import FeatureStore
from dgmix.config import DetectSettings, Recipe, load_recipe
from dgmix.data import load_manifest
from dgmix.data.clip import Clip, Manifest
from dgmix.detect.scorers.knn import KNearest
from dgmix.detect.threshold import Calibration, conformal_p_values, rate_interval, smallest_rate
from dgmix.detect.views import RAW_VIEWS, represent
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
    parser.add_argument("--recipe", default="demo")
    parser.add_argument("--repeats", type=int, default=4, help="random splits")
    parser.add_argument("--split", action="store_true", help="also keep every fifth from training")
    options = parser.parse_args()
    for path in options.data:
        with tempfile.TemporaryDirectory() as cache:
            real_machine(path, options, Path(cache))
    if not options.data:
        rates_of_fits(options.fits)
        two_domains(options.fits)
        pieces(options.fits)
        standardised(options.fits)


def known_and_asked(
    known: NDArray[np.floating],
    asked: NDArray[np.floating],
    groups: NDArray[np.int64],
    neighbors: int = 1,
) -> tuple[Floats, Floats]:
    """Return the leave-one-out scores of known clips and the scores of others."""
    scorer = KNearest(DetectSettings(neighbors=neighbors)).fit(known)
    return scorer.score_references(groups), scorer.score(asked)


def rates_of_fits(fits: int, asked: int = round(1 / RESOLUTION)) -> None:
    """Print the false-alarm rates of simulated fits, and how much they differ between fits."""
    print("| n | dim | k | rate | supported | realised, mean | 95 % of fits | told | inside |")
    print("|--:|--:|--:|--:|--:|--:|--:|--:|--:|")
    for n, dim, k in [(n, d, k) for n in (19, 39, 99, 199) for d in (2, 16) for k in (1, 5)]:
        rng = np.random.default_rng([n, dim, k])
        p = np.empty((fits, asked))
        for fit in range(fits):
            clips = rng.standard_normal((n + asked, dim)) * np.linspace(1, 3, dim)
            loo, scores = known_and_asked(clips[:n], clips[n:], np.arange(n), k)
            p[fit] = conformal_p_values(scores, loo)
        for rate in RATES:
            if rate >= smallest_rate(n):
                print(f"| {n} | {dim} | {k} " + spread((p <= rate).mean(1), n, rate), flush=True)


def spread(realised: Floats, n: int, rate: float) -> str:
    """Return the end of a row: the rates that fits realised, and the interval told for them."""
    low, high = rate_interval(n, rate)
    supported = np.floor(rate * (n + 1) + 1e-9) / (n + 1)
    error = realised.std(ddof=1) / np.sqrt(len(realised))
    first, last = np.quantile(realised, [0.025, 0.975])
    inside = np.mean((realised >= low - RESOLUTION) & (realised <= high + RESOLUTION))
    return (
        f"| {rate:.0%} | {supported:.1%} | {realised.mean():.1%} ± {error:.1%} "
        f"| {first:.1%} to {last:.1%} | {low:.1%} to {high:.1%} | {inside:.0%} |"
    )


def two_domains(fits: int, source: int = 190, target: int = 10, asked: int = 200) -> None:
    """Print false alarms and detections where few recordings are of a second domain."""
    rng = np.random.default_rng(1)
    found = defaultdict(list)
    for _ in range(fits):
        centre = np.r_[3.0, np.zeros(7)]
        healthy = rng.standard_normal((2, asked, 8)) + np.stack([0 * centre, centre])[:, None]
        clips = {
            "source": healthy[0],
            "target": healthy[1],
            "source anomaly": healthy[0] + np.r_[np.zeros(7), 3.0],
            "target anomaly": healthy[1] + np.r_[np.zeros(7), 3.0],
        }
        known = rng.standard_normal((source + target, 8))
        known[source:] += centre
        loo, scores = known_and_asked(
            known, np.concatenate(list(clips.values())), np.arange(len(known))
        )
        calibration = Calibration(
            loo, np.arange(len(known)), ("source",) * source + ("target",) * target
        )
        domains = [name.split()[0] for name in clips for _ in range(asked)]
        for rule, p in p_values_by_rule(calibration, scores, domains).items():
            for name, part in zip(clips, p.reshape(4, asked), strict=True):
                found[rule, name].append((part <= 0.1).mean())
    print(f"\n{source} source and {target} target recordings, rate 10 %")
    print("| p-value | false alarms source | target | detected source | target |")
    print("|---|--:|--:|--:|--:|")
    for rule in ("known", "worst", "pooled"):
        print(f"| {rule} | " + " | ".join(f"{np.mean(found[rule, c]):.1%}" for c in clips) + " |")


def p_values_by_rule(
    calibration: Calibration, scores: Floats, domains: list[str]
) -> dict[str, Floats]:
    """Return p-values for domains that are known, unknown, or not told apart."""
    return {
        "known": calibration.p_values(scores, domains),
        "worst": calibration.p_values(scores),
        "pooled": calibration.pooled().p_values(scores),
    }


def pieces(fits: int, recordings: int = 19, each: int = 20) -> None:
    """Print false alarms where recordings that differ from each other are cut in pieces."""
    rng = np.random.default_rng(2)
    groups = np.repeat(np.arange(recordings), each)
    found = defaultdict(list)
    for _ in range(fits):
        own = rng.standard_normal((recordings + 50, 1, 8))
        sound = own + 0.5 * rng.standard_normal((recordings + 50, each, 8))
        known = sound[:recordings].reshape(-1, 8)
        asked = sound[recordings:, 0]
        loo, scores = known_and_asked(known, asked, groups)
        alone, _ = known_and_asked(known, asked, np.arange(len(known)))
        found["recordings left out, each counts as one"].append(
            conformal_p_values(scores, loo, groups)
        )
        found["recordings left out, pieces count"].append(conformal_p_values(scores, loo))
        found["pieces left out, pieces count"].append(conformal_p_values(scores, alone))
    print(f"\n{recordings} recordings in {each} pieces each")
    print("| calibration | " + " | ".join(f"{rate:.0%}" for rate in RATES) + " |")
    print("|---|--:|--:|--:|")
    for name, p in found.items():
        print(f"| {name} | " + " | ".join(f"{np.mean(np.array(p) <= r):.1%}" for r in RATES) + " |")


def standardised(fits: int, rate: float = 0.1, asked: int = 50) -> None:
    """Print false alarms where each feature is divided by its spread over the healthy clips."""
    print("\nfeatures standardised over the healthy clips, rate 10 %")
    print("| n | dim | not at all | over all n | each clip left out of its own |")
    print("|--:|--:|--:|--:|--:|")
    for n, dim in [(9, 16), (9, 128), (29, 16), (29, 128), (99, 128)]:
        rng = np.random.default_rng([n, dim])
        mixing = rng.standard_normal((dim, dim)) / np.sqrt(dim)
        found = []
        for _ in range(fits if n < 99 else fits // 4):
            clips = rng.standard_t(5, (n + asked, dim)) @ mixing
            loo, scores = known_and_asked(clips[:n], clips[n:], np.arange(n))
            scaled = clips / clips[:n].std(0)
            scaled_loo, scaled_scores = known_and_asked(scaled[:n], scaled[n:], np.arange(n))
            pairs = [(scores, loo), (scaled_scores, scaled_loo), (scaled_scores, apart(clips[:n]))]
            found.append([(conformal_p_values(*pair) <= rate).mean() for pair in pairs])
        cells = [f"{value:.1%}" for value in np.mean(found, axis=0)]
        print(f"| {n} | {dim} | " + " | ".join(cells) + " |", flush=True)


def apart(known: Floats) -> Floats:
    """Return each clip's distance to the nearest other, scaled by the spread of the others."""
    others = [np.delete(known, index, axis=0) for index in range(len(known))]
    return np.array(
        [
            np.linalg.norm((rest - clip) / rest.std(0), axis=1).min()
            for clip, rest in zip(known, others, strict=True)
        ]
    )


def real_machine(path: Path, options: argparse.Namespace, cache: Path) -> None:
    """Print the tables of the recordings of one machine."""
    clips = load_manifest(path)
    recipe = load_recipe(options.recipe)
    store = FeatureStore(cache, recipe.audio, recipe.features)
    store.add([clip.path for clip in clips])
    if clips.select(split="test", label="normal"):
        fixed_splits(store, clips, clips[0].machine)
    healthy = list(clips.select(repeat=clips.repeats[0], label="normal"))
    random_splits(store, healthy, recipe, options, cache)


def fixed_splits(store: FeatureStore, clips: Manifest, machine: str, rate: float = 0.1) -> None:
    """Print what raw views do on the fixed splits, whose training clips may be of other hours."""
    found = defaultdict(list)
    for repeat in clips.repeats:
        known = clips.select(repeat=repeat, split="train", label="normal")
        asked = clips.select(repeat=repeat, split="test")
        banks = [store.open([clip.path for clip in part]) for part in (known, asked)]
        for view, describe in RAW_VIEWS.items():
            loo, scores = known_and_asked(*describe(*banks), np.arange(len(known)))
            calibration = Calibration(loo, np.arange(len(known)), tuple(c.domain for c in known))
            domains = [clip.domain for clip in asked]
            for rule, p in p_values_by_rule(calibration, scores, domains).items():
                for clip, value in zip(asked, p, strict=True):
                    found[view, rule, clip.domain, clip.label].append(value <= rate)
    counts = Counter(clip.domain for clip in known)
    told = ", ".join(f"{count} {domain}" for domain, count in sorted(counts.items()))
    print(f"\n{machine}, fixed splits, rate {rate:.0%}; training clips: {told}")
    print("| view | p-value | domain | false alarms | detected |")
    print("|---|---|---|--:|--:|")
    for view, rule, domain, label in found:
        if label == "normal":
            anomalies = found.get((view, rule, domain, "anomaly"))
            detected = f"{np.mean(anomalies):.0%}" if anomalies else "–"
            alarms = f"{np.mean(found[view, rule, domain, label]):.1%}"
            print(f"| {view} | {rule} | {domain} | {alarms} | {detected} |")


def random_splits(
    store: FeatureStore, clips: list[Clip], recipe: Recipe, options: argparse.Namespace, cache: Path
) -> None:
    """Print the false alarms of each view of healthy clips, split at random."""
    n = options.known
    found: dict[str, list[Floats]] = defaultdict(list)
    for repeat in range(options.repeats):
        order = np.random.default_rng(repeat).permutation(len(clips))
        known, asked = (
            store.open([clips[i].path for i in part]) for part in (order[:n], order[n:])
        )
        for name, view in RAW_VIEWS.items():
            loo, scores = known_and_asked(*view(known, asked), np.arange(n))
            found[f"{name} | {n}"].append(conformal_p_values(scores, loo))
        for apart in [np.zeros(n, bool)] + options.split * [np.arange(n) % 5 == 4]:
            taught = store.open([clips[i].path for i in order[:n][~apart]])
            kept = f", {apart.sum()} kept from training" if apart.any() else ""
            for name, network in networks(recipe, taught, repeat, cache).items():
                first, second = (
                    represent(recipe, network, bank)["dgmix"].values for bank in (known, asked)
                )
                loo, scores = known_and_asked(first, second, np.arange(n))
                loo = loo[apart] if apart.any() else loo
                found[f"{name}{kept} | {len(loo)}"].append(conformal_p_values(scores, loo))
    print(
        f"\n{clips[0].machine}, recipe {options.recipe}, {options.repeats} random splits: ", end=""
    )
    print(f"{n} training clips, {len(clips) - n} held out; in brackets what the counts support")
    print("| view | calibrate | mean p | 1% | 5% | 10% |")
    print("|---|--:|--:|--:|--:|--:|")
    for name, p in found.items():
        count = int(name.rpartition("|")[2])
        cells = [alarms(np.concatenate(p), rate, count) for rate in RATES]
        print(f"| {name} | {np.mean(p):.3f} | " + " | ".join(cells) + " |")


def networks(recipe: Recipe, taught: MelBank, seed: int, cache: Path) -> dict[str, Network]:
    """Return the network before and after training on a bank."""
    crops = TrainingCrops.of(taught, ["00"] * len(taught))
    run = Run(Path(tempfile.mkdtemp(dir=cache)), label=f"split {seed}")
    return {
        "untrained": untrained(recipe, crops, seed).eval(),
        "DG-Mix": train(recipe, crops, seed, run),
    }


def alarms(p: Floats, rate: float, n: int) -> str:
    """Return the false-alarm rate of held-out clips, and what n recordings support."""
    if rate < smallest_rate(n):
        return "–"
    return f"{(p <= rate).mean():.1%} ({np.floor(rate * (n + 1) + 1e-9) / (n + 1):.1%})"


if __name__ == "__main__":
    main()
