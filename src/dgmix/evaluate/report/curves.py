"""The training of a run as curves."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from dgmix.evaluate.formats import in_order
from dgmix.evaluate.report import figures, svg
from dgmix.evaluate.report.figures import Look
from dgmix.evaluate.report.parts import Block, Column, Entry, Panel, Row, Table, drawn
from dgmix.evaluate.report.svg import Point
from dgmix.evaluate.report.training import Epoch, TrainingLog

MOST_POINTS, LEAST_POINTS = 180, 20
STAGES = {"pretrain": "Pre-training", "finetune": "Fine-tuning"}
NOT_CURVES = {"stage", "epoch", "steps", "seconds"}
DIAGNOSTICS = ("embedding_std", "effective_rank", "projector_std", "geometric_over_variance")
CURVES = {
    "loss": ("Loss", "the weighted sum of the terms"),
    "geometric": ("Geometric term", "between the embedding of a mixture and the mixed embeddings"),
    "variance": ("Variance term", "0 where every dimension has a standard deviation of 1 or more"),
    "covariance": ("Covariance term", "0 where no two dimensions are correlated"),
    "classification": ("Classification term", "of the mixed class labels"),
    "lr": ("Learning rate", "as the schedule sets it"),
    "embedding_std": ("Standard deviation of the embedding", "near 0: collapsed"),
    "effective_rank": ("Effective rank of the embedding", "near 1: all on one line"),
    "projector_std": ("Standard deviation of the projection", "near 0: collapsed, wanted near 1"),
    "geometric_over_variance": ("Geometric term over variance", "small only if mixing is learned"),
}
LINEAR = {"lr", "effective_rank"}
LOG_FROM = 30.0


@dataclass(frozen=True)
class Stage:
    """The curves of one stage of training, and a table of its last epoch."""

    name: str
    panels: Sequence[Panel]
    last: Table


@dataclass(frozen=True)
class Training:
    """What the trainings of a machine wrote down."""

    machine: str
    legend: Sequence[Entry]
    stages: Sequence[Stage]


def trainings(logs: Sequence[TrainingLog]) -> list[Training]:
    """Return the curves of every machine that has a log."""
    by_machine = []
    for machine in in_order({log.machine for log in logs}):
        own = {log.name: log for log in logs if log.machine == machine}
        few = len(own) <= figures.LOOKS
        looks = figures.looks(list(own)) if few else dict.fromkeys(own, figures.MANY)
        stages = dict.fromkeys(stage for log in own.values() for stage in log.stages)
        shown = [_stage(machine, stage, own, looks) for stage in stages]
        if shown:
            by_machine.append(Training(machine, _legend(looks), shown))
    return by_machine


def _legend(looks: dict[str, Look]) -> list[Entry]:
    """Return an entry for each training, or one for all where they look the same."""
    if figures.MANY in looks.values():
        name = f"{len(looks)} trainings; pointing at a line shows its name"
        return [Entry(name, name, drawn(figures.key(figures.MANY)))]
    return [Entry(name, name, drawn(figures.key(look))) for name, look in looks.items()]


def terms(epochs: Sequence[Epoch]) -> list[str]:
    """Return the names that have a curve: the loss and its terms, the rate, the diagnostics."""
    names = dict.fromkeys(name for epoch in epochs for name in epoch if name not in NOT_CURVES)
    losses = [name for name in names if name != "lr" and name not in DIAGNOSTICS]
    return losses + [name for name in ("lr", *DIAGNOSTICS) if name in names]


def thinned(points: Sequence[tuple[float, float]], most: int) -> list[tuple[float, float]]:
    """Return at most `most` of the points: the lowest and the highest of each stretch.

    So a spike of one epoch stays. Points whose value is not finite count as the highest.
    """
    if len(points) <= most:
        return list(points)
    stretch = math.ceil(2 * len(points) / most)
    kept = []
    for start in range(0, len(points), stretch):
        part = points[start : start + stretch]
        ends = {min(part, key=_height), max(part, key=_height)}
        kept += [point for point in part if point in ends]
    return kept


def _height(point: tuple[float, float]) -> float:
    return point[1] if math.isfinite(point[1]) else math.inf


def _stage(machine: str, stage: str, logs: dict[str, TrainingLog], looks: dict[str, Look]) -> Stage:
    epochs = {name: log.stages[stage] for name, log in logs.items() if stage in log.stages}
    names = terms([epoch for rows in epochs.values() for epoch in rows])
    shown = STAGES.get(stage, stage)
    panels = [_panel(machine, shown, term, epochs, looks) for term in names]
    return Stage(shown, panels, _last_epochs(machine, shown, names, epochs))


def _panel(
    machine: str,
    stage: str,
    term: str,
    epochs: dict[str, list[Epoch]],
    looks: dict[str, Look],
) -> Panel:
    name, note = CURVES.get(term, (term.replace("_", " "), ""))
    most = max(LEAST_POINTS, MOST_POINTS // len(epochs))
    lines = {
        training: (looks[training], thinned(_points(rows, term), most))
        for training, rows in epochs.items()
        if any(term in row for row in rows)
    }
    values = [value for _, line in lines.values() for _, value in line if math.isfinite(value)]
    log = term not in LINEAR and _wide(values)
    figure = figures.training_curves(lines, f"{machine}, {stage}: {name} by epoch", log)
    notes = [note, *(["logarithmic scale"] if log else []), *_breaks(lines)]
    return Panel(name, drawn(figure), "; ".join(part for part in notes if part))


def _points(rows: Sequence[Epoch], term: str) -> list[Point]:
    return [(row["epoch"], row[term]) for row in rows if term in row]


def _wide(values: Sequence[float]) -> bool:
    """Return whether the values, all positive, are too far apart for a linear scale."""
    return bool(values) and min(values) > 0 and max(values) / min(values) > LOG_FROM


def _breaks(lines: dict[str, tuple[Look, list[Point]]]) -> list[str]:
    """Return a remark for each line that has values which cannot be drawn."""
    remarks = []
    for name, (_, line) in lines.items():
        broken = [epoch for epoch, value in line if not math.isfinite(value)]
        if broken:
            remarks.append(f"{name}: not finite from epoch {broken[0]:g}")
    return remarks


def _last_epochs(
    machine: str, stage: str, names: Sequence[str], epochs: dict[str, list[Epoch]]
) -> Table:
    columns = [Column("Training", False), Column("Epochs"), Column("Minutes")]
    columns += [Column(name.replace("_", " ")) for name in names]
    rows = []
    for training, own in epochs.items():
        minutes = sum(row.get("seconds", 0.0) for row in own) / 60
        last = [svg.short(own[-1][name]) if name in own[-1] else "–" for name in names]
        rows.append(Row([training, f"{own[-1]['epoch']:g}", f"{minutes:.1f}", *last]))
    return Table(f"{machine}, {stage}: the last epoch", columns, [Block(rows)])
