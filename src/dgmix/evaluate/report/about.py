"""What a run was made of: data, settings, versions and hardware."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from dgmix.config import EvaluateSettings, Origin, load_recipe, parse_recipe, recipe_origin
from dgmix.detect.resolve import recipe_at
from dgmix.errors import InputError
from dgmix.evaluate.formats import in_order
from dgmix.evaluate.report.parts import Block, Column, Row, Table, listing
from dgmix.files import explained

KINDS = ("source normal", "source anomaly", "target normal", "target anomaly")


def read_settings(run: Path) -> dict[str, Any]:
    """Return `recipe.yaml` as nested settings; without the file, nothing.

    Raises `InputError` when it is no YAML mapping.
    """
    return _mapping(run / "recipe.yaml", yaml.safe_load, yaml.YAMLError)


def read_environment(run: Path) -> dict[str, Any]:
    """Return `environment.json`; without the file, nothing.

    Raises `InputError` when it is no JSON object.
    """
    return _mapping(run / "environment.json", json.loads, ValueError)


def training_clips(run: Path) -> dict[str, Counter[str]]:
    """Return how many normal training clips each machine has, by domain, from its `clips.csv`.

    Of several repeats the first is counted. A run without these files gives nothing.
    """
    counts: dict[str, Counter[str]] = {}
    for path in sorted(run.glob("*/**/clips.csv")):
        machine = path.relative_to(run).parts[0]
        if machine not in counts:
            with explained(path), path.open(encoding="utf-8", errors="replace", newline="") as text:
                rows = [row for row in csv.DictReader(text) if row.get("split") == "train"]
            counts[machine] = Counter(row.get("domain") or "source" for row in rows)
    return counts


def evaluation(settings: dict[str, Any]) -> EvaluateSettings:
    """Return how the run's own tables were made, or the defaults where it does not say.

    Settings of another version of dgmix are left out, and the baselines, which the scores tell.
    Raises `InputError` for bad values.
    """
    own = settings.get("evaluate") or {}
    if isinstance(own, dict):
        known = EvaluateSettings.model_fields.keys() - {"baselines"}
        own = {key: value for key, value in own.items() if key in known}
    return parse_recipe({"evaluate": own}, "recipe.yaml", checked=False).evaluate


def facts(scores: pl.DataFrame, settings: dict[str, Any], environment: dict[str, Any]) -> list[str]:
    """Return what was run in a few words each."""
    test = scores.filter(split="test")
    counts = {
        "machine": test["machine"].n_unique(),
        "section": test.select("machine", "section").n_unique(),
        "test clip": test.select("machine", "section", "path").n_unique(),
        "train/test split": test["repeat"].n_unique(),
        "seed": test["seed"].n_unique(),
        "system": test["system"].n_unique(),
    }
    shown = [
        f"{count:,} {name}{'' if count == 1 else 's'}".replace(",", "\u202f")
        for name, count in counts.items()
        if count > 1 or name != "train/test split"
    ]
    return [*shown, *([recipe_name(settings, environment)] if settings else [])]


def settings_table(
    settings: dict[str, Any], environment: dict[str, Any]
) -> tuple[Table, str] | None:
    """Return every setting beside that of the default recipe, and which recipe they are."""
    if not settings:
        return None
    default, own = flat(_shipped("default", settings)), flat(settings)
    columns = [Column("Setting", False), Column("Value", False), Column("Default", False)]
    rows = [
        Row([name, value, default.get(name, "–")], "changed" if default.get(name) != value else "")
        for name, value in own.items()
    ]
    table = Table("Settings; bold: not as in the default recipe", columns, [Block(rows)])
    return table, recipe_name(settings, environment)


def recipe_name(settings: dict[str, Any], environment: dict[str, Any]) -> str:
    """Return which recipe these settings come from, and how many of them were changed.

    The run's record names it; without one it is the nearest of those that ship with dgmix.
    """
    match environment.get("recipe"):
        case {"base": str(base), "changes": [*changes]}:
            origin = Origin(base, changes)
        case _:
            origin = recipe_origin(settings, decided=True)
    number = len(origin.changes)
    changed = f", {number} {'setting' if number == 1 else 'settings'} changed" if number else ""
    return f"recipe “{Path(origin.base).stem}”{changed}"


def _shipped(name: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe that ships with dgmix, at the sample rate of some settings if at any."""
    recipe, rate = load_recipe(name), settings.get("audio", {}).get("sample_rate")
    if recipe.audio.sample_rate == "auto" and isinstance(rate, int):
        recipe = recipe_at(recipe, rate)
    return recipe.model_dump(mode="json")


def environment_table(environment: dict[str, Any]) -> Table | None:
    """Return versions and hardware at the time of the run."""
    if not environment:
        return None
    shown = {name: value for name, value in environment.items() if name != "recipe"}
    if "data" in shown:  # the record has the whole path; a report may go to others
        shown["data"] = Path(str(shown["data"])).name
    return listing("Versions and hardware", "What", "Value", flat(shown))


def data_table(scores: pl.DataFrame, training: dict[str, Counter[str]]) -> Table:
    """Return how many clips of each kind every machine has, those of one repeat."""
    test = scores.filter(split="test").unique(["machine", "section", "path"])
    names = ["Sections", *(f"Test, {kind}" for kind in KINDS)]
    unknown = "unknown" in test["label"].to_list()
    names += ["Test, label unknown"] if unknown else []
    names += ["Training, source", "Training, target"] if training else []
    rows = []
    for machine in in_order(set(test["machine"])):
        own = test.filter(machine=machine)
        counts = Counter(map(" ".join, own.select("domain", "label").iter_rows()))
        cells = [machine, own["section"].n_unique(), *(counts[kind] for kind in KINDS)]
        cells += [own.filter(label="unknown").height] if unknown else []
        known = training.get(machine)
        cells += [known[d] if known else "–" for d in ("source", "target")] if training else []
        rows.append(Row([str(cell) for cell in cells]))
    columns = [Column("Machine", False), *(Column(name) for name in names)]
    return Table("Clips of each machine", columns, [Block(rows)], sortable=True)


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Return nested settings as dotted names and the values as text."""
    flattened: dict[str, str] = {}
    for name, value in values.items():
        if isinstance(value, dict) and value:
            flattened |= flat(value, f"{prefix}{name}.")
        else:
            flattened[f"{prefix}{name}"] = _text(value)
    return flattened


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "–" if value is None else str(value)


def _mapping(path: Path, parse: Any, error_type: type[Exception]) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        with explained(path):
            values = parse(path.read_text("utf-8"))
    except (error_type, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read; mend the file or remove it") from error
    if not isinstance(values, dict):
        raise InputError(f"{path}: holds no names and values; mend the file or remove it")
    return values
