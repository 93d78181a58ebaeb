"""The recipes that are tried for a machine: one, and variants of its views."""

from __future__ import annotations

from dataclasses import dataclass

from dgmix.config import LEARNED, Recipe
from dgmix.detect.views import RAW_VIEWS, in_words


@dataclass(frozen=True)
class Candidate:
    """A recipe under a name that tells what is special about it."""

    name: str
    recipe: Recipe


def candidates(recipe: Recipe, name: str = "default") -> list[Candidate]:
    """Return a recipe and its variants: without each view, and with one more.

    No variant has a single view, which finds the faults of one kind alone, and none another scorer:
    planted faults do not choose these well (docs/decisions/0031-choose.md).
    """
    views = list(recipe.detect.views)
    variants: dict[str, list[str]] = {}
    if len(views) > 2:
        variants |= {f"without {in_words(v)}": [w for w in views if w != v] for v in views}
    variants |= {f"with {in_words(v)}": [*views, v] for v in RAW_VIEWS if v not in views}
    others = (Candidate(label, with_views(recipe, of)) for label, of in variants.items())
    return [Candidate(name, recipe), *others]


def with_views(recipe: Recipe, views: list[str]) -> Recipe:
    """Return a recipe that compares other views, without the baselines of views that it lacks."""
    parts = {"learned": LEARNED in views, "raw": set(views) != {LEARNED}}
    rows = [row for row in recipe.evaluate.baselines if parts.get(row, True)]
    evaluate = recipe.evaluate.model_copy(update={"baselines": rows})
    detect = recipe.detect.model_copy(update={"views": views})
    return recipe.model_copy(update={"detect": detect, "evaluate": evaluate})
