"""Choose the views of the default detector, and report the choice on a set that it did not see.

    python benchmarks/choose_default.py PROTOCOLS SIMULATED [-o FOLDER] [--cache FOLDER]

PROTOCOLS is a folder of tables of clips (CSV, one a data set, with repeated splits), SIMULATED the
folder of a simulated set. For every set of real recordings the choice is made on all others, the
simulated one and planted faults, and reported on that one ("left out"); then once on all. No hand
comes in between: of each family of views (`candidate_views.FAMILIES`, and none or one of `MORE`)
the script takes one, a kernel for it, and the order of the norm that draws the views together, by
coordinate descent on the mean Ω over the sets. It begins with the first view of each family, and
changes only what gains more than the standard error. It writes `choice.yaml`, the list of the
default, and `choice.md`, the table.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import yaml
from candidate_views import FAMILIES, MORE, VIEWS, Floats
from choose_sets import TestSet, read_sets
from exact_scores import Kernel, fused

from dgmix.audio.cache import default_folder
from dgmix.files import write_text
from dgmix.progress import say

RIDGE, BETWEEN, NEAREST = "ridge", "between", "nearest"
KERNELS = {RIDGE: Kernel(2, 0.5), BETWEEN: Kernel(1.5), NEAREST: Kernel(0)}
CHOSEN_KERNELS = (RIDGE, BETWEEN)
ORDERS = (math.inf, 4.0, 2.0)
WORTH = 0.5  # Ω, about its standard error: what anything else has to gain to be taken instead
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
Member = tuple[str, str]  # view, kernel


@dataclass(frozen=True)
class Choice:
    """A detector: a view and its kernel of each family, and the order of the norm over views."""

    members: frozenset[Member]
    order: float

    def __str__(self) -> str:
        views = ", ".join(f"{view} {kernel}" for view, kernel in sorted(self.members))
        return f"{views}; {'largest' if math.isinf(self.order) else f'norm {self.order:g}'}"


@dataclass
class Bench:
    """The sets, and Ω of every choice that was tried on them, a list of repeats."""

    sets: list[TestSet]
    known: dict[tuple[Choice, str], list[float]] = field(default_factory=dict)

    def omegas(self, choice: Choice, on: TestSet) -> list[float]:
        key = choice, on.name
        if key not in self.known:
            views = [on.scores(view, KERNELS[kernel]) for view, kernel in sorted(choice.members)]

            def fuse(repeat: int, trial: int) -> Floats:
                return fused(np.array([view[repeat][trial] for view in views]), choice.order)

            self.known[key] = on.omegas(fuse)
        return self.known[key]

    def mean(self, choice: Choice, sets: Sequence[TestSet]) -> float:
        return float(np.mean([np.mean(self.omegas(choice, each)) for each in sets]))

    def choose(self, sets: Sequence[TestSet]) -> Choice:
        """Return the best choice on sets, by coordinate descent from each family's first view."""
        taken: dict[str, Member] = {family: (views[0], RIDGE) for family, views in FAMILIES.items()}
        best, before = self.mean(_choice(taken, math.inf), sets), -math.inf
        order = math.inf
        while best > before:
            before = best
            for family, views in {**FAMILIES, **MORE}.items():
                for option in [(view, kernel) for view in views for kernel in CHOSEN_KERNELS]:
                    trial = {**taken, family: option}
                    value = self.mean(_choice(trial, order), sets)
                    if value > best + WORTH:
                        taken, best = trial, value
            for norm in ORDERS:
                value = self.mean(_choice(taken, norm), sets)
                if value > best + WORTH:
                    order, best = norm, value
        return _choice(taken, order)


