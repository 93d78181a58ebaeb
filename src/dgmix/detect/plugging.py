"""A recipe with plug-ins that a program gives as objects."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dgmix.config import LEARNED, Recipe, load_recipe
from dgmix.plugins import OWN, RESERVED, Plugins


def plugged(
    recipe: str | Path | Recipe,
    *,
    changes: Sequence[str] = (),
    encoder: object = None,
    scorer: object = None,
    views: Mapping[str, Any] | None = None,
    plugins: object = None,
) -> Recipe:
    """Return the recipe with an encoder, a scorer, and views of one's own beside its own.

    A `recipe` that is no `Recipe` is loaded with `changes`. The embedding of the encoder is a view
    of it. `plugins`, as `Plugins.of` takes them, may be named by the recipe. Raises `InputError`
    for a name that dgmix has itself.
    """
    objects: dict[str, dict[str, Any]] = {"views": dict(views or {})}
    given = Plugins.of(plugins)
    if not isinstance(recipe, Recipe):
        recipe = load_recipe(recipe, changes, given | Plugins.of(objects))
    names = [*recipe.detect.views, *objects["views"]]
    detect: dict[str, Any] = {}
    settings = recipe.encoder
    if encoder is not None:
        name = name_of(encoder, "encoders")
        objects["encoders"] = {name: encoder}
        settings = settings.model_copy(update={"name": name, "init": "torch", "weights": ""})
        names.append(LEARNED)
    if scorer is not None:
        detect["scorer"] = name_of(scorer, "scorers")
        objects["scorers"] = {detect["scorer"]: scorer}
    detect["views"] = list(dict.fromkeys(names))
    return recipe.model_copy(
        update={
            "encoder": settings,
            "detect": recipe.detect.model_copy(update=detect),
            "plugins": recipe.plugins | given | Plugins.of(objects),
        }
    )


def name_of(given: Any, kind: str) -> str:
    """Return a name for what is plugged in: that of its class, or of the function or class."""
    own = given if isinstance(given, type) or hasattr(given, "__name__") else type(given)
    name = re.sub(r"\W", "", own.__name__.replace("<lambda>", "")).lstrip("_") or "mine"
    return f"{name}-given" if name in (*OWN[kind], *RESERVED) else name
