"""Sister units: machines of one design that are not quite alike."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np

from dgmix.data.simulate.signals import Generator

SPREAD = 0.06
"""Standard deviation between sisters: part of a length, frequency or amplitude."""

TEETH = (-1, 0, 1)
"""By how much a number of teeth may differ."""


def sister(unit: Any, rng: Generator) -> Any:
    """Return a unit of the same design as `unit`: a tree of dataclasses, tuples and numbers."""
    if is_dataclass(unit) and not isinstance(unit, type):
        return replace(unit, **{f.name: sister(getattr(unit, f.name), rng) for f in fields(unit)})
    if isinstance(unit, tuple):
        return tuple(_pair(item, rng) if _is_pair(item) else sister(item, rng) for item in unit)
    if isinstance(unit, int):
        return unit + int(rng.choice(TEETH))
    return float(unit * np.exp(rng.normal(0, SPREAD)))


def _is_pair(item: Any) -> bool:
    return isinstance(item, tuple) and len(item) == 2


def _pair(pair: tuple[float, float], rng: Generator) -> tuple[float, float]:
    """A spectrum's (Hz, dB) moves by about 1 dB; an (order, amplitude) scales, its order stays."""
    where, level = pair
    if isinstance(where, int):
        return where, float(level * np.exp(rng.normal(0, 3 * SPREAD)))
    return where, float(level + rng.normal(0, 0.7))
