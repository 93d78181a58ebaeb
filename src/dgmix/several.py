"""`dgmix run` on several data sets, the years of DCASE say: a run of each, and one table."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dgmix.config import Recipe
from dgmix.data import load_manifest
from dgmix.errors import InputError
from dgmix.files import make_folder, write_text
from dgmix.pipeline import chosen_machines, run

TABLE = "years.md"


def run_several(
    recipe: str | Path | Recipe,
    data: Sequence[str | Path],
    output: str | Path,
    **options: Any,
) -> Path:
    """Run a recipe on several data sets and return the folder of their runs.

    Each run has the name of its data set, `output/dcase2023` say; `years.md` beside them is the
    table over all. `options` are those of `dgmix.pipeline.run`, which each run is. What an earlier
    call finished is kept. Raises what `run` raises, and `InputError` where two have one name; every
    data set is seen to have the machines that are wanted before anything is done.
    """
    names = data_names(data)
    for each in data:
        chosen_machines(load_manifest(each), options.get("machines", ()))
    folder = make_folder(output)
    if (folder / "recipe.yaml").exists():
        raise InputError(f"{folder}: holds the run of one data set; give another folder with -o")
    for name, each in names.items():
        run(recipe, each, folder / name, **options)
    title = "# Official score of each data set, in %"
    write_text(folder / TABLE, f"{title}\n\n{table(folder, list(names))}\n")
    return folder


def data_names(data: Sequence[str | Path]) -> dict[str, str | Path]:
    """Return data sets by name: that of their folder or file. `InputError` if two have one."""
    paths = [Path(os.path.abspath(each)) for each in data]  # noqa: PTH100 - links count
    names = [path.name.removesuffix(".csv") for path in paths]
    for name, number in Counter(names).items():
        if number > 1:
            raise InputError(
                f"{name}: {number} data sets have this name, which their runs are to have too; "
                "rename one of them"
            )
    return dict(zip(names, data, strict=True))


def table(folder: Path, names: Sequence[str]) -> str:
    """Return the official score of every system on every data set, in %, as a Markdown table.

    A data set has a column for its development and one for its evaluation set where both are there.
    The last column is the harmonic mean of the others, as far as they are defined.
    """
    from dgmix.evaluate.formats import markdown_table, percent
    from dgmix.evaluate.metrics import harmonic_mean
    from dgmix.evaluate.scores import shown_system

    scores = {name: official_scores(folder / name) for name in names}
    columns = [(name, part) for name in names for part in scores[name]]
    systems = list(dict.fromkeys(s for of in scores.values() for part in of.values() for s in part))
    rows = []
    for system in systems:
        values = [scores[name][part].get(system, float("nan")) for name, part in columns]
        mean = percent(float(harmonic_mean(values)))
        rows.append([shown_system(system), *map(percent, values), mean])
    header = ["Ω", *(f"{name} {part}".strip() for name, part in columns), "harmonic mean"]
    return markdown_table(header, rows)


def official_scores(run_folder: Path) -> Mapping[str, Mapping[str, float]]:
    """Return the official score of each system of a run, a fraction, by part and by system.

    The parts are "dev" and "eval" where both are there, and else one without a name.
    """
    from dgmix.evaluate.intervals import resample
    from dgmix.evaluate.rules import blocks, convention_of
    from dgmix.evaluate.scores import read_run, systems_of

    scores = read_run(run_folder)
    judged = resample(scores, convention_of(scores), bootstrap=0)
    parts = blocks({(unit.machine, unit.section) for unit in judged.cells})
    return {
        name: {s: judged.estimate(s, places=places).value for s in systems_of(scores)}
        for name, places in parts.items()
        if name != "all"
    }
