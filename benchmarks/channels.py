"""What becomes of several channels? The table of docs/decisions/0027-channels.md.

    python benchmarks/channels.py [--rooms 4 2]

Simulated arrays of 4 and of 8 microphones around a machine: hum with harmonics through a room of
its own to each microphone, and noise of its own there. A detector of the default recipe learns from
20 healthy recordings of 4 s; 20 others and 20 faulty ones, knocks and whines in turn, are scored.
The fault is near one microphone and 16 dB weaker at the others, or alike at all. Printed are the
AUC in % and, in brackets, how many of the faults are found at a false-alarm rate of 5 %, in %.
"""

from __future__ import annotations

import argparse
from collections import Counter
from dataclasses import replace

import numpy as np
from described import describe, judged
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from dgmix.audio.bank import MelBank, bank_of_signals
from dgmix.audio.io import to_signal
from dgmix.config import Recipe, load_recipe
from dgmix.detect.calibration import Calibration, Scores
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.resolve import recipe_at
from dgmix.detect.views import Vectors, represent, signal_of
from dgmix.evaluate.formats import markdown_table

RATE, SECONDS, RECORDINGS, ALARMS = 16_000, 4.0, 20, 0.05
ARRAYS = (4, 8)
NEAR, ALIKE = "near one", "at all"
GAINS = {NEAR: (2.0, 2.0 * 10 ** (-16 / 20)), ALIKE: (1.0, 1.0)}  # near one, at the others
HUM, NOISE, KNOCK, WHINE = 0.05, 0.03, 0.05, 0.007
VIEWS = "each a view, the largest decides"
SYSTEMS = {  # of channels numbered from 1, and their mean as one more behind them
    "mean of the channels": lambda count: {count + 1},
    "first channel": lambda _: {1},
    VIEWS: lambda count: set(range(1, count + 1)),
    "**each a part of every view**": lambda count: set(range(1, count + 1)),
    "the same, and the mean as one more": lambda count: set(range(1, count + 2)),
}
Samples = NDArray[np.float64]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rooms", type=int, nargs=2, default=(4, 2), help="of 4, of 8 microphones")
    options = parser.parse_args()
    columns: dict[str, dict[str, str]] = {}
    for where in (NEAR, ALIKE):
        for count, rooms in zip(ARRAYS, options.rooms, strict=True):
            measured = [room(count, where, seed) for seed in range(rooms)]
            columns[f"{where}, {count}"] = {
                name: _cell([each[name] for each in measured]) for name in SYSTEMS
            }
    rows = [[name, *(column[name] for column in columns.values())] for name in SYSTEMS]
    print(markdown_table(["", *columns], rows))


def _cell(measured: list[tuple[float, float]]) -> str:
    auc, hits = (100 * float(np.mean(values)) for values in zip(*measured, strict=True))
    return f"{auc:.0f} ({hits:.0f})"


def room(count: int, where: str, seed: int) -> dict[str, tuple[float, float]]:
    """Return the AUC and the part of the faults that are found, of each system, in one room."""
    rng = np.random.default_rng([seed, count])
    paths = rng.standard_normal((count, 200)) * np.exp(-np.arange(200) / 40)
    paths[:, 0] = 4.0
    clips = {
        kind: [recording(rng, paths, fault, number) for number in range(RECORDINGS)]
        for kind, fault in (("learned", ""), ("healthy", ""), ("faulty", where))
    }
    recipe = _recipe(count + 1)
    described = describe(recipe, _bank(clips["learned"], recipe))
    queries = represent(recipe, None, _bank(clips["healthy"] + clips["faulty"], recipe))
    faulty = np.repeat([False, True], RECORDINGS)
    measured = {}
    for name, channels in SYSTEMS.items():
        scores = scores_of(described, queries, channels(count), parts=name != VIEWS)
        flagged = scores.p_known[faulty] <= ALARMS + 1e-9
        measured[name] = float(roc_auc_score(faulty, scores.score)), float(flagged.mean())
    return measured


def recording(rng: np.random.Generator, paths: Samples, fault: str, number: int) -> Samples:
    """Return what an array records (sample, channel), the mean of all channels behind them."""
    time = np.arange(round(RATE * SECONDS)) / RATE
    orders = np.arange(1, 9)
    levels = HUM / orders * 10 ** (rng.normal(0, 1, 8) / 20)
    pitch = 48 * (1 + 0.004 * rng.standard_normal())
    phases = rng.uniform(0, 2 * np.pi, 8)
    hum = levels @ np.sin(2 * np.pi * np.outer(orders * pitch, time) + phases[:, None])
    hum += NOISE * rng.standard_normal(len(time))
    sounds = np.stack([np.convolve(hum, path)[: len(time)] for path in paths], 1) / 4
    sounds += NOISE * rng.standard_normal(sounds.shape)
    if fault:
        near, others = GAINS[fault]
        gains = np.full(len(paths), others)
        gains[number % len(paths)] = near
        sounds += faulty_sound(time, rng, number)[:, None] * gains
    return np.column_stack([sounds, sounds.mean(1)])


def faulty_sound(time: Samples, rng: np.random.Generator, number: int) -> Samples:
    """Return a whine, or knocks 23 times a second."""
    if number % 2:
        return np.asarray(WHINE * np.sin(2 * np.pi * 2217 * time + rng.uniform(0, 6)))
    since = (time + rng.uniform(0, 1)) % (1 / 23)
    return np.asarray(KNOCK * np.exp(-since / 0.003) * np.sin(2 * np.pi * 3100 * since))


def _recipe(signals: int) -> Recipe:
    numbers = ",".join(map(str, range(1, signals + 1)))
    return recipe_at(load_recipe("default", [f"audio.channels=[{numbers}]"]), RATE)


def _bank(clips: list[Samples], recipe: Recipe) -> MelBank:
    signals = (to_signal(samples, RATE, recipe.audio) for samples in clips)
    return bank_of_signals(signals, recipe.audio, recipe.features)


def scores_of(
    described: FittedDetector, queries: dict[str, Vectors], channels: set[int], parts: bool
) -> Scores:
    """Return the scores of clips by some of their channels, as parts of views or as views."""
    wanted = set(map(str, channels))
    views = {n: v for n, v in described.memory.views.items() if signal_of(n) in wanted}
    detector = replace(described, memory=replace(described.memory, views=views))
    chosen = {name: queries[name] for name in views}
    if parts or len(channels) == 1:
        return judged(detector, chosen)
    comparison, clips = detector.comparison(), detector.memory.clips
    comparison.parts = tuple(Counter(comparison.rows).values())
    calibration = Calibration(comparison, clips.recordings, clips.conditions)
    count = len(next(iter(chosen.values())).values)
    return calibration.judge(comparison.measure(chosen, count), [None] * count)


if __name__ == "__main__":
    main()
