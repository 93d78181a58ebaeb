"""Are the shares of planted faults that `dgmix fit --sensitivity` tells right for other faults?

    python benchmarks/sensitivity.py DATA SET... [-o FOLDER] [--cache FOLDER]

A SET is a table of clips (CSV) or a folder; DATA the folder of the recordings (its README), out of
which strokes, noises and other machines are cut. A detector learns three quarters of the
normal training clips of the first split, and its sensitivity is measured. Then faults of other
waveforms (`real_faults.py`) are planted in the last quarter, which it does not know, at every
strength, and it judges them. A kind and strength of which nine in ten were to be found is
*promised*; the table tells of how many of these promises eight in ten were found. FOLDER
keeps the tables, `sensitivity.md`, and what was measured, so that a second call continues.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from kept import kept
from quality_tables import write_between_markers
from real_faults import RealFaults, strokes_of

from dgmix.audio.bank import MelBank, half_mel
from dgmix.audio.cache import default_folder
from dgmix.audio.features import MelSpectrogram
from dgmix.audio.io import load
from dgmix.config import AudioSettings, load_recipe
from dgmix.data import load_manifest
from dgmix.data.clip import Manifest
from dgmix.detect import learn
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.planting.measuring import measure
from dgmix.detect.recordings import Sounds, of_clips
from dgmix.evaluate.formats import markdown_table
from dgmix.files import write_text
from dgmix.progress import say

EVERY = 4  # each fourth training clip is not learned from
CLIPS, TIMES = 24, 24  # of these at most; faults of each kind and strength at least
PROMISED, KEPT = 0.9, 0.8
BINS = ((0.0, 0.1), (0.1, 0.5), (0.5, 0.9), (0.9, 1.0))


class Result(NamedTuple):
    """A kind of fault at a strength: which share was foretold, which found; `faint` is whether the
    strength is the least of which nine in ten are foretold."""

    machine: str
    kind: str
    strength: float
    foretold: float
    detected: float
    faint: bool


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="the folder of real recordings")
    parser.add_argument("sets", type=Path, nargs="+", help="tables of clips, or folders")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/chooser"))
    parser.add_argument("--cache", type=Path, default=default_folder(), help="of features")
    parser.add_argument("--page", type=Path, help="write the tables between their markers")
    parser.add_argument("--machines", type=int, default=2, help="of a set that has several")
    options = parser.parse_args(arguments)
    lines, everything = [], []
    for path in options.sets:
        clips = load_manifest(path)
        for machine in clips.values("machine")[: options.machines]:
            own = clips.select(machine=machine, repeat=min(clips.repeats, default=0))
            name = path.stem if len(clips.values("machine")) == 1 else f"{path.stem} {machine}"
            make = partial(tried, own, name, options)
            flagged, rows = kept(options.output, f"sensitivity {name}", make)
            results = [Result(*row) for row in rows]
            everything += results
            lines.append([name, f"{100 * flagged:.0f} %", *_row(results)])
            say(" | ".join(lines[-1]))
    lines.append(["**all**", "", *_row(everything)])
    tables = {
        "promises": _table(lines),
        "kinds": _by_kind(everything),
        "strengths": _calibration(everything),
    }
    text = "\n\n".join(tables.values())
    print(text)
    write_text(options.output / "sensitivity.md", text + "\n")
    for name, table in tables.items() if options.page else ():
        write_between_markers(options.page, table, name)


def tried(clips: Manifest, name: str, options: argparse.Namespace) -> tuple[float, list[Result]]:
    """Return the share of healthy clips that are flagged, and what is found of faults."""
    recipe = load_recipe("default")
    normal = of_clips(clips.select(split="train", label="normal"))
    numbers = np.arange(len(normal))
    healthy = normal.select(numbers[numbers % EVERY > 0].tolist())
    tested = normal.select(numbers[numbers % EVERY == 0].tolist())
    fitted = learn.fit(healthy, recipe, cache=options.cache)
    measured = measure(fitted, healthy, cache=options.cache)
    places = np.linspace(0, len(tested) - 1, min(CLIPS, len(tested))).round().astype(int)
    chosen = tested.select(places.tolist())
    faults = _real_faults(options.data, fitted.recipe.audio).kinds()
    grids = {r.name: r for r in measured.responses if r.name in faults}
    hits = {(kind, s): 0 for kind, r in grids.items() for s in r.strengths}
    flagged = 0
    count = len(chosen) * -(-TIMES // len(chosen))
    for number in range(count):
        first, *others = _judged(fitted, chosen, number, faults, hits)
        flagged += first
        for key, other in zip(hits, others, strict=True):
            hits[key] += other
    return flagged / count, [
        Result(name, kind, s, share, hits[kind, s] / count, s == response.least(PROMISED))
        for kind, response in grids.items()
        for s, share in zip(response.strengths, response.detected, strict=True)
    ]


def _judged(
    fitted: FittedDetector, chosen: Sounds, number: int, faults: dict, hits: dict
) -> Iterator[bool]:
    """Yield whether a clip is flagged, and then with each fault."""
    recipe, clip = fitted.recipe, number % len(chosen)
    section = chosen.sections[clip]
    mel = MelSpectrogram(recipe.features, recipe.audio.rate)
    signal = load(chosen.paths[clip], recipe.audio)
    signals = [signal] + [
        faults[kind](signal, strength, np.random.default_rng([7, number, place // 7]))
        for place, (kind, strength) in enumerate(hits)
    ]
    bank = MelBank([half_mel(np.float32(each), mel) for each in signals], recipe.features.n_mels)
    promise = fitted.promise(None, [section])
    rate = fitted.rate(None, [section], promise)
    for judged in fitted.judge(bank, [""] * len(bank), [section] * len(bank)):
        yield judged.anomalous(rate, promise)


def _real_faults(data: Path, audio: AudioSettings) -> RealFaults:
    rate = audio.rate

    def first(pattern: str, count: int) -> list:
        return [load(path, audio) for path in sorted(data.glob(pattern))[:count]]

    knocking = first("mimii_0dB_ch0/valve/*/*/*", 6) + first("mimii_0dB_ch0/slider/*/*/*", 4)
    noises = first("uav_propeller/normal/cw_f8/*", 2) + first("mimii_0dB_ch0/pump/*/*/*", 4)
    others = first("mimii_0dB_ch0/*/*/abnormal/*", 40)[::4]
    return RealFaults(rate, [strokes_of(each, rate) for each in knocking], noises, others)


def _row(results: Sequence[Result]) -> list[str]:
    promised = [r for r in results if r.foretold >= PROMISED - 1e-9]
    least = [r for r in results if r.faint]
    return [_kept(promised), _kept(least), _mean(least)]


def _kept(results: Sequence[Result]) -> str:
    kept = sum(r.detected >= KEPT - 1e-9 for r in results)
    return f"{kept} of {len(results)}"


def _mean(results: Sequence[Result]) -> str:
    return f"{100 * np.mean([r.detected for r in results]):.0f} %" if results else "–"


def _table(lines: Sequence[Sequence[str]]) -> str:
    header = [
        "detector of",
        "other clips flagged without a fault",
        "promises kept",
        "of the faintest promised",
        "found of these",
    ]
    return markdown_table(header, lines)


def _by_kind(results: Sequence[Result]) -> str:
    kinds = dict.fromkeys(r.kind for r in results)
    rows = [[kind, *_row([r for r in results if r.kind == kind])] for kind in kinds]
    header = ["planted", "promises kept", "of the faintest promised", "found of these"]
    return markdown_table(header, rows)


def _calibration(results: Sequence[Result]) -> str:
    rows = []
    for low, high in BINS:
        own = [r for r in results if low <= r.foretold < high or r.foretold == high == 1]
        foretold = f"{100 * np.mean([r.foretold for r in own]):.0f} %" if own else "–"
        rows.append([f"{100 * low:.0f} to {100 * high:.0f} %", str(len(own)), foretold, _mean(own)])
    return markdown_table(["foretold", "kinds × strengths", "mean foretold", "mean found"], rows)


if __name__ == "__main__":
    main()
