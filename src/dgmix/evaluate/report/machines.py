"""The figures that look at the scores of one machine at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from dgmix.data.clip import DOMAINS
from dgmix.evaluate.draws import GROUPS, Clips
from dgmix.evaluate.formats import in_order
from dgmix.evaluate.intervals import Resampled, Unit
from dgmix.evaluate.report import figures
from dgmix.evaluate.report.figures import Group, Look
from dgmix.evaluate.report.parts import Entry, Gallery, Panel, drawn
from dgmix.evaluate.report.roc import Roc, average, roc
from dgmix.evaluate.scores import shown_system, systems_of


def score_distributions(scores: pl.DataFrame, judged: Resampled) -> list[Gallery]:
    """Return the score distributions of every machine and system, a panel for each section.

    Of several repeats and seeds only the first is shown, since each has a scale of its own. The
    note of a panel holds the official AUCs of just these scores.
    """
    metrics = {
        unit: dict(zip(judged.metrics, cells[0].tolist(), strict=True))
        for unit, cells in judged.cells.items()
    }
    galleries = []
    for machine in in_order(set(scores["machine"].unique())):
        for system in systems_of(scores):
            own = _first_training(scores.filter(machine=machine, system=system, split="test"))
            if own.is_empty():
                continue
            panels = [
                _distribution(section, metrics[Unit(*section.select(Unit._fields).row(0))])
                for section in own.partition_by("section", maintain_order=True)
            ]
            training = _training_name(own, scores["repeat"].n_unique() > 1)
            name = f"{machine}, {shown_system(system)}, {training}"
            galleries.append(Gallery(machine, name, panels, system))
    return galleries


def roc_curves(judged: Resampled, looks: dict[str, Look]) -> list[Gallery]:
    """Return the ROC curves of every machine, a panel for each domain that has normal clips."""
    galleries = []
    for machine in in_order({unit.machine for unit in judged.cells}):
        panels = [_roc_panel(judged, looks, machine, domain) for domain in DOMAINS]
        shown = [panel for panel in panels if panel]
        if shown:
            galleries.append(Gallery(machine, machine, shown))
    return galleries


def section_roc_curves(judged: Resampled, looks: dict[str, Look]) -> dict[str, Gallery]:
    """Return, by machine, the ROC curves of each section and domain; of machines with several."""
    galleries = {}
    for machine in in_order({unit.machine for unit in judged.cells}):
        sections = sorted({unit.section for unit in judged.cells if unit.machine == machine})
        panels = [
            _roc_panel(judged, looks, machine, domain, section)
            for section in sections
            for domain in DOMAINS
        ]
        shown = [panel for panel in panels if panel]
        if len(sections) > 1 and shown:
            galleries[machine] = Gallery(machine, machine, shown)
    return galleries


def legend(looks: dict[str, Look]) -> list[Entry]:
    """Return an entry for each system."""
    return [Entry(s, shown_system(s), drawn(figures.key(look))) for s, look in looks.items()]


def _first_training(scores: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of the first repeat and seed, by section."""
    first = scores.filter(repeat=scores["repeat"].min())
    return first.filter(seed=first["seed"].min()).sort("section")


def _training_name(scores: pl.DataFrame, several_repeats: bool) -> str:
    repeat, seed = scores.select("repeat", "seed").row(0)
    return f"repeat {repeat}, seed {seed}" if several_repeats else f"seed {seed}"


def _distribution(section: pl.DataFrame, metrics: Mapping[str, float]) -> Panel:
    domains = sorted(set(section["domain"]), key=lambda domain: (domain not in DOMAINS, domain))
    groups = [
        Group(domain, label, rows["score"].to_numpy())
        for domain in domains
        for label in ("normal", "unknown", "anomaly")
        if not (rows := section.filter(domain=domain, label=label)).is_empty()
    ]
    aucs = {name[4:]: value for name, value in metrics.items() if name.startswith("auc")}
    note = ", ".join(
        f"{domain} {100 * auc:.1f}".lstrip() for domain, auc in aucs.items() if auc == auc
    )
    counts = ", ".join(f"{len(g.scores)} {g.domain} {g.label}" for g in groups)
    label = f"Scores of section {section['section'][0]}: {counts} clips"
    figure = drawn(figures.distributions(groups, label))
    return Panel(f"Section {section['section'][0]}", figure, f"AUC: {note}" if note else "")


def _roc_panel(
    judged: Resampled, looks: dict[str, Look], machine: str, domain: str, section: str = ""
) -> Panel | None:
    """Return the mean curves of a machine, or of one section; None where there are none."""
    curves = {
        shown_system(system): (look, average(rocs))
        for system, look in looks.items()
        if (rocs := _rocs(judged, machine, system, domain, section))
    }
    if not curves:
        return None
    areas = "; ".join(f"{name} {100 * curve.area:.1f}" for name, (_, curve) in curves.items())
    of = f"{machine}, section {section}" if section else machine
    label = f"ROC curves of {of}, {domain} domain. Mean AUC in %: {areas}"
    name = f"Section {section}, {domain}" if section else f"{domain} domain"
    return Panel(name, drawn(figures.roc_curves(curves, label)), f"AUC: {areas}")


def _rocs(
    judged: Resampled, machine: str, system: str, domain: str, section: str = ""
) -> list[Roc]:
    """Return the official curves of every seed, repeat and section (or the one that is named).

    Only of those where both kinds of clips exist.
    """
    curves = []
    for unit, clips in judged.clips.items():
        chosen = (unit.machine, unit.system) == (machine, system)
        if chosen and unit.section == (section or unit.section):
            normal = clips.scores[_members(clips, [[domain, "normal"]])]
            counted = DOMAINS if judged.convention == "official" else (domain,)
            anomaly = clips.scores[_members(clips, [[d, "anomaly"] for d in counted])]
            if len(normal) and len(anomaly):
                curves.append(roc(normal, anomaly))
    return curves


def _members(clips: Clips, groups: Sequence[list[str]]) -> NDArray[np.bool_]:
    return np.isin(clips.groups, [GROUPS.index(group) for group in groups])