def _choice(taken: dict[str, Member], order: float) -> Choice:
    return Choice(frozenset(taken.values()), order)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("protocols", type=Path, help="a folder of tables of clips")
    parser.add_argument("simulated", type=Path, help="a simulated set")
    parser.add_argument("-o", "--output", type=Path, default=Path("runs/choice"))
    parser.add_argument("--cache", type=Path, default=default_folder(), help="of features")
    parser.add_argument("--pyod", action="store_true", help="a row of PyOD's audio detector")
    options = parser.parse_args(arguments)
    tables = sorted(options.protocols.glob("*.csv"))
    if not tables:
        parser.error(f"{options.protocols}: no tables of clips (*.csv)")
    pairs = [read_sets(table.stem, table, options.cache) for table in tables]
    real = [first for first, _ in pairs]
    simulated = read_sets("simulated", options.simulated, options.cache)
    bench = Bench([*(each for pair in [*pairs, simulated] for each in pair)])
    chosen = bench.choose(bench.sets)
    say(f"chosen on all: {chosen}")
    left_out = {}
    for each in real:
        others = [other for other in bench.sets if not other.name.startswith(each.name)]
        left_out[each.name] = bench.choose(others)
        say(f"without {each.name}: {left_out[each.name]}")
    measured = {}
    if options.pyod:
        import pyod_audio

        omegas = {each.name: pyod_audio.omegas(each, each.paths) for each in real}
        measured["PyOD, audio"] = {name: float(np.mean(of)) for name, of in omegas.items()}
    text = report(bench, real, simulated[0], chosen, left_out, measured)
    options.output.mkdir(parents=True, exist_ok=True)
    write_text(options.output / "choice.md", text)
    write_text(options.output / "choice.yaml", recipe_of(chosen))
    print(text)


def recipe_of(choice: Choice) -> str:
    """Return a choice as YAML: what of the default recipe it decides."""
    views = [
        {"view": view, **KERNELS[kernel]._asdict(), "parts": VIEWS[view].bands}
        for view, kernel in sorted(choice.members)
    ]
    order = "largest" if math.isinf(choice.order) else choice.order
    return yaml.safe_dump({"views": views, "norm": order}, sort_keys=False)


def report(
    bench: Bench,
    real: Sequence[TestSet],
    simulated: TestSet,
    chosen: Choice,
    left_out: dict[str, Choice],
    measured: dict[str, dict[str, float]],
) -> str:
    """Return the table in Markdown: Ω in %, mean over the splits, of each system on each set.

    `measured` are those of systems that are none of ours, by label and set.
    """
    planted = [each for each in bench.sets if each not in (*real, simulated)]
    names = [each.name for each in real]
    lines = [
        f"| | {' | '.join(names)} | **mean** | simulated | planted faults |",
        "|---" * (len(names) + 4) + "|",
    ]

    def row(label: str, values: Sequence[float], others: Sequence[str] = ("", "")) -> None:
        cells = [f"{value:.1f}" for value in values]
        lines.append(f"| {label} | {' | '.join([*cells, f'**{np.mean(values):.1f}**', *others])} |")

    def whole_row(label: str, choice: Choice) -> None:
        others = [f"{bench.mean(choice, part):.1f}" for part in ([simulated], planted)]
        row(label, [bench.mean(choice, [each]) for each in real], others)

    for label, values in {**HISTORY, **measured}.items():
        if set(names) <= set(values):
            row(label, [values[name] for name in names])
    singles = [Choice(frozenset([(v, k)]), math.inf) for v in VIEWS for k in KERNELS]
    for single in singles:
        if all(kernel == RIDGE for _, kernel in single.members):
            whole_row(str(single).split(";")[0], single)
    row("oracle view", [max(bench.mean(s, [each]) for s in singles) for each in real])
    before = [("mean", NEAREST), *((v, NEAREST) for v in ("q90", "max", "change", "rhythm"))]
    whole_row("views of the default before, nearest clip", Choice(frozenset(before), math.inf))
    nearest = Choice(frozenset((view, NEAREST) for view, _ in chosen.members), chosen.order)
    whole_row("chosen views, nearest clip", nearest)
    for member in sorted(chosen.members):
        fewer = Choice(chosen.members - {member}, chosen.order)
        whole_row(f"chosen without {member[0]}", fewer)
    for extra in VIEWS:
        if extra not in {view for view, _ in chosen.members}:
            more = Choice(chosen.members | {(extra, RIDGE)}, chosen.order)
            whole_row(f"chosen and {extra}", more)
    for order in ORDERS:
        whole_row(f"chosen, {order:g}-norm", Choice(chosen.members, order))
    whole_row("**chosen on all**", chosen)
    row("**left out**", [bench.mean(left_out[each.name], [each]) for each in real])
    errors = [np.array(bench.omegas(chosen, each)) for each in real]
    deviations = [float(e.std(ddof=1) / math.sqrt(len(e))) if len(e) > 1 else 0.0 for e in errors]
    row("standard error over splits, chosen on all", deviations)
    choices = [f"- without {name}: {choice}" for name, choice in left_out.items()]
    return "\n".join([*lines, "", f"Chosen on all: {chosen}", "", "Left out:", *choices, ""])


if __name__ == "__main__":
    main()
