"""Changes of a recipe from outside, such as `pretrain.epochs=5`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any, get_args

import yaml
from pydantic import BaseModel

from dgmix.errors import InputError, did_you_mean, meant, nearest

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

Values = dict[str, Any]
Changes = dict[str, Any]
LEARNED_VIEW = "dgmix"


def changed(values: Values, texts: Sequence[str], defaults: Values) -> Values:
    """Return the values of a recipe with changes, `a.b=value` texts whose values are YAML.

    Changes win over the recipe. What the recipe says about a choice that they replace (the momentum
    of another optimiser, the first weights of another encoder) is left out, unless they give it
    too. `defaults` are the values that the recipe leaves out.

    Raises `InputError` for a text that is no change, and for one below what is no group.
    """
    changes = dict(map(_parsed, texts))
    result = values
    for key, other in REPLACED.items():
        if key in changes and changes[key] != _value(values, key, _value(defaults, key)):
            result = other(result, changes[key])
    for key, value in changes.items():
        result = _with(result, key.split("."), value, f"{key}={value}")
    return result


def _value(values: Any, key: str, default: Any = None) -> Any:
    for part in key.split("."):
        if not isinstance(values, dict) or part not in values:
            return default
        values = values[part]
    return values


def _parsed(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not all(key.split(".")):
        raise InputError(f"--set {text}: write it as key=value, for example pretrain.epochs=5")
    try:
        return key, yaml.safe_load(value)
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"--set {text}: the value is not valid YAML") from error


def _with(values: Values, parts: Sequence[str], value: Any, shown: str) -> Values:
    """Return values with one of them replaced, at the place that `parts` name."""
    first, *rest = parts
    if not rest:
        return {**values, first: value}
    group = values.get(first, {})
    if not isinstance(group, dict):
        raise InputError(f"--set {shown}: '{first}' holds a value, not settings")
    return {**values, first: _with(group, rest, value, shown)}


def _without(*keys: str) -> Callable[[Values, Any], Values]:
    """Return what leaves settings out of the values of a recipe, by their keys."""
    places = [key.split(".") for key in keys]
    return lambda values, _: reduce(_left_out, places, values)


def _left_out(values: Any, parts: Sequence[str]) -> Any:
    first, *rest = parts
    if not isinstance(values, dict) or first not in values:
        return values
    if not rest:
        return {key: value for key, value in values.items() if key != first}
    return {**values, first: _left_out(values[first], rest)}


def _other_views(values: Values, views: Any) -> Values:
    """Return the values of a recipe without baselines of views that it has not."""
    rows = _value(values, "evaluate.baselines")
    if not isinstance(rows, list) or not isinstance(views, list):
        return values
    parts = {"learned": LEARNED_VIEW in views, "raw": set(views) != {LEARNED_VIEW}}
    kept = [row for row in rows if parts.get(row, True)]
    return _with(values, ["evaluate", "baselines"], kept, "")


REPLACED: dict[str, Callable[[Values, Any], Values]] = {
    "pretrain.optimizer.name": _without("pretrain.optimizer"),
    "finetune.optimizer.name": _without("finetune.optimizer"),
    "encoder.name": _without("encoder.init", "encoder.weights"),
    "detect.views": _other_views,
}
"""What goes out of a recipe when a choice, by its key, is replaced by another."""


def setting_names(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """Yield the dotted names of all settings of a model, those of groups before what is in them."""
    for name, field in model.model_fields.items():
        yield f"{prefix}{name}"
        for each in _models(field.annotation):
            yield from setting_names(each, f"{prefix}{name}.")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """Yield the models that an annotation speaks of, those in lists and unions too."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def nearest_setting(key: str, model: type[BaseModel]) -> str:
    """Return " (did you mean 'detect.scorer'?)" for a key that is nearly a setting of a model.

    Its last part decides, best within its own group.
    """
    group, _, last = ".".join(part for part in key.split(".") if not part.isdigit()).rpartition(".")
    places: dict[str, list[str]] = {}
    for name in dict.fromkeys(setting_names(model)):
        places.setdefault(name.rpartition(".")[2], []).append(name)
    own = [name for names in places.values() for name in names if name.rpartition(".")[0] == group]
    near = nearest(last, [name.rpartition(".")[2] for name in own])
    if near:
        return meant(f"{group}.{near}" if group else near)
    return meant(nearest(key, places.get(nearest(last, places), ()), 0.0))


def nearest_value(error: ErrorDetails) -> str:
    """Return " (did you mean 'knn'?)" for the error of a value that is nearly a permitted one."""
    context = error.get("ctx", {})
    permitted = context.get("expected") or context.get("expected_tags") or ""
    given = context.get("tag", error.get("input"))
    return did_you_mean(given, re.findall("'([^']+)'", permitted)) if type(given) is str else ""
