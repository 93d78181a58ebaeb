"""The search of `choose_default.py`: which views, which kernel for each, in which unit, and which
norm over them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from candidate_views import FAMILIES, MORE, Floats
from choose_sets import TestSet
from exact_scores import Fusion, Kernel, fused

RIDGE, BETWEEN, NEAREST = "ridge", "between", "nearest"
KERNELS = {RIDGE: Kernel(2, 0.5), BETWEEN: Kernel(1.5), NEAREST: Kernel(0)}
CHOSEN_KERNELS = (RIDGE, BETWEEN)
LARGEST = Fusion(math.inf)
FUSIONS = (LARGEST, Fusion(4), Fusion(2), Fusion(2, above=3), Fusion(1, above=3))
FIRST_NEIGHBOURS = 4  # left out of what the unit of a view is made of
NEIGHBOURS = (FIRST_NEIGHBOURS, 0, 2, 8)
WORTH = 0.5  # Ω, about its standard error: what anything else has to gain to be taken instead
Member = tuple[str, str]  # view, kernel


@dataclass(frozen=True)
class Choice:
    """A detector: a view and its kernel of each family, and what draws the views together.

    In the unit of a view so many `neighbours` are left out.
    """

    members: frozenset[Member]
    fusion: Fusion
    neighbours: int

    def __str__(self) -> str:
        views = ", ".join(f"{view} {kernel}" for view, kernel in sorted(self.members))
        return f"{views}; {self.fusion}; {self.neighbours} neighbours left out"

    @property
    def kernels(self) -> list[tuple[str, Kernel]]:
        """Each view and its kernel."""
        return [
            (view, KERNELS[kernel]._replace(neighbours=self.neighbours))
            for view, kernel in sorted(self.members)
        ]


@dataclass
class Bench:
    """The sets, and Ω of every choice that was tried on them, a list of repeats."""

    sets: list[TestSet]
    known: dict[tuple[Choice, str], list[float]] = field(default_factory=dict)

    def omegas(self, choice: Choice, on: TestSet) -> list[float]:
        key = choice, on.name
        if key not in self.known:
            views = [on.scores(view, kernel) for view, kernel in choice.kernels]

            def fuse(repeat: int, trial: int) -> Floats:
                return fused(np.array([view[repeat][trial] for view in views]), choice.fusion)

            self.known[key] = on.omegas(fuse)
        return self.known[key]

    def mean(self, choice: Choice, sets: Sequence[TestSet]) -> float:
        return float(np.mean([np.mean(self.omegas(choice, each)) for each in sets]))

    def choose(self, sets: Sequence[TestSet]) -> Choice:
        """Return the best choice on sets, by coordinate descent from each family's first view."""
        taken: dict[str, Member] = {family: (views[0], RIDGE) for family, views in FAMILIES.items()}
        best = Choice(frozenset(taken.values()), LARGEST, FIRST_NEIGHBOURS)
        value, before = self.mean(best, sets), -math.inf
        while value > before:
            before = value
            for family, views in {**FAMILIES, **MORE}.items():
                for option in [(view, kernel) for view in views for kernel in CHOSEN_KERNELS]:
                    other = replace(best, members=frozenset({**taken, family: option}.values()))
                    if (gained := self.mean(other, sets)) > value + WORTH:
                        taken[family], best, value = option, other, gained
            changes: list[dict[str, Any]] = [{"fusion": fusion} for fusion in FUSIONS]
            for change in [*changes, *({"neighbours": count} for count in NEIGHBOURS)]:
                other = replace(best, **change)
                if (gained := self.mean(other, sets)) > value + WORTH:
                    best, value = other, gained
        return best
