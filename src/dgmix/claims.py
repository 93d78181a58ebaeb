"""What a folder of a run is made of: written before training, and another run is refused there."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dgmix.config import Recipe, dump_recipe, read_recipe
from dgmix.data.clip import Manifest
from dgmix.environment import describe_environment
from dgmix.errors import InputError
from dgmix.files import write_text

WHAT = {
    "recipe.yaml": "another recipe",
    "clips.csv": "other clips",
    "weights.sha256": "other weights",
    "plugins.sha256": "other plug-ins",
}


def claims(output: Path, recipe: Recipe, units: Mapping[Path, Manifest]) -> dict[Path, str]:
    """Return the files that say what a run is made of, with their texts.

    `units` are the clips of each unit by its folder. `clips.csv` of a unit is a table that
    `load_manifest` reads, paths from the data folder.
    """
    tables = {folder / "clips.csv": _clips_table(clips) for folder, clips in units.items()}
    weights = recipe.encoder.weights_file()
    if weights:
        tables[output / "weights.sha256"] = _digest_line(weights)
    if recipe.plugins.files:
        tables[output / "plugins.sha256"] = "".join(map(_digest_line, recipe.plugins.files))
    return {output / "recipe.yaml": dump_recipe(recipe), **tables}


def _digest_line(path: str | Path) -> str:
    """Return a line as sha256sum writes it, with the file's name alone."""
    with Path(path).open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return f"{digest}  {Path(path).name}\n"


def refuse_another(claimed: Mapping[Path, str]) -> None:
    """Raise `InputError` if a folder holds a run of another recipe or of other clips."""
    for path, text in claimed.items():
        if path.exists() and not _same(path, text):
            raise InputError(
                f"{path}: this folder holds a run of {WHAT[path.name]}; give another folder "
                "with -o, or the settings it was started with"
            )


def _same(path: Path, text: str) -> bool:
    """Say whether a file says what `text` does.

    A recipe may leave out what has its default; a table of an older dgmix has no attributes.
    """
    if path.name == "recipe.yaml":
        return dump_recipe(read_recipe(path)) == text
    there = path.read_text("utf-8")
    if path.name == "clips.csv":
        first, *_ = rows = list(csv.reader(io.StringIO(there))) or [[]]
        return rows == [row[: len(first)] for row in csv.reader(io.StringIO(text))]
    return there == text


def claim(output: Path, claimed: Mapping[Path, str], made_of: Mapping[str, Any]) -> None:
    """Write what the run is made of, and remove the report: it will not tell all any more.

    `made_of`, the recipe's name and changes and where the data lie, is noted with the versions in
    `environment.json`.

    Raises `InputError` if another run, started at the same time, has claimed the folder meanwhile.
    """
    for path, text in claimed.items():
        if not path.exists():
            write_text(path, text, replace=False)
        refuse_another({path: text})
    record = {**made_of, **describe_environment()}
    write_text(output / "environment.json", json.dumps(record, indent=2) + "\n")
    (output / "report.html").unlink(missing_ok=True)


def _clips_table(clips: Manifest) -> str:
    from dgmix.evaluate.scores import csv_text

    columns = ("machine", "section", "domain", "split", "label", "attributes")
    rows = [(clips.shown_path(clip), *(getattr(clip, c) for c in columns)) for clip in clips]
    return csv_text([("path", *columns), *rows])
