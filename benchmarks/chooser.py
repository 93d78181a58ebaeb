"""Does `dgmix choose` choose well? Ω of what it chooses beside the default and the best candidate.

    python benchmarks/chooser.py SET... [-o FOLDER] [--splits N] [--quick] [--cache FOLDER]

A SET is a table of clips (CSV) or a folder. For each machine and split, `dgmix choose` sees the
normal training clips, and every candidate is measured on the test clips, whose labels it does not
see. *Regret* is what a choice lacks of the best candidate, which only labels tell; that of a random
choice is the mean over candidates. FOLDER keeps the table, `regret.md`, and what was measured, so
that a second call continues.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from kept import kept
from numpy.typing import NDArray
from quality_tables import write_between_markers

from dgmix.audio.cache import default_folder
from dgmix.config import load_recipe
from dgmix.data import load_manifest
from dgmix.data.clip import Manifest
from dgmix.detect.planting.candidates import candidates
from dgmix.detect.planting.choosing import (
    FEW_PLANTINGS,
    FEW_RECORDINGS,
    MOST_RECORDINGS,
    PLANTINGS,
    choice_of,
    plantings_of_each,
    recordings_to_try,
)
from dgmix.detect.planting.trials import Learned, families, try_out
from dgmix.detect.recordings import Sounds, of_clips
from dgmix.detect.resolve import resolve
from dgmix.evaluate.formats import markdown_table
from dgmix.evaluate.metrics import auc, harmonic_mean, pauc
from dgmix.files import write_text
from dgmix.progress import say

Floats = NDArray[np.float64]


class Result(NamedTuple):
    """Ω in % of each candidate on a machine and split, and the number of the chosen one."""

    name: str
    omegas: list[float]
    chosen: int

    @property
    def regrets(self) -> list[float]:
        """Of the chosen, the default, and a random candidate."""
        best = max(self.omegas)
        own = (self.omegas[self.chosen], self.omegas[0], np.mean(self.omegas))
        return [float(best - each) for each in own]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", type=Path, nargs="+", help="tables of clips, or folders")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/chooser"))
    parser.add_argument("--splits", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="as `dgmix choose --quick`")
    parser.add_argument("--cache", type=Path, default=default_folder(), help="of features")
    parser.add_argument("--page", type=Path, help="write the table between its markers")
    options = parser.parse_args(arguments)
    results = []
    for path in options.sets:
        clips = load_manifest(path)
        for repeat in (list(clips.repeats) or [0])[: options.splits]:
            for machine in clips.values("machine"):
                own = clips.select(repeat=repeat, machine=machine)
                name = path.stem if len(clips.values("machine")) == 1 else f"{path.stem} {machine}"
                values = kept(
                    options.output,
                    f"regret {name} {repeat}",
                    partial(tried, own, name, options),
                )
                results.append(Result(*values))
                say(" | ".join(_row(name, results[-1:])))
    text = table(results)
    print(text)
    write_text(options.output / "regret.md", text + "\n")
    if options.page:
        write_between_markers(options.page, text, "regret")


def tried(clips: Manifest, name: str, options: Any) -> Result:
    """Return Ω of every candidate, and the number of the one that is chosen without labels."""
    cache, healthy = options.cache, of_clips(clips.select(split="train", label="normal"))
    recipe = resolve(load_recipe("default"), healthy)
    members = candidates(recipe)
    most, wanted = (
        (FEW_RECORDINGS, FEW_PLANTINGS) if options.quick else (MOST_RECORDINGS, PLANTINGS)
    )
    seen = healthy.select(recordings_to_try(healthy, most))
    times = plantings_of_each(seen, recipe, wanted, cache)
    choice = choice_of(members, try_out(members, seen, times, cache=cache))
    tested = clips.select(split="test")
    scores = np.empty((len(members), len(tested)))
    for family in families(members, healthy, 0, cache):
        learned = family.learned(np.arange(len(healthy)))
        scores[family.places] = _scores(learned, of_clips(tested), cache)
    omegas = [omega(tested, row) for row in scores]
    return Result(name, omegas, choice.tried.index(choice.chosen))


def _scores(learned: Learned, tested: Sounds, cache: Path) -> Floats:
    scores = np.empty((len(learned.places), len(tested)))
    sections = np.array(tested.sections)
    for section in np.unique(sections):
        own = np.flatnonzero(sections == section)
        bank = tested.select(own.tolist()).features(learned.fitted.recipe, cache)
        scores[:, own] = learned.scores(bank, str(section))
    return scores


def omega(clips: Manifest, scores: Floats) -> float:
    """Return the official score of test clips in %."""
    return 100 * float(harmonic_mean(list(_values(clips, scores))))


def _values(clips: Manifest, scores: Floats) -> Iterator[float]:
    label, domain, section = (
        np.array([getattr(clip, name) for clip in clips]) for name in ("label", "domain", "section")
    )
    for each in np.unique(section):
        normal = (section == each) & (label == "normal")
        anomaly = scores[(section == each) & (label == "anomaly")]
        for name in ("source", "target"):
            if (normal & (domain == name)).any():
                yield auc(scores[normal & (domain == name)], anomaly)
        yield pauc(scores[normal], anomaly)


def table(results: Sequence[Result]) -> str:
    names = list(dict.fromkeys(result.name for result in results))
    rows = [_row(name, [r for r in results if r.name == name]) for name in names]
    rows.append(_row("**mean over machines**", results, names))
    header = [
        "machine",
        "splits",
        "Ω of the default",
        "of the chosen",
        "of the best",
        "regret of the default",
        "of the chosen",
        "of a random one",
        "chosen",
    ]
    return markdown_table(header, rows)


def _row(name: str, results: Sequence[Result], names: Sequence[str] = ()) -> list[str]:
    labels = [each.name for each in candidates(load_recipe("default"))]
    groups = [[r for r in results if r.name == n] for n in names or [results[0].name]]

    def mean(values: Any) -> str:
        return f"{np.mean([np.mean([values(r) for r in group]) for group in groups]):.1f}"

    chosen = {labels[result.chosen]: None for result in results}
    return [
        name,
        str(len(results)),
        mean(lambda r: r.omegas[0]),
        mean(lambda r: r.omegas[r.chosen]),
        mean(lambda r: max(r.omegas)),
        mean(lambda r: r.regrets[1]),
        mean(lambda r: r.regrets[0]),
        mean(lambda r: r.regrets[2]),
        "" if names else ", ".join(chosen),
    ]


if __name__ == "__main__":
    main()
