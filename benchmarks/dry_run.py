"""Is what `dgmix run --dry-run` says true? The table of benchmarks/results/dry_run.md.

    python benchmarks/dry_run.py DATA -o runs/dry_run [--recipe NAME …]
        [--page benchmarks/results/dry_run.md]

Each recipe is estimated, then run from the start, on the same machine and in the same folder;
trainings are cut short so that the whole takes minutes. Shown are seconds (wall clock) and bytes
that were estimated and those that were taken, and their ratios; each recipe's are kept in the
output folder.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path

from kept import kept

import dgmix
from dgmix.data import load_manifest
from dgmix.estimate import estimate_run
from dgmix.evaluate.formats import markdown_table
from dgmix.files import write_text

RECIPES = {  # with changes that cut trainings short
    "default": [],
    "learned": [],
    "autoencoder": ["finetune.epochs=2", "finetune.crops_per_clip=60"],
    "scac": ["finetune.max_steps=6", "encoder.resolutions=[1024]", "input.crop_seconds=3"],
    "attributes": ["finetune.max_steps=12", "finetune.min_steps=0", "input.crop_seconds=3"],
}
COLUMNS = [
    "recipe",
    "steps",
    "estimate, s",
    "taken, s",
    "ratio",
    "estimate, MB",
    "taken, MB",
    "ratio",
]


def row_of(name: str, data: Path) -> list[str]:
    """Return the row of a recipe."""
    with tempfile.TemporaryDirectory() as folder:
        output, cache = Path(folder) / "run", Path(folder) / "cache"
        changes = [*RECIPES[name], "evaluate.bootstrap=50"]
        estimate = estimate_run(name, data, output, changes=changes, cache=cache, jobs=1)
        began = time.perf_counter()
        dgmix.run(name, data, output, changes=changes, cache=cache, jobs=1)
        taken = time.perf_counter() - began
        written = sum(each.stat().st_size for each in Path(folder).rglob("*") if each.is_file())
    numbers = [estimate.wall_seconds, taken, estimate.wall_seconds / taken]
    sizes = [(estimate.feature_bytes + estimate.run_bytes) / 1e6, written / 1e6]
    sizes.append(sizes[0] / sizes[1])
    steps = str(sum(estimate.steps.values()))
    cells = [f"{value:.{2 if place == 2 else 0}f}" for place, value in enumerate(numbers)]
    return [name, steps, *cells, *(f"{value:.2f}" for value in sizes)]


def page(rows: list[list[str]], data: Path) -> str:
    """Return the page: what was done, and the table."""
    clips = load_manifest(data)
    machines = clips.values("machine")
    return (
        "# Is what `dgmix run --dry-run` says true?\n\n"
        f"Written by `benchmarks/dry_run.py` on {len(clips)} clips of {len(machines)} machine "
        f"types ({', '.join(machines)}), one process, trainings cut short. Seconds are of the wall "
        "clock: on a machine that other programs use, they are no better than it is steady.\n\n"
        f"{markdown_table(COLUMNS, rows)}\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, help="a small data set")
    parser.add_argument("--recipe", action="append", choices=list(RECIPES), help="these alone")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder of what is done")
    parser.add_argument("--page", type=Path, help="write the page to this file too")
    options = parser.parse_args()
    names = options.recipe or list(RECIPES)
    rows = [kept(options.output, name, partial(row_of, name, options.data)) for name in names]
    text = page(rows, options.data)
    print(text)
    if options.page:
        write_text(options.page, text)


if __name__ == "__main__":
    main()
