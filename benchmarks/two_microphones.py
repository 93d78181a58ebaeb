"""What is a far microphone good for? The table of benchmarks/results/two_microphones.md.

    python benchmarks/two_microphones.py -o runs/microphones [--clips 50] [--test-clips 12]
        [--machine fan …] [--page benchmarks/results/two_microphones.md]

Clips of `dgmix simulate --like dcase2026`: a near microphone (channel 1) and a far one that picks
up the machine weakly and the noise of the hall about as loud. Three kinds of surroundings:

- common noise: as simulated; both microphones are in one hall;
- no common noise: each far channel is that of another clip, so that it knows nothing of the near
  one;
- common noise and a neighbour: in every second test clip, healthy or not, another machine runs that
  no training clip has; it is as loud as the machine at the near microphone, and 6 dB louder at the
  far one.

Printed are Ω in % (official, harmonic mean over machines) of the default recipe on each choice of
channels, its lead over the near microphone's, both with intervals, and the part of healthy test
clips called anomalies at a false-alarm rate of 5 %; then the CPU seconds that the cancellation of
60 s takes. The scores of a machine are kept in the output folder.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from described import describe, judged
from kept import kept
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank, bank_of_signals
from dgmix.audio.io import to_signal
from dgmix.audio.reference import without_reference
from dgmix.config import Recipe, load_recipe
from dgmix.data.simulate.clips import PlannedClip, plan, samples_of
from dgmix.data.years import YEARS
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.resolve import recipe_at
from dgmix.detect.views import Vectors, represent, signal_of
from dgmix.evaluate.formats import markdown_table
from dgmix.evaluate.intervals import Estimate, Resampled, resample
from dgmix.evaluate.scores import SCHEMA
from dgmix.files import write_text

LIKE, RATE, SECONDS, ALARMS = "dcase2026", 16_000, 10, 0.05
DRAWS, TURNS = 500, 20
KINDS = ("common noise", "no common noise", "common noise and a neighbour")
COLUMNS = ["kind", "system", "machine", "path", "domain", "label", "score", "p"]
NEAR = "near"
NEIGHBOUR_NEAR, NEIGHBOUR_FAR = 1.0, 2.0
Clip = tuple[PlannedClip, NDArray[np.float32]]
SYSTEMS = {  # channels and reference that are described, and the one signal that is compared
    NEAR: ([1], 2, "1"),
    "far": ([1, 2], 0, "2"),
    "mean of both": ("mean", 0, ""),
    "near and far, each by itself": ([1, 2], 0, ""),
    "near without the far one's, alone": ([1], 2, "1-2"),
    "near, and without the far one's (--reference-channel 2)": ([1], 2, ""),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clips", type=int, default=50, help="training clips of a machine")
    parser.add_argument("--test-clips", type=int, default=12, help="of each domain and label")
    parser.add_argument("--machine", action="append", help="all of the development set by default")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of what is done")
    parser.add_argument("--page", type=Path, help="write the page to this file too")
    options = parser.parse_args()
    machines = options.machine or list(YEARS[2026].dev)
    tables = []
    for machine in machines:
        name = f"{machine}-{options.clips}-{options.test_clips}"
        measure = partial(rows_of, machine, options.clips, options.test_clips)
        tables += kept(options.output, name, measure)
    scores = pl.DataFrame(tables, schema=COLUMNS, orient="row")
    text = page(scores, len(machines), options.clips, 4 * options.test_clips)
    print(text)
    if options.page:
        write_text(options.page, text)


def rows_of(machine: str, training: int, test: int) -> list[list[Any]]:
    """Return the scores of a machine's test clips, rows of `COLUMNS`."""
    machines = list(YEARS[2026].dev)
    neighbour = machines[machines.index(machine) - 1]
    clips = simulated(machine, training, test)
    return [
        [kind, system, machine, *each]
        for kind, around in zip(KINDS, surroundings(clips, neighbour), strict=True)
        for system, each in scored(around)
    ]


def simulated(machine: str, training: int, test: int) -> list[Clip]:
    """Return the clips of a machine, each (sample, 2)."""
    clips = plan(machine, [0], (training - 10, 10), test, LIKE)
    return [(clip, samples_of(clip, 0, SECONDS * RATE)) for clip in clips]


def surroundings(clips: list[Clip], neighbour: str) -> list[list[Clip]]:
    """Return the clips in the three kinds of surroundings."""
    groups: dict[int, list[NDArray[np.float32]]] = {}
    for clip, samples in clips:
        groups.setdefault(clip.group, []).append(samples)
    apart = [
        (clip, np.stack([samples[:, 0], groups[clip.group][clip.index - 1][:, 1]], axis=1))
        for clip, samples in clips
    ]
    return [clips, apart, [with_neighbour(each, neighbour) for each in clips]]


def with_neighbour(clip: Clip, machine: str) -> Clip:
    """Return a clip beside which another machine runs, where it is a test clip of odd number."""
    planned, samples = clip
    if planned.form.groups[planned.group][0] == "train" or planned.index % 2 == 0:
        return clip
    other = samples_of(PlannedClip(machine, 0, 0, planned.index, LIKE), 1, len(samples))[:, 0]
    other *= samples[:, 0].std() / other.std()
    late = np.roll(other, 80)  # 1.7 m
    both = np.stack([NEIGHBOUR_NEAR * late, NEIGHBOUR_FAR * other], axis=1)
    return planned, samples + both


