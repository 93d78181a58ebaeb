"""How well does a recipe detect, beside the baselines it has to beat? The tables of the README.

    python benchmarks/quality.py -o runs/quality lathe=path/to/lathe.csv simulated=sim@0,1,2 [...]

A data set is a folder or a CSV that `dgmix run` takes, with the seeds to train with (0 by itself).
On each are run: every raw view; the official autoencoder; DG-Mix untrained, alone, and with the
published fine-tuning; the recipe's detector, and where DG-Mix is one of its views, without it.

Says how long it will take, continues what is there, and prints Markdown: the Ω of every system
on every set, in %, with its standard error over splits where a set has several, else its 95 %
interval over clips and seeds; how far it lies above the best raw view, paired; the seconds of
training. All that, and the single metrics, are in quality.md of the output folder.
"""

from __future__ import annotations

import argparse
import os
import re
from pathlib import Path

from quality_systems import (
    DETECTOR,
    LEARNED_ALONE,
    PARTS,
    DataSet,
    complete,
    decode,
    missing,
    recipes_of,
    scores_of,
    seconds_left,
    training_seconds,
)
from quality_tables import Judged, page, readme_part, write_between_markers

from dgmix.audio.cache import default_folder
from dgmix.config import Recipe
from dgmix.errors import InputError
from dgmix.evaluate.intervals import resample
from dgmix.files import write_text
from dgmix.progress import say

MOST_JOBS = 2
Work = list[tuple[DataSet, str, Recipe]]


def data_set(text: str, output: Path, cache: Path) -> DataSet:
    """Return the data set that `NAME=DATA` or `NAME=DATA@SEED,SEED` describes."""
    name, _, rest = text.partition("=")
    form = re.fullmatch(r"(?P<data>.+?)(?:@(?P<seeds>\d+(?:,\d+)*))?", rest)
    if not name or form is None:
        raise InputError(f"{text}: write NAME=DATA or NAME=DATA@SEED,SEED")
    seeds = tuple(int(seed) for seed in (form["seeds"] or "0").split(","))
    return DataSet(name, Path(form["data"]), seeds, output / name.replace(" ", "_"), cache)


def do(work: Work, jobs: int) -> None:
    """Do all that is missing, and say beforehand how long it will take."""
    for dataset, part, recipe in work:
        decode(part, dataset, recipe, jobs)
    announce(work, jobs)
    for dataset, part, recipe in work:
        complete(part, dataset, recipe, jobs)


def announce(work: Work, jobs: int) -> None:
    """Say how long what is missing will take."""
    total = 0.0
    for dataset, part, recipe in work:
        count, seconds = seconds_left(part, dataset, recipe)
        total += seconds
        if count:
            say(f"{dataset.name}, {part}: {count} trainings, about {clock(seconds)} of one core")
    say(f"about {clock(total / jobs)} with {jobs} processes")


def clock(seconds: float) -> str:
    """Return a time in hours and minutes."""
    return f"{int(seconds // 3600)} h {round(seconds % 3600 / 60):02} min"


def judged(work: Work) -> dict[str, Judged]:
    """Return, by data set, the metrics and seconds of training of all that is done."""
    done = [(d, part, recipe) for d, part, recipe in work if not missing(part, d, recipe)]
    sets = {}
    for dataset in dict.fromkeys(dataset for dataset, _, _ in done):
        mine = {part: recipe for each, part, recipe in done if each == dataset}
        seconds = {part: training_seconds(part, dataset, recipe) for part, recipe in mine.items()}
        if LEARNED_ALONE not in mine and DETECTOR in mine:  # it is a view of the detector
            seconds[LEARNED_ALONE] = seconds[DETECTOR]
        metrics = resample(scores_of(dataset, list(mine)), "official")
        sets[dataset.name] = Judged(metrics, seconds, dataset.several_sections)
    return sets


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sets", nargs="+", metavar="NAME=DATA[@SEEDS]", help="data sets by name")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of the runs")
    parser.add_argument("--recipe", default="default")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="changes")
    parser.add_argument(
        "--part",
        action="append",
        choices=PARTS,
        help="by itself all but mobilenetv2, which is long",
    )
    parser.add_argument("--jobs", type=int, default=min(MOST_JOBS, os.cpu_count() or 1))
    parser.add_argument("--cache", type=Path, default=default_folder(), help="folder of features")
    parser.add_argument("--tables-only", action="store_true", help="of what is done so far")
    parser.add_argument("--readme", type=Path, help="write the tables between its markers")
    options = parser.parse_args()
    recipes = recipes_of(options.recipe, options.changes)
    sets = [data_set(text, options.output, options.cache) for text in options.sets]
    wanted = options.part or PARTS[:-1]
    work = [
        (dataset, part, dataset.resolved(recipes.get(part, recipes[DETECTOR])))
        for dataset in sets
        for part in dataset.parts(wanted, recipes)
    ]
    if not options.tables_only:
        do(work, options.jobs)
    results = judged(work)
    write_text(options.output / "quality.md", page(results))
    print(readme_part(results))
    if options.readme:
        write_between_markers(options.readme, readme_part(results))


if __name__ == "__main__":
    main()
