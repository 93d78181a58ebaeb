"""Choose the views of the default detector, and report the choice on a set that it did not see.

    python benchmarks/choose_default.py PROTOCOLS SIMULATED [-o FOLDER] [--cache FOLDER]

PROTOCOLS is a folder of tables of clips (CSV, one a data set, with repeated splits), SIMULATED the
folder of a simulated set. For every set of real recordings the choice is made on all others, the
simulated one and planted faults, and reported on that one ("left out"); then once on all. No hand
comes in between: of each family of views (`candidate_views.FAMILIES`, and none or one of `MORE`)
the script takes one, a kernel for it, how many neighbours are left out of the units, and what
draws the views together, by
coordinate descent on the mean Ω over the sets. It begins with the first view of each family, and
changes only what gains more than the standard error. It writes `choice.yaml`, the list of the
default, and `choice.md`, the table.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import yaml
from candidate_views import VIEWS
from choose_search import Bench, Choice
from choose_sets import TestSet, read_sets
from choose_tables import Tables

from dgmix.audio.cache import default_folder
from dgmix.files import write_text
from dgmix.progress import say


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("protocols", type=Path, help="a folder of tables of clips")
    parser.add_argument("simulated", type=Path, help="a simulated set")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/choice"))
    parser.add_argument("--cache", type=Path, default=default_folder(), help="of features")
    parser.add_argument("--pyod", action="store_true", help="a row of PyOD's audio detector")
    parser.add_argument("--spreads", action="store_true", help="only of healthy simulated clips")
    options = parser.parse_args(arguments)
    if options.spreads:
        print(spreads(read_sets("simulated", options.simulated, options.cache)[0]))
        return
    tables = sorted(options.protocols.glob("*.csv"))
    if not tables:
        parser.error(f"{options.protocols}: no tables of clips (*.csv)")
    pairs = [read_sets(table.stem, table, options.cache) for table in tables]
    pairs.append(read_sets("simulated", options.simulated, options.cache))
    chosen = choices(pairs)
    text = chosen.report(pyod_rows(chosen.real) if options.pyod else {})
    options.output.mkdir(parents=True, exist_ok=True)
    write_text(options.output / "choice.md", text)
    write_text(options.output / "choice.yaml", recipe_of(chosen.chosen))
    print(text)


def choices(pairs: Sequence[tuple[TestSet, TestSet]]) -> Tables:
    """Return the choices on all sets and without each; the last of `pairs` is simulated.

    A pair is a set and its planted faults, which are left out with it.
    """
    real, simulated = [first for first, _ in pairs[:-1]], pairs[-1][0]
    bench = Bench([each for pair in pairs for each in pair])
    chosen = bench.choose(bench.sets)
    say(f"chosen on all: {chosen}")
    left_out = {}
    for number, each in enumerate(real):
        others = [*pairs[:number], *pairs[number + 1 :]]
        left_out[each.name] = bench.choose([other for pair in others for other in pair])
        say(f"without {each.name}: {left_out[each.name]}")
    return Tables(bench, real, simulated, [planted for _, planted in pairs], chosen, left_out)


def spreads(simulated: TestSet) -> str:
    """Return the spread of healthy clips in each view: a straight line's ends, in dB.

    The line is fitted to the root mean square, over sections, of each dimension's deviation.
    """
    lines = []
    for view, described in simulated.described.items():
        healthy = [described[trial.healthy] for trials in simulated.repeats for trial in trials]
        spread = np.sqrt(np.mean([clips.var(0, ddof=1) for clips in healthy], axis=0))
        place = np.linspace(0, 1, len(spread))
        ends = np.linalg.lstsq(np.column_stack([1 - place, place]), spread, rcond=None)[0]
        lines.append(f"{view}: {ends[0]:.2f} to {ends[1]:.2f}")
    return "\n".join(lines)


def pyod_rows(real: Sequence[TestSet]) -> dict[str, dict[str, float]]:
    """Return the row of PyOD's detector: Ω by set."""
    import pyod_audio

    omegas = {each.name: pyod_audio.omegas(each, each.paths) for each in real}
    return {"PyOD, audio": {name: float(np.mean(of)) for name, of in omegas.items()}}


def recipe_of(choice: Choice) -> str:
    """Return a choice as YAML: what of the default recipe it decides."""
    views = [
        {"view": view, **kernel._asdict(), "parts": VIEWS[view].bands}
        for view, kernel in choice.kernels
    ]
    return yaml.safe_dump({"views": views, "fusion": str(choice.fusion)}, sort_keys=False)


if __name__ == "__main__":
    main()
