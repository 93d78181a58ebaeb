"""The table of `choose_default.py`, in Markdown: Ω in %, mean over the splits of each set."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from candidate_views import VIEWS
from choose_search import (
    FUSIONS,
    KERNELS,
    LARGEST,
    NEAREST,
    NEIGHBOURS,
    RIDGE,
    Bench,
    Choice,
)
from choose_sets import TestSet

HISTORY = {  # Ω by `dgmix run` on these splits before (docs/decisions/0025-fixed-metrics.md)
    "default before: re-fitted whitening, nearest": {
        "dcase2023_valve": 84.4,
        "lathe": 66.0,
        "mimii_fan": 94.6,
        "bldc_propeller": 67.1,
        "adi_cbm": 92.0,
        "pronostia": 92.1,
    },
}
VIEWS_BEFORE = ("mean", "q90", "max", "change", "rhythm")


@dataclass(frozen=True)
class Tables:
    """What was chosen, on all sets and without each of the `real` ones, and on what."""

    bench: Bench
    real: Sequence[TestSet]
    simulated: TestSet
    planted: Sequence[TestSet]
    chosen: Choice
    left_out: Mapping[str, Choice]

    def report(self, measured: Mapping[str, Mapping[str, float]]) -> str:
        """Return the table and the choices, with rows of `measured` systems by label and set."""
        names = [each.name for each in self.real]
        known = [
            self._row(label, [values[name] for name in names])
            for label, values in {**HISTORY, **measured}.items()
            if set(names) <= set(values)
        ]
        lines = [
            f"| | {' | '.join(names)} | **mean** | simulated | planted faults |",
            "|---" * (len(names) + 4) + "|",
            *known,
            *self._single_views(),
            *self._neighbours(),
            *self._choices(),
        ]
        without = [f"- without {name}: {choice}" for name, choice in self.left_out.items()]
        return "\n".join([*lines, "", f"Chosen on all: {self.chosen}", "", *without, ""])

    def _single_views(self) -> Iterator[str]:
        for view in VIEWS:
            yield self._of(view, _single(view, RIDGE))
        singles = [_single(view, kernel) for view in VIEWS for kernel in KERNELS]
        best = [max(self.bench.mean(s, [each]) for s in singles) for each in self.real]
        yield self._row("oracle view", best)

    def _neighbours(self) -> Iterator[str]:
        """Yield rows of what differs from the choice in one thing."""
        members = self.chosen.members
        before = frozenset((view, NEAREST) for view in VIEWS_BEFORE)
        yield self._of("views of the default before, nearest clip", Choice(before, LARGEST, 0))
        nearest = frozenset((view, NEAREST) for view, _ in members)
        yield self._with("chosen views, nearest clip", members=nearest, neighbours=0)
        for member in sorted(members):
            yield self._with(f"chosen without {member[0]}", members=members - {member})
        for view in sorted(set(VIEWS) - {view for view, _ in members}):
            yield self._with(f"chosen and {view}", members=members | {(view, RIDGE)})
        for fusion in FUSIONS:
            yield self._with(f"chosen, {fusion}", fusion=fusion)
        for count in NEIGHBOURS:
            yield self._with(f"chosen, {count} neighbours left out", neighbours=count)

    def _with(self, label: str, **changes: Any) -> str:
        return self._of(label, replace(self.chosen, **changes))

    def _choices(self) -> Iterator[str]:
        yield self._of("**chosen on all**", self.chosen)
        left_out = [self.bench.mean(self.left_out[each.name], [each]) for each in self.real]
        yield self._row("**left out**", left_out)
        omegas = [np.array(self.bench.omegas(self.chosen, each)) for each in self.real]
        errors = [
            float(of.std(ddof=1)) / math.sqrt(len(of)) if len(of) > 1 else 0.0 for of in omegas
        ]
        cells = " | ".join(f"{error:.1f}" for error in errors)
        yield f"| standard error over splits, chosen on all | {cells} | | | |"

    def _of(self, label: str, choice: Choice) -> str:
        others = [self.bench.mean(choice, part) for part in ([self.simulated], self.planted)]
        return self._row(label, [self.bench.mean(choice, [each]) for each in self.real], others)

    def _row(self, label: str, values: Sequence[float], others: Sequence[float] = ()) -> str:
        cells = [*(f"{value:.1f}" for value in values), f"**{np.mean(values):.1f}**"]
        more = [f"{value:.1f}" for value in others] or ["", ""]
        return f"| {label} | {' | '.join([*cells, *more])} |"


def _single(view: str, kernel: str) -> Choice:
    return Choice(frozenset([(view, kernel)]), LARGEST, 0)
