"""How well does a recipe detect, beside its baselines? The table of the README.

    python benchmarks/quality.py -o runs/quality lathe=path/to/lathe.csv simulated=sim [...]

Runs the recipe on each data set (a folder or a CSV that `dgmix run` takes), each in its own folder
below `-o`, continuing what is there, and prints one Markdown table: Ω of every system on every
set, in %, with its standard error over splits where a set has several, else with its 95 % interval
over clips and seeds; then how far DG-Mix leads each system, paired.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import dgmix
from dgmix.evaluate.intervals import Resampled, resample
from dgmix.evaluate.scores import read_run, shown_system, systems_of
from dgmix.evaluate.tables import markdown_table, shown


def table(judged: dict[str, Resampled], systems: list[str], leads: bool) -> str:
    """Return Ω, or the lead of DG-Mix in Ω, as Markdown: a row a system, a column a set."""
    rows = []
    for system in systems:
        if not (leads and system == "dgmix"):
            found = [
                runs.difference("dgmix", system) if leads else runs.estimate(system)
                for runs in judged.values()
            ]
            rows.append([shown_system(system), *(shown(estimate) for estimate in found)])
    return markdown_table(["lead of DG-Mix over" if leads else "Ω, official", *judged], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="+", metavar="NAME=DATA", help="data sets by name")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--seed", type=int, nargs="+", default=[0])
    parser.add_argument("--cache", type=Path)
    options = parser.parse_args()
    judged, systems = {}, []
    for name, data in (each.split("=", 1) for each in options.sets):
        run = dgmix.run(
            options.recipe, data, options.output / name, seeds=options.seed, cache=options.cache
        )
        scores = read_run(run)
        systems = systems or systems_of(scores)
        judged[name] = resample(scores, "official")
    print(table(judged, systems, leads=False), table(judged, systems, leads=True), sep="\n\n")


if __name__ == "__main__":
    main()
