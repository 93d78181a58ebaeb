"""Do verdicts keep the false-alarm rate, however few and however different the healthy clips are?

    python benchmarks/false_alarms.py [--recipe default] [--fits 400] [--clips 5] [--json]

Healthy clips of simulated machines are described once. A fit draws n of them at random and judges
`--clips` others (four times as many, by a fourth of the fits, from n = 49). Of two kinds, one half
of the n is of either (the hardest case for an estimate); of three, and of those judged, each clip
is of a kind at random. Prints, as Markdown, how many healthy clips are flagged at several rates
that n supports, with the standard error over fits and the 95 % interval of that many clips at α:
the clips of one fit share its healthy ones, so that the binomial variance is multiplied by 1 +
(clips - 1) / (n + 2), as follows from the Beta distribution of a fit's rate (Vovk 2012, arXiv
1209.2673). Then how many gross faults n = 1, 2 and 3 find at the smallest rate. Draws without
replacement are exchangeable whatever the clips are, so that a hundred of them are enough. `--write`
keeps the tables.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np
from described import describe, detector_of, judged
from numpy.typing import NDArray

from dgmix.audio.bank import bank_of_signals
from dgmix.audio.io import to_signal
from dgmix.config import Recipe, load_recipe
from dgmix.data.simulate.clips import PlannedClip, samples_of
from dgmix.detect.conformal import ROUNDING, groups_needed, smallest_rate
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.resolve import recipe_at
from dgmix.evaluate.tables import markdown_table
from dgmix.files import write_text
from dgmix.progress import progress

RATE, SECONDS, PIECES = 16_000, 1, 5
SIZES = (1, 2, 3, 5, 9, 19, 49, 99)
RATES = (0.01, 0.02, 0.05, 0.1, 0.2, 1 / 3, 0.5)
FEW = (1, 2, 3)
MANY, MORE = 49, 4
RESULT = Path(__file__).parent / "results" / "false_alarms.md"
SETS: dict[str, dict[str, float]] = {
    "one kind": {"running": 1},
    "idle, running": {"idle": 1, "running": 1},
    "20 dB apart": {"running": 1, "soft": 1},
    "8, 16 kHz": {"running": 1, "8 kHz": 1},
    "three kinds 10 : 6 : 4": {"running": 10, "idle": 6, "gearbox": 4},
    "in 5 pieces": {"pieces": 1},
}
Signal = NDArray[np.float32]
Numbers = NDArray[np.int64]
Pool = tuple[FittedDetector, dict[str, Numbers]]


@dataclass(frozen=True)
class Cell:
    """The false alarms of fits to `n` recordings of a set at one rate.

    `clips` were judged; `flagged` and its `standard_error` are parts of them; `low`, `high`: the
    95 % interval of that part where the rate is kept exactly.
    """

    set: str
    n: int
    rate: float
    clips: int
    flagged: float
    standard_error: float
    low: float
    high: float


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--recipe", default="default", help="one without the view dgmix")
    parser.add_argument("--n", type=int, nargs="+", default=list(SIZES))
    parser.add_argument("--set", nargs="+", choices=SETS, default=list(SETS))
    parser.add_argument("--fits", type=int, default=400)
    parser.add_argument("--clips", type=int, default=5, help="judged by each fit")
    parser.add_argument("--pool", type=int, default=150, help="clips of each kind")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help=f"to {RESULT.name} in results")
    options = parser.parse_args(arguments)
    recipe = recipe_at(load_recipe(options.recipe), RATE)
    pool = described_pool(recipe, options.pool)
    cells = []
    with progress("fitting", len(options.set) * len(options.n)) as advance:
        for name, n in product(options.set, options.n):
            more = MORE if n >= MANY else 1
            cells += cells_of(pool, name, n, options.fits // more, options.clips * more)
            advance()
    finds = {n: gross_finds(pool, recipe, n, options.fits // 4) for n in options.n if n in FEW}
    if options.json:
        print(json.dumps({"false_alarms": [asdict(cell) for cell in cells], "found": finds}))
        return
    text = "\n\n".join([alarm_table(cells), *([find_table(finds)] if finds else [])])
    print(text)
    if options.write:
        write_text(RESULT, f"False alarms of the recipe {options.recipe}, in %.\n\n{text}\n")


# Healthy clips


def described_pool(recipe: Recipe, count: int) -> Pool:
    """Return a detector that remembers `count` clips of each kind, and the numbers of each kind.

    Pieces of one recording follow one another, and bear its name.
    """
    signals: list[Signal] = []
    numbers: dict[str, Numbers] = {}
    for kind, clips in kinds(count).items():
        numbers[kind] = np.arange(len(signals), len(signals) + len(clips))
        rate = 8_000 if kind == "8 kHz" else RATE
        signals += [to_signal(clip, rate, recipe.audio) for clip in clips]
    names = [str(i) for i in range(len(signals))]
    for i in numbers["pieces"].tolist():
        names[i] = f"recording {(i - numbers['pieces'][0]) // PIECES}"
    bank = bank_of_signals(signals, recipe.audio, recipe.features)
    return describe(recipe, bank, names), numbers


def kinds(count: int) -> dict[str, list[Signal]]:
    """Return the clips of every kind: `count` each, and of "pieces" the pieces of as many."""
    running = [simulated("fan", 0, i, SECONDS) for i in range(count)]
    rng = np.random.default_rng(0)
    recordings = (
        np.float32(10 ** (rng.normal(0, 3) / 20)) * simulated("fan", 1, i, PIECES * SECONDS)
        for i in range(count)
    )
    return {
        "running": running,
        "idle": [idle(rng) for _ in range(count)],
        "soft": [simulated("fan", 0, count + i, SECONDS) * np.float32(0.1) for i in range(count)],
        "8 kHz": [simulated("fan", 0, 2 * count + i, SECONDS)[::2] for i in range(count)],
        "gearbox": [simulated("gearbox", 0, i, SECONDS) for i in range(count)],
        "pieces": [piece for each in recordings for piece in np.split(each, PIECES)],
    }


def simulated(machine: str, section: int, index: int, seconds: int) -> Signal:
    return samples_of(PlannedClip(machine, section, 0, index), 0, seconds * RATE)


def idle(rng: np.random.Generator) -> Signal:
    """Return the hum and the soft noise of a machine that is switched on and does not run."""
    time = np.arange(SECONDS * RATE) / RATE
    hum = 0.002 * np.sin(2 * np.pi * (100 * time + rng.uniform()))
    noise = np.cumsum(rng.normal(size=len(time)))
    noise -= np.convolve(noise, np.full(400, 1 / 400), "same")
    level = 10 ** (rng.normal(-3, 0.1))
    return np.asarray(hum + level * noise / noise.std(), np.float32)


# False alarms


def cells_of(pool: Pool, name: str, n: int, fits: int, clips: int) -> Iterator[Cell]:
    """Yield a cell for every rate that n recordings of a set support."""
    p_values = np.array([healthy_p_values(pool, name, n, clips, fit) for fit in range(fits)])
    for rate in rates(n):
        flagged = (p_values <= rate + ROUNDING).mean(1)
        effect = 1 + (clips - 1) / (n + 2)
        half = 1.96 * math.sqrt(rate * (1 - rate) * effect / (fits * clips))
        error = float(flagged.std(ddof=1) / math.sqrt(fits))
        mean = float(flagged.mean())
        yield Cell(name, n, rate, fits * clips, mean, error, rate - half, rate + half)


def rates(n: int) -> list[float]:
    """Return the rates m/(n + 1) that n recordings support, near those of `RATES`, ascending."""
    supported = [rate for rate in RATES if groups_needed(rate) <= n]
    alarms = {math.floor(rate * (n + 1) + ROUNDING) for rate in supported}
    return [count / (n + 1) for count in sorted({1} | alarms)]


def healthy_p_values(pool: Pool, name: str, n: int, clips: int, fit: int) -> NDArray[np.float64]:
    """Return the p-values (clip,) of healthy clips that a fit to n others gives."""
    rng = np.random.default_rng([len(name), n, fit])
    detector, numbers = pool
    shares = SETS[name]
    weights = np.array(list(shares.values())) / sum(shares.values())
    parts = [rng.permutation(len(numbers[kind]) // step(kind)) for kind in shares]
    counts = [(n + 1) // 2, n // 2] if len(shares) == 2 else rng.multinomial(n, weights)
    known, rest = [], []
    for kind, order, count in zip(shares, parts, counts, strict=True):
        every = numbers[kind].reshape(-1, step(kind))
        known.append(every[order[:count]].ravel())
        rest.append(rng.choice(every[order[count:]], axis=1))
    of = rng.choice(len(shares), clips, p=weights)
    chosen = np.sort([rest[kind][i] for i, kind in enumerate(of)])
    fitted = detector_of(detector, np.sort(np.concatenate(known)))
    return judged(fitted, detector.memory.select(chosen).views).p_known


def step(kind: str) -> int:
    return PIECES if kind == "pieces" else 1


# Gross faults


def gross_finds(pool: Pool, recipe: Recipe, n: int, fits: int) -> dict[str, float]:
    """Return which part of each gross fault is found at 1/(n + 1), by fits to one kind."""
    detector, numbers = pool
    hits: dict[str, list[bool]] = {}
    for fit in range(fits):
        order = np.random.default_rng([n, fit]).permutation(numbers["running"])
        fitted = detector_of(detector, np.sort(order[:n]))
        faults = gross_faults(simulated("fan", 0, int(order[n]), SECONDS), fit)
        bank = bank_of_signals(
            [to_signal(each, RATE, recipe.audio) for each in faults.values()],
            recipe.audio,
            recipe.features,
        )
        judgements = fitted.judge(bank, list(faults), ["00"] * len(faults))
        for judgement in judgements:
            alarm = judgement.p_known <= smallest_rate(n) + ROUNDING
            hits.setdefault(judgement.name, []).append(alarm)
    return {name: float(np.mean(each)) for name, each in hits.items()}


def gross_faults(healthy: Signal, seed: int) -> Mapping[str, Signal]:
    """Return sounds that nobody would call healthy, by name."""
    rng = np.random.default_rng(seed)
    knocks = np.zeros_like(healthy)
    for start in rng.integers(0, len(healthy) - 800, 4):
        knocks[start : start + 800] += np.exp(-np.arange(800) / 100) * rng.normal(size=800)
    return {
        "silence": np.zeros_like(healthy),
        "white noise": rng.normal(0, 0.1, len(healthy)).astype(np.float32),
        "20 dB louder": 10 * healthy,
        "knocks": healthy + np.float32(20 * healthy.std()) * knocks,
    }


# Tables


def alarm_table(cells: Sequence[Cell]) -> str:
    header = ["healthy recordings", "n", "α", "clips", "flagged", "95 % at α", ""]
    rows = [
        [
            cell.set,
            str(cell.n),
            f"{100 * cell.rate:.3g}",
            str(cell.clips),
            f"{100 * cell.flagged:.2f} ± {100 * cell.standard_error:.2f}",
            f"{100 * max(0, cell.low):.2f} to {100 * cell.high:.2f}",
            "above" if cell.flagged > cell.high else "",
        ]
        for cell in cells
    ]
    return markdown_table(header, rows)


def find_table(finds: Mapping[int, Mapping[str, float]]) -> str:
    faults = list(next(iter(finds.values())))
    rows = [
        [str(n), f"{100 * smallest_rate(n):.3g}", *(f"{100 * row[name]:.0f}" for name in faults)]
        for n, row in finds.items()
    ]
    return markdown_table(["found, n", "α", *faults], rows)


if __name__ == "__main__":
    main()
