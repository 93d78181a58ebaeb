"""Print docs/settings.md, from the models in `dgmix.config`: `python docs/settings.py`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import yaml
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from dgmix.config import NAMES, RECIPES, Recipe, Settings, load_recipe
from dgmix.plugins import OWN, Plugins

INTRODUCTION = """# Settings

Written by `python docs/settings.py > docs/settings.md` from `dgmix.config`; do not edit by hand.

A recipe is a YAML file with these keys (`pretrain.epochs: 5` is written `pretrain:` and, below it,
`epochs: 5`). What it leaves out has the value of the column *left out*; the other columns are the
recipes that ship with dgmix. `dgmix run ... --set pretrain.epochs=5` changes one for one run."""
HEADER = ("setting", "value", "meaning", "left out", *RECIPES)
PAGE = re.compile(r"docs/([\w/-]+\.md(?:#[\w-]+)?)")
SIGNS = {"gt": ">", "ge": "≥", "lt": "<", "le": "≤", "min_length": "at least"}


@dataclass(frozen=True)
class Leaf:
    """A setting: its dotted key, its field, and the choice of settings that it belongs to.

    `choice` is the dotted key and the type of the settings around it where there are several to
    choose from, as for an optimiser.
    """

    key: str
    field: FieldInfo
    choice: tuple[str, type[Settings]] | None = None

    def value(self, recipe: Recipe) -> Any:
        """Return the value in a recipe, or None where the recipe made another choice."""
        value: Any = recipe
        for name in self.key.split("."):
            value = getattr(value, name, None)
        if self.choice:
            holder, wanted = self.choice
            chosen: Any = recipe
            for name in holder.split("."):
                chosen = getattr(chosen, name)
            return value if isinstance(chosen, wanted) else None
        return value


def leaves(
    model: type[Settings] = Recipe,
    prefix: str = "",
    choice: tuple[str, type[Settings]] | None = None,
) -> Iterator[Leaf]:
    """Yield every setting of a model that holds a value, not further settings."""
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        options = [t for t in _options(field.annotation) if issubclass(t, Settings)]
        for option in options:
            yield from leaves(option, f"{key}.", (key, option) if len(options) > 1 else choice)
        if not options:
            yield Leaf(key, field, choice)


def page() -> str:
    """Return the whole page as Markdown."""
    recipes = [load_recipe(name) for name in RECIPES]
    parts = [INTRODUCTION]
    group = None
    for leaf in leaves():
        head, _, rest = leaf.key.partition(".")
        title = f"`{head}`" if rest else "Others"
        if title != group:
            group = title
            parts += [f"\n## {title}\n", _line(HEADER), _line(["---"] * len(HEADER))]
        parts.append(_line(_cells(leaf, recipes)))
    return "\n".join(parts) + "\n"


def _cells(leaf: Leaf, recipes: list[Recipe]) -> list[str]:
    where = ""
    if leaf.choice and not leaf.key.endswith(".name"):
        where = f" (`{leaf.choice[1].model_fields['name'].default}`)"
    return [
        f"`{leaf.key}`{where}",
        _names(leaf.key) or _kind(leaf.field),
        PAGE.sub(r"[\1](\1)", leaf.field.description or ""),
        _shown(leaf.field.default),
        *(_shown(leaf.value(recipe)) for recipe in recipes),
    ]


def _names(key: str) -> str:
    """Return the names that a setting may hold where it holds one or several, else nothing."""
    if key not in NAMES:
        return ""
    kind, others = NAMES[key]
    names = " or ".join(f"`{name}`" for name in (*others, *OWN[kind]))
    return f"{'list: ' if isinstance(_default(key), list) else ''}{names}, or one plugged in"


def _default(key: str) -> Any:
    group, _, name = key.partition(".")
    return getattr(getattr(Recipe(), group), name)


def _kind(field: FieldInfo) -> str:
    """Return what values a field takes, in words."""
    kind: Any = field.annotation
    if isinstance(kind, UnionType) or get_origin(kind) is Union:
        return " or ".join(_kind(FieldInfo.from_annotation(each)) for each in get_args(kind))
    if get_origin(kind) is Literal:
        return " or ".join(f"`{option}`" for option in get_args(kind))
    if kind is Plugins:
        return "list: text"
    if get_origin(kind) is list:
        inner = FieldInfo.from_annotation(get_args(kind)[0])
        return f"list: {_kind(inner)}"
    limits = [
        f"{sign} {getattr(limit, name):g}"
        for limit in field.metadata
        for name, sign in SIGNS.items()
        if getattr(limit, name, None) is not None
    ]
    names = {int: "whole number", float: "number", bool: "`true` or `false`", str: "text"}
    return " ".join([names[kind], ", ".join(limits)]).strip()


def _options(annotation: Any) -> list[type]:
    if isinstance(annotation, type):
        return [annotation]
    if isinstance(annotation, UnionType):
        return [option for option in get_args(annotation) if isinstance(option, type)]
    return []


def _shown(value: Any) -> str:
    if value is None or value is PydanticUndefined:
        return "–"
    if isinstance(value, Plugins):
        value = list(value.files)
    text = yaml.safe_dump(value, default_flow_style=True).strip().removesuffix("...").strip()
    return f"`{text}`"


def _line(cells: list[str] | tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    print(page(), end="")
