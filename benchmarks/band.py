"""What following the healthy recordings' band changes: Ω beside 16 kHz, and how long scoring takes.

    python benchmarks/band.py ../shared/data/protocols/*.csv -o benchmarks/results/band.md

A set whose recordings have 16 kHz gives the same settings either way, and is computed once.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import polars as pl
from measuring import Cost, alternating, cost_of, machine, ratio

from dgmix import Detector
from dgmix.audio.cache import FeatureStore
from dgmix.audio.io import write_wav
from dgmix.audio.mel_scale import REFERENCE_RATE
from dgmix.config import Recipe, load_recipe
from dgmix.data import load_manifest
from dgmix.data.clip import Manifest
from dgmix.detect.band import highest
from dgmix.detect.recordings import of_clips
from dgmix.detect.resolve import hertz, recipe_at, resolve
from dgmix.evaluate.formats import markdown_table, shown
from dgmix.evaluate.intervals import resample
from dgmix.files import write_text
from dgmix.progress import progress
from dgmix.units import Known

FOLLOWED, FIXED = "the band of the recordings", "16 kHz"
SECONDS, FILES, ROUNDS = 10, 24, 7
RATES = (8000, REFERENCE_RATE, 48_000, 96_000)


def omega_row(path: Path, cache: Path) -> list[str]:
    """Return the row of a data set: its band, Ω either way, and the difference, paired by split."""
    clips, default = load_manifest(path), load_recipe("default")
    healthy = of_clips(clips.select(split="train", label="normal"))
    followed, fixed = resolve(default, healthy), recipe_at(default, REFERENCE_RATE)
    first = scores(clips, followed, cache).with_columns(system=pl.lit(FOLLOWED))
    other = first if followed == fixed else scores(clips, fixed, cache)
    judged = resample(pl.concat([first, other.with_columns(system=pl.lit(FIXED))]))
    return [
        path.stem,
        hertz(followed.audio.rate),
        f"{hertz(highest(followed))}, {followed.features.n_mels} bands",
        *(shown(judged.estimate(system)) for system in (FIXED, FOLLOWED)),
        shown(judged.difference(FOLLOWED, FIXED)),
    ]


def scores(clips: Manifest, recipe: Recipe, cache: Path) -> pl.DataFrame:
    """Return the scores of all test clips of all splits, one detector for each machine."""
    store = FeatureStore(cache, recipe.audio, recipe.features)
    store.add([clip.path for clip in clips])
    units = [(each, repeat) for each in clips.values("machine") for repeat in clips.repeats]
    tables = []
    with progress("scoring splits", len(units)) as advance:
        for name, repeat in units:
            mine = clips.select(machine=name, repeat=repeat)
            known = Known(store, mine.select(split="train", label="normal"))
            test = Known(store, mine.select(split="test"))
            fitted = known.remembered(recipe, None, 0)
            table = test.scored(test.judged(fitted))
            tables.append(table.with_columns(repeat=pl.lit(repeat), seed=pl.lit(0)))
            advance()
    return pl.concat(tables)


def scoring(rate: int, folder: Path) -> Callable[[], Cost]:
    """Return the work of decoding and scoring files of a rate by a detector of such files."""
    rng = np.random.default_rng(0)
    paths = [folder / f"{rate}_{number}.wav" for number in range(FILES)]
    for path in paths:
        write_wav(path, 0.1 * rng.standard_normal(SECONDS * rate), rate)
    detector = Detector(cache=folder / "cache").fit(paths)
    return lambda: cost_of(lambda: detector.score_samples(paths))


def speed_table() -> str:
    """Return how much longer scoring takes than at 16 kHz, in turns, of the same seconds."""
    with tempfile.TemporaryDirectory() as folder:
        works = {str(rate): scoring(rate, Path(folder)) for rate in RATES}
        costs = alternating(works, ROUNDS)
    rows = [
        [hertz(rate), f"{1000 * np.median([each.cpu for each in own]) / FILES:.1f} ms", *times]
        for rate in RATES
        for own in [costs[str(rate)]]
        for middle, least, most in [ratio(own, costs[str(REFERENCE_RATE)], "cpu")]
        for times in [[f"{middle:.2f} × ({least:.2f} to {most:.2f})"]]
    ]
    header = ["sample rate", f"CPU time of {SECONDS} s", "beside 16 kHz, median and range"]
    return markdown_table(header, rows)


def page(paths: Sequence[Path], cache: Path) -> str:
    """Return both tables as Markdown."""
    rows = [omega_row(path, cache) for path in paths]
    header = ["set", "rate", "band", f"Ω, {FIXED}", f"Ω, {FOLLOWED}", "difference"]
    return (
        "# The band that follows the healthy recordings\n\n"
        "Written by `benchmarks/band.py`; why: [0026](../../docs/decisions/0026-band.md).\n\n"
        "The recipe `default`, official convention, %, mean ± standard error over the splits; the "
        "difference is paired by split.\n\n"
        f"{markdown_table(header, rows)}\n\n"
        f"Decoding and scoring {FILES} WAV files of {SECONDS} s, in {ROUNDS} turns, one thread, "
        f"{machine()}:\n\n{speed_table()}\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="+", type=Path, help="data sets: folders or CSV files")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the page to write")
    parser.add_argument("--cache", type=Path, default=Path("runs/band"), help="folder of features")
    options = parser.parse_args()
    write_text(options.output, page(options.sets, options.cache))


if __name__ == "__main__":
    main()
