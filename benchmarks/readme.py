"""The figures of README.md: how well the default detects on real recordings, and how fast it is.

    python benchmarks/readme.py [PROTOCOLS] [-o FOLDER] [--systems default autoencoder]

PROTOCOLS is a folder of tables of clips (CSV, one a data set, with repeated splits). Each of the
systems is run on each of them, unless `FOLDER/SET/RECIPE` is a finished run, and its Ω (official,
in %, mean and standard error over the splits) goes into benchmarks/results/real_sets.json. Without
PROTOCOLS nothing is run. Then the table and the line on speed are written into README.md, of that
file, of the choice left one set out (benchmarks/results/default.md) and of the costs in
benchmarks/results/band.md. A system that lacks a set has no row.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from quality_tables import written_between

import dgmix
from dgmix.errors import InputError
from dgmix.evaluate.intervals import resample
from dgmix.evaluate.scores import read_run
from dgmix.files import write_text

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
RESULTS = ROOT / "benchmarks" / "results"
REAL_SETS, CHOICE, COSTS = (RESULTS / n for n in ("real_sets.json", "default.md", "band.md"))
SETS = {
    "dcase2023_valve": "DCASE 2023 valve",
    "lathe": "lathe",
    "mimii_fan": "MIMII fan",
    "bldc_propeller": "drone motors",
    "adi_cbm": "motor rig",
    "pronostia": "bearings",
}
LEFT_OUT = "its views chosen without the set"
ROWS = {
    "default": "**`default`**",
    LEFT_OUT: LEFT_OUT,
    "pyod": "PyOD 3.6.7, audio detector",
    "logmel-max": "log-mel max, nearest clip",
    "autoencoder": "official autoencoder",
}
Sets = dict[str, list[float]]  # by set: the mean, and the standard error where it is known


class System(NamedTuple):
    """A recipe to run, the names of the scores of its runs, and those of the rows they make."""

    recipe: str
    changes: tuple[str, ...]
    rows: Mapping[str, str]


SYSTEMS = {
    "default": System(
        "default",
        ("evaluate.baselines=[logmel-max]",),
        {"dgmix": "default", "logmel-max": "logmel-max"},
    ),
    "autoencoder": System("autoencoder", ("evaluate.baselines=[]",), {"dgmix": "autoencoder"}),
}


def measure(system: System, protocols: Path, output: Path) -> dict[str, Sets]:
    """Return Ω of the rows of a system on all sets, which is run where it was not yet."""
    sets: dict[str, Sets] = {row: {} for row in system.rows.values()}
    for name in SETS:
        run = output / name / system.recipe
        if not (run / "results.md").exists():
            dgmix.run(system.recipe, protocols / f"{name}.csv", run, changes=system.changes)
        metrics = resample(read_run(run), bootstrap=0)
        for scores, row in system.rows.items():
            omega = metrics.estimate(scores)
            sets[row][name] = [round(100 * each, 2) for each in (omega.value, omega.error)]
    return sets


def results() -> dict[str, Any]:
    """Return what was measured: by row the command that did, and the sets."""
    return dict(json.loads(REAL_SETS.read_text("utf-8"))) if REAL_SETS.exists() else {}


def rows(measured: Mapping[str, Any], choice: str) -> list[tuple[str, Sets]]:
    """Return the rows of the table that have all sets, `choice` being the text of default.md."""
    sets = {name: each["sets"] for name, each in measured.items()} | {LEFT_OUT: left_out(choice)}
    there = [name for name in ROWS if set(SETS) <= set(sets.get(name, {}))]
    return [(ROWS[name], sets[name]) for name in there]


def left_out(choice: str) -> Sets:
    """Return Ω of the choice left one set out, of the table that `choose_default.py` writes."""
    lines = [line.strip("| ").split("|") for line in choice.splitlines() if line.startswith("|")]
    header = [cell.strip() for cell in lines[0]]
    for line in lines:
        if line[0].strip() == "**left out**":
            cells = dict(zip(header, (cell.strip() for cell in line[1:]), strict=False))
            return {name: [float(cells[name])] for name in SETS}
    raise InputError(f"{CHOICE}: there is no row **left out**")


def table(of: Sequence[tuple[str, Sets]]) -> str:
    """Return the table of README.md."""
    lines = [f"| Ω | {' | '.join(SETS.values())} | mean |", f"|---{'|--:' * (len(SETS) + 1)}|"]
    for number, (label, sets) in enumerate(of):
        cells = [" ± ".join(f"{each:.1f}" for each in sets[name]) for name in SETS]
        mean = f"{sum(sets[name][0] for name in SETS) / len(SETS):.1f}"
        lines.append(f"| {label} | {' | '.join(cells)} | {mean if number else f'**{mean}**'} |")
    return "\n".join(lines)


def speed(costs: str) -> str:
    """Return the line on speed, of the table of costs that `band.py` writes."""
    milliseconds = dict(re.findall(r"^\| (\d+ kHz) +\| +([\d.]+) ms \|", costs, re.MULTILINE))
    times = {
        rate: float(f"{10_000 / float(milliseconds[rate]):.2g}") for rate in ("16 kHz", "48 kHz")
    }
    return (
        f"**Speed:** on one CPU core the default scores files of 16 kHz at {times['16 kHz']:.0f} "
        f"times real time, decoding included, and files of 48 kHz at {times['48 kHz']:.0f} times "
        "([figures](benchmarks/results/band.md))."
    )


def page(text: str) -> str:
    """Return README.md with today's figures."""
    figures = table(rows(results(), CHOICE.read_text("utf-8")))
    text = written_between(text, "real sets", figures, README)
    return written_between(text, "speed", speed(COSTS.read_text("utf-8")), README)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("protocols", nargs="?", type=Path, help="a folder of tables of clips")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/readme"))
    parser.add_argument("--systems", nargs="+", choices=SYSTEMS, default=["default"])
    options = parser.parse_args()
    for name in options.systems if options.protocols else ():
        measured = measure(SYSTEMS[name], options.protocols, options.output)
        command = f"python benchmarks/readme.py PROTOCOLS --systems {name}"
        kept = results() | {row: {"by": command, "sets": sets} for row, sets in measured.items()}
        write_text(REAL_SETS, json.dumps(kept, indent=2) + "\n")
    write_text(README, page(README.read_text("utf-8")))


if __name__ == "__main__":
    main()
