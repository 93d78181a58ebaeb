"""What is a far microphone good for? The table of benchmarks/results/two_microphones.md.

    python benchmarks/two_microphones.py [--clips 50] [--test-clips 12] [--machine fan …]

Clips of `dgmix simulate --like dcase2026`: a near microphone (channel 1) and a far one that picks
up the machine weakly and the noise of the hall about as loud. Three kinds of surroundings:

- common noise: as simulated; both microphones are in one hall;
- no common noise: each far channel is that of another clip, so that it knows nothing of the near
  one;
- common noise and a neighbour: in every second test clip, healthy or not, another machine runs that
  no training clip has; it is as loud as the machine at the near microphone, and 6 dB louder at the
  far one.

Printed are Ω in % (official, harmonic mean over machines) and the part of healthy test clips called
anomalies at a false-alarm rate of 5 %, of the default recipe on each choice of channels; then the
CPU seconds that the cancellation of 60 s takes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank, bank_of_signals
from dgmix.audio.io import to_signal
from dgmix.audio.reference import without_reference
from dgmix.config import Recipe, load_recipe
from dgmix.data.simulate.clips import PlannedClip, plan, samples_of
from dgmix.data.simulate.forms import form_of
from dgmix.data.years import YEARS
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.learn import remember
from dgmix.detect.memory import HealthyClips, digests, durations
from dgmix.detect.quality import measures_of
from dgmix.detect.resolve import recipe_at
from dgmix.detect.views import signal_of
from dgmix.evaluate.formats import markdown_table
from dgmix.evaluate.metrics import SectionScores, harmonic_mean, section_metrics

LIKE, RATE, SECONDS, ALARMS = "dcase2026", 16_000, 10, 0.05
NEIGHBOUR_NEAR, NEIGHBOUR_FAR = 1.0, 2.0
Clip = tuple[PlannedClip, NDArray[np.float32]]
SYSTEMS = {
    "near": ([1], 0, ""),
    "far": ([2], 0, ""),
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
    options = parser.parse_args()
    machines = options.machine or list(YEARS[2026].dev)
    results = {name: [] for name in SYSTEMS}
    for machine in machines:
        clips = simulated(machine, options.clips, options.test_clips)
        for around in surroundings(clips, machines[machines.index(machine) - 1]):
            for name, (channels, reference, only) in SYSTEMS.items():
                results[name].append(result(around, recipe_of(channels, reference), only))
        print(machine, flush=True)
    print(table(results), f"\nCancellation of 60 s: {cpu_seconds():.3f} s of CPU", sep="\n")


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


def result(clips: list[Clip], recipe: Recipe, only: str) -> tuple[float, float]:
    """Return Ω and the false alarms of a detector that compares signals, or `only` one of them."""
    train = [each for each in clips if each[0].group < 2]
    fitted = detector(train, recipe)
    if only:
        views = {n: v for n, v in fitted.memory.views.items() if signal_of(n) == only}
        fitted = replace(fitted, memory=replace(fitted.memory, views=views))
    scores, alarms = [], []
    for group in range(2, len(form_of(LIKE).groups)):
        bank = described([each for each in clips if each[0].group == group], recipe)
        judged = fitted.judge(bank, [""] * len(bank), ["00"] * len(bank))
        scores.append(np.array([each.score for each in judged]))
        if form_of(LIKE).groups[group][2] == "normal":
            alarms += [each.p_known <= ALARMS + 1e-9 for each in judged]
    return float(harmonic_mean(section_metrics(SectionScores(*scores), "official"))), float(
        np.mean(alarms)
    )


def detector(clips: list[Clip], recipe: Recipe) -> FittedDetector:
    bank = described(clips, recipe)
    names = tuple(map(str, range(len(bank))))
    same = ("00",) * len(bank)
    healthy = HealthyClips(
        same, same, names, same, digests(bank), durations(bank, recipe), measures_of(bank.qualities)
    )
    return remember(recipe, None, bank, healthy)


def described(clips: Sequence[Clip], recipe: Recipe) -> MelBank:
    signals = (to_signal(samples, RATE, recipe.audio) for _, samples in clips)
    return bank_of_signals(signals, recipe.audio, recipe.features)


def table(results: dict[str, list[tuple[float, float]]]) -> str:
    kinds = ("common noise", "no common noise", "common noise and a neighbour")
    heading = ["Ω; false alarms at 5 %", *kinds]
    rows = []
    for name, found in results.items():
        values = np.array(found).reshape(-1, len(kinds), 2)
        omega, alarms = harmonic_mean(values[..., 0], axis=0), values[..., 1].mean(0)
        cells = [f"{100 * o:.1f}; {100 * a:.1f}" for o, a in zip(omega, alarms, strict=True)]
        rows.append([name, *cells])
    return markdown_table(heading, rows)


def cpu_seconds() -> float:
    """Return the least of five times that the cancellation of 60 s takes."""
    rng = np.random.default_rng(0)
    columns = rng.standard_normal((60 * RATE, 2)).astype(np.float32)
    times = []
    for _ in range(5):
        start = time.process_time()
        without_reference(columns, RATE)
        times.append(time.process_time() - start)
    return min(times)


if __name__ == "__main__":
    main()
