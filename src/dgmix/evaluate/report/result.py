"""The result of a run in words, tables and two figures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dgmix.errors import DgmixError
from dgmix.evaluate import tables
from dgmix.evaluate.formats import in_order, percent
from dgmix.evaluate.intervals import Estimate, Resampled
from dgmix.evaluate.notes import CONVENTION_TEXT, METRIC_NAMES
from dgmix.evaluate.report import figures
from dgmix.evaluate.report.figures import Look
from dgmix.evaluate.report.parts import Block, Column, Panel, Row, Table, drawn
from dgmix.evaluate.rules import DEV, EVAL
from dgmix.evaluate.scores import shown_system

BLOCK_NAMES = {"dev": "Development", "eval": "Evaluation", "all": "All sections", "": ""}
CHANCE = 0.5


@dataclass(frozen=True)
class TablePart:
    """A table with its heading."""

    name: str
    table: Table


def verdict(judged: Resampled, systems: Sequence[str]) -> list[str]:
    """Return the result of the run, in plain sentences: the best system, then how dgmix stands."""
    omega = {system: judged.estimate(system) for system in systems}
    known = [system for system in systems if not math.isnan(omega[system].value)]
    if not known:
        return ["No test clip has a label, so nothing can be judged; the scores are shown below."]
    known.sort(key=lambda system: -omega[system].value)
    best = known[0]
    sentences = [
        _highest(judged, best, known),
        _in_plain_words(judged, best),
    ]
    if _bounds(omega[best])[0] <= CHANCE:
        sentences.append("That is not clearly better than guessing.")
    if "dgmix" in known and len(known) > 1:
        sentences.append(_standing(judged, known))
    return [sentence for sentence in sentences if sentence]


def summary(judged: Resampled, systems: Sequence[str]) -> Table:
    """Return the official metrics of the systems side by side, in %, Ω first."""
    (_, *names), rows = tables.overview(judged, systems)
    omegas = [index for index, name in enumerate(names) if name.startswith("Ω")]
    others = [index for index in range(len(names)) if index not in omegas]
    metrics = len(judged.metrics)
    order = [*omegas[-1:], *omegas[:-1], *others[metrics:], *others[:metrics]]
    columns = [Column("System", numeric=False), *(Column(names[index]) for index in order)]
    block = Block([Row([row[0], *(_unbroken(row[1 + i]) for i in order)]) for row in rows])
    return Table("Official metrics of each system over all machines, in %", columns, [block])


def overall_figure(judged: Resampled, looks: dict[str, Look]) -> Panel:
    """Return Ω of every system as a dot with its interval."""
    rows = {shown_system(system): [_row(judged, system, look)] for system, look in looks.items()}
    label = "Ω of each system: " + "; ".join(
        f"{name} {percent(row.value / 100)}" for name, (row,) in rows.items()
    )
    return Panel("Ω over all machines, %", drawn(figures.estimates(rows, label)), _bars(judged))


def machine_figure(judged: Resampled, looks: dict[str, Look]) -> Panel | None:
    """Return Ω of every system on every machine, or None where there is one machine only."""
    machines = in_order({unit.machine for unit in judged.cells})
    if len(machines) < 2:
        return None
    rows = {
        machine: [_row(judged, system, look, machine) for system, look in looks.items()]
        for machine in machines
    }
    figure = figures.estimates(rows, "Ω of each system on each machine, as in the official table")
    return Panel("Ω by machine, %", drawn(figure))


def official_table(judged: Resampled, systems: Sequence[str]) -> TablePart:
    """Return the official metrics of every machine and system, in %, by block of sections."""
    spread = "standard error" if judged.several_repeats else f"{_confidence(judged)} interval of Ω"
    names = [*(METRIC_NAMES[metric] for metric in judged.metrics), "Ω", spread]
    metrics = [*([metric] for metric in judged.metrics), list(judged.metrics)]
    caption = f"In %. {CONVENTION_TEXT[judged.convention]}."
    table = _by_machine(judged, systems, caption, names, metrics, list(BLOCK_NAMES))
    return TablePart("Official metrics", table)


def same_domain_table(judged: Resampled, systems: Sequence[str]) -> TablePart:
    """Return the same-domain AUCs of every machine and system, in %, by block of sections."""
    names, metrics = ["AUC source", "AUC target"], [["auc_source"], ["auc_target"]]
    blocks = [name for name in BLOCK_NAMES if name != "all"]
    caption = f"In %. {CONVENTION_TEXT['same-domain']}; not comparable with the official one."
    table = _by_machine(judged, systems, caption, names, metrics, blocks)
    return TablePart("Same-domain metrics", table)


def _by_machine(
    judged: Resampled,
    systems: Sequence[str],
    caption: str,
    names: Sequence[str],
    metrics: Sequence[Sequence[str]],
    wanted: Sequence[str],
) -> Table:
    columns = [Column("Machine", False), Column("System", False), *(Column(n) for n in names)]
    spread = len(names) > len(metrics)
    blocks = []
    for name, places in tables.blocks_of(judged).items():
        if name not in wanted:
            continue
        there = places or {(unit.machine, unit.section) for unit in judged.cells}
        rows = []
        for machine in (*in_order({machine for machine, _ in there}), None):
            for system in systems:
                estimates = [judged.estimate(system, metric, machine, places) for metric in metrics]
                cells = [machine or "all machines", shown_system(system)]
                cells += [percent(each.value) for each in estimates]
                cells += [_interval(estimates[-1])] if spread else []
                rows.append(Row(cells, "" if machine else "total"))
        blocks.append(Block(rows, _block_name(name, places)))
    return Table(caption, columns, blocks, sortable=True)


def _block_name(name: str, places: tables.Block) -> str:
    sections = tuple(sorted({section for _, section in places or ()}))
    shown = f", sections {sections[0]} to {sections[-1]}" if sections in (DEV, EVAL) else ""
    return f"{BLOCK_NAMES[name]}{shown}"


def _highest(judged: Resampled, best: str, known: Sequence[str]) -> str:
    omega = judged.estimate(best)
    reached = f"Ω = {100 * omega.value:.1f}{_spread(omega, judged)}"
    scale = "where guessing reaches 50 and perfection 100"
    if len(known) == 1:
        return f"{shown_system(best)} reaches {reached}, {scale}."
    return f"The best of {len(known)} systems is {shown_system(best)} with {reached}, {scale}."


def _in_plain_words(judged: Resampled, system: str) -> str:
    where = {
        "auc": "",
        "auc_source": " on the source domain",
        "auc_target": " on the target domain",
    }
    aucs = {name: judged.estimate(system, [name]) for name in judged.metrics if name in where}
    cases = [
        f"{100 * auc.value:.0f} of 100{where[name]}"
        for name, auc in aucs.items()
        if not math.isnan(auc.value)
    ]
    if not cases:
        return ""
    return (
        "Of an anomalous and a normal clip it gives the anomalous one the higher score in about "
        f"{' and '.join(cases)}."
    )


def _standing(judged: Resampled, known: Sequence[str]) -> str:
    """Return how dgmix compares with the best of the others; `known` is from best to worst."""
    other = next(system for system in known if system != "dgmix")
    name = shown_system(other)
    try:
        lead = judged.difference("dgmix", other)
    except DgmixError:
        return f"dgmix and {name} did not score the same clips, so they cannot be compared."
    low, high = _bounds(lead)
    points = f"{abs(100 * lead.value):.1f} points{_spread(lead, judged, signed=True)}"
    if lead.value > 0:
        doubt = "" if low > 0 else ", which is too little to call it better"
        return f"dgmix is ahead of {name}, the best of the others, by {points}{doubt}."
    doubt = "" if high < 0 else ", too little to say that it is really worse"
    return f"dgmix does not beat {name} here: its Ω is lower by {points}{doubt}."


def _bounds(estimate: Estimate) -> tuple[float, float]:
    """Return the interval, about two standard errors where there is no other, or the value."""
    if not math.isnan(estimate.low):
        return estimate.low, estimate.high
    reach = 0.0 if math.isnan(estimate.error) else 2 * estimate.error
    return estimate.value - reach, estimate.value + reach


def _spread(estimate: Estimate, judged: Resampled, signed: bool = False) -> str:
    if not math.isnan(estimate.error):
        return f" (standard error {100 * estimate.error:.1f})"
    if math.isnan(estimate.low):
        return ""
    sign = "+" if signed else ""
    low, high = (f"{100 * end:{sign}.1f}".replace("-", "−") for end in estimate[1:3])
    kind = "interval of the difference" if signed else "interval"
    return f" ({_confidence(judged)} {kind} {low} to {high})"


def _confidence(judged: Resampled) -> str:
    return f"{100 * judged.confidence:g} %"


def _interval(estimate: Estimate) -> str:
    if not math.isnan(estimate.error):
        return f"±\u00a0{percent(estimate.error)}"
    if math.isnan(estimate.low):
        return "–"
    return f"{percent(estimate.low)}\u00a0to\u00a0{percent(estimate.high)}"


def _unbroken(cell: str) -> str:
    """Return a number with its interval, which a narrow column breaks between the two only."""
    return cell.replace(", ", ",\u00a0").replace(" ± ", "\u00a0±\u00a0")


def _bars(judged: Resampled) -> str:
    if judged.several_repeats:
        return "bars: one standard error over the splits; dotted: guessing"
    return f"bars: {_confidence(judged)} interval; dotted: guessing"


def _row(judged: Resampled, system: str, look: Look, machine: str | None = None) -> figures.Row:
    estimate = judged.estimate(system, machine=machine)
    low, high = (
        (estimate.low, estimate.high)
        if math.isnan(estimate.error)
        else (estimate.value - estimate.error, estimate.value + estimate.error)
    )
    name = shown_system(system) if machine is None else f"{machine}, {shown_system(system)}"
    return figures.Row(name, look, 100 * estimate.value, 100 * low, 100 * high)