def recipe_of(channels: list[int] | str, reference: int) -> Recipe:
    changes = [f"audio.channels={channels}", f"audio.reference_channel={reference}"]
    return recipe_at(load_recipe("default", changes), RATE)


def scored(clips: list[Clip]) -> Iterator[tuple[str, list[Any]]]:
    """Yield each system with path, domain, label, score and p-value of each test clip.

    Systems that compare signals of one choice of channels share what is described of them.
    """
    train = [each for each in clips if each[0].group < 2]
    test = [each for each in clips if each[0].group >= 2]
    described: dict[str, tuple[FittedDetector, dict[str, Vectors]]] = {}
    for system, (channels, reference, only) in SYSTEMS.items():
        recipe = recipe_of(channels, reference)
        if f"{channels} {reference}" not in described:
            vectors = represent(recipe, None, bank_of(test, recipe))
            described[f"{channels} {reference}"] = describe(recipe, bank_of(train, recipe)), vectors
        detector, vectors = described[f"{channels} {reference}"]
        views = {n: v for n, v in detector.memory.views.items() if only in ("", signal_of(n))}
        detector = replace(detector, memory=replace(detector.memory, views=views))
        scores = judged(detector, {name: vectors[name] for name in views})
        for number, (planned, _) in enumerate(test):
            _, domain, label = planned.form.groups[planned.group]
            row = [f"{domain} {label} {planned.index}", domain, label]
            yield system, [*row, float(scores.score[number]), float(scores.p_known[number])]


def bank_of(clips: Sequence[Clip], recipe: Recipe) -> MelBank:
    signals = (to_signal(samples, RATE, recipe.audio) for _, samples in clips)
    return bank_of_signals(signals, recipe.audio, recipe.features)


def page(scores: pl.DataFrame, machines: int, training: int, test: int) -> str:
    """Return the page: Ω and its lead over the near microphone, each with its interval."""
    intervals = {kind: resample(of_kind(scores, kind), "official", DRAWS) for kind in KINDS}
    cells = {
        name: [_cells(intervals[kind], scores, kind, name) for kind in KINDS] for name in SYSTEMS
    }
    omegas = [[name, *(each[0] for each in row)] for name, row in cells.items()]
    leads = [[name, *(each[1] for each in row)] for name, row in cells.items() if name != NEAR]
    least, middle, most = cpu_seconds()
    return f"""# What is a far microphone good for?

Written by `benchmarks/two_microphones.py`: {machines} simulated machines in the form of DCASE 2026,
{training} training and {test} test clips of 10 s each, the `default` recipe. Ω in %, harmonic mean
over machines, with its 95 % interval over test clips; after the semicolon the part of healthy test
clips that a false-alarm rate of {100 * ALARMS:.0f} % calls anomalies, in %.

{markdown_table(["Ω; false alarms", *KINDS], omegas)}

Ω above that of the near microphone, paired by test clips:

{markdown_table(["lead in Ω", *KINDS], leads)}

*Common noise*: both microphones are in one hall. *No common noise*: each far channel is that of
another clip. *A neighbour*: in every second test clip, healthy or not, another machine runs that no
training clip has. A lead whose interval holds 0 ranks nothing.

Cancellation of 60 s takes {middle:.3f} s of CPU, the median of {TURNS} times ({least:.3f} to
{most:.3f}).
"""


def of_kind(scores: pl.DataFrame, kind: str) -> pl.DataFrame:
    """Return the scores in one kind of surroundings, as `resample` takes them."""
    same = {"repeat": pl.lit(0), "seed": pl.lit(0), "section": pl.lit("00")}
    rows = scores.filter(pl.col("kind") == kind).with_columns(**same, split=pl.lit("test"))
    return rows.select(pl.col(name).cast(dtype) for name, dtype in SCHEMA.items())


def _cells(intervals: Resampled, scores: pl.DataFrame, kind: str, name: str) -> tuple[str, str]:
    own = scores.filter(kind=kind, system=name, label="normal")
    alarms = 100 * float((own["p"] <= ALARMS + 1e-9).mean() or 0)
    return f"{_interval(intervals.estimate(name))}; {alarms:.1f}", _interval(
        intervals.difference(name, NEAR)
    )


def _interval(estimate: Estimate) -> str:
    value, low, high = (100 * each for each in estimate[:3])
    return f"{value:.1f} [{low:.1f}, {high:.1f}]"


def cpu_seconds() -> tuple[float, float, float]:
    """Return the least, median and most of the times that the cancellation of 60 s takes."""
    rng = np.random.default_rng(0)
    columns = rng.standard_normal((60 * RATE, 2)).astype(np.float32)
    times = []
    for _ in range(TURNS):
        start = time.process_time()
        without_reference(columns, RATE)
        times.append(time.process_time() - start)
    return min(times), float(np.median(times)), max(times)


if __name__ == "__main__":
    main()
