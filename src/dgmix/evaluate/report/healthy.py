"""The report of a fit: the healthy recordings mapped, the odd ones to hear, quality, promises.

One HTML file like the report of scored recordings. `sections` of a report are free: whoever has
more to show of a detector adds one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dgmix.errors import InputError
from dgmix.evaluate.report import figures, svg
from dgmix.evaluate.report.embeddings import principal_components
from dgmix.evaluate.report.parts import Block, Column, Panel, Row, Table, drawn, listing

if TYPE_CHECKING:
    from dgmix.detect.detector import Detector
    from dgmix.detect.fitted import FittedDetector
    from dgmix.detect.odd import Odd
    from dgmix.detect.recordings import Sounds
    from dgmix.detect.sensitivity import Sensitivity
    from dgmix.detect.sources import Source
    from dgmix.evaluate.report.listening.cards import Card

CARDS = 10
ORDINARY, FLAGGED = ("source", "normal"), ("source", "anomaly")
MOST_MAPPED = 5000
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Section:
    """One more section of the report: its anchor, heading, text, and table."""

    anchor: str
    heading: str
    text: str
    table: Table


def write_fit_report(
    detector: Detector,
    healthy: Source,
    output: str | Path,
    *,
    sections: Sequence[Section] = (),
    title: str = "Healthy recordings",
    sample_rate: int | None = None,
) -> Path:
    """Write a report of the healthy recordings of a detector to `output`, and return its path.

    `healthy` are those that it learned from, given as to `Detector.fit`. The odd ones have a card
    each, with player and spectrogram. `sections` are shown after them, first which planted faults
    are detected, where that was measured. Raises `InputError` where
    they are not those recordings, and where `output` cannot be written.
    """
    from dgmix.detect.sources import healthy_sounds
    from dgmix.detect.views import check_sound
    from dgmix.evaluate.report.page import render
    from dgmix.files import write_text

    fitted = detector.fitted_
    check_sound(fitted.recipe, "a report")
    given = healthy_sounds(healthy, sample_rate)
    count = len(fitted.memory.clips)
    if len(given) != count:
        raise InputError(
            f"the detector learned from {count} recordings, and {len(given)} are given; give those"
        )
    shown = contents(fitted, given, detector.cache)
    measured = [] if fitted.sensitivity is None else [_sensitivity(fitted.sensitivity)]
    page = {"title": title, "sections": [*measured, *sections], **shown}
    write_text(output, render(page, "healthy.html.j2"))
    return Path(output)


def contents(
    fitted: FittedDetector, healthy: Sounds, cache: str | Path | None = None
) -> dict[str, Any]:
    """Return what the page shows, by the names that its template uses."""
    from dgmix.detect.odd import broken_clips, odd_clips
    from dgmix.detect.reporting import odd_recordings
    from dgmix.detect.summary import band, counted, summary, training

    names = healthy.names
    odd, broken, values = odd_clips(fitted), broken_clips(fitted), summary(fitted)
    wrong = {clip: "; ".join(each.text for each in defects) for clip, defects in broken}
    flagged = sorted({clip for each in odd for clip in each.clips})
    return {
        "facts": [training(values), band(values)],
        "questions": [f"Unlike the others: {each}." for each in odd_recordings(fitted, names)],
        "broken": counted(len(broken), "recording") if broken else "",
        "maps": [_map(fitted, section, flagged) for section in fitted.sections],
        "cards": _cards(fitted, healthy, odd, cache),
        "compared": True,
        "promise": "known",
        "table": _table(fitted, healthy, flagged, wrong),
        "promises": _promises(values),
    }


def _cards(
    fitted: FittedDetector, healthy: Sounds, odd: Sequence[Odd], cache: str | Path | None
) -> list[Card]:
    """Return a card for each odd recording, beside the nearest of the others."""
    from dgmix.detect.forms import Terms
    from dgmix.evaluate.report.listening.cards import cards
    from dgmix.evaluate.report.listening.scored import score

    chosen = [clip for each in odd for clip in each.clips][:CARDS]
    if not chosen:
        return []
    alike = {clip for each in odd for clip in each.clips}
    others = healthy.select([clip for clip in range(len(healthy)) if clip not in alike])
    own = healthy.select(chosen)
    return list(cards(fitted, own, score(fitted, own)[0], others, Terms(fitted.rate()), cache))


def _map(fitted: FittedDetector, section: str, flagged: Sequence[int]) -> Panel:
    """Return where the healthy recordings of a section lie, in the two directions that tell most.

    Each view counts by the distances at which recordings usually lie in it.
    """
    sections = fitted.memory.clips.sections
    rows = np.flatnonzero([section in ("", each) for each in sections])[:MOST_MAPPED]
    points, held = principal_components(_vectors(fitted, rows))
    odd = np.isin(rows, list(flagged))
    groups = {ORDINARY: points[~odd], FLAGGED: points[odd]}
    groups = {kind: places for kind, places in groups.items() if len(places)}
    label = f"Map of {len(rows)} healthy recordings; {odd.sum()} unlike the others"
    figure, outside = figures.scatter(groups, label)
    beyond = f"; {outside} farther out, at the edge" if outside else ""
    name = f"Section {section}" if section else "All recordings"
    return Panel(name, drawn(figure), f"{100 * held:.0f} % of the variance{beyond}")


def _vectors(fitted: FittedDetector, rows: NDArray[np.int64]) -> Floats:
    """Return all views of some clips as one vector each (clip, number)."""
    parts = []
    for view in fitted.memory.select(rows).views.values():
        total = np.zeros((len(rows), view.values.shape[1]))
        np.add.at(total, view.clips, view.values)
        vectors = total / np.bincount(view.clips)[:, None]
        spread = float(np.sqrt(vectors.var(0).sum()))
        parts.append(vectors / (spread or 1.0))
    return np.concatenate(parts, 1)


def _table(
    fitted: FittedDetector, healthy: Sounds, flagged: Sequence[int], wrong: dict[int, str]
) -> Table:
    """Return all healthy recordings with their quality, the highest score first."""
    from dgmix.audio.quality import MEASURES

    clips, scores = fitted.memory.clips, fitted.decision_scores
    level, seconds = (clips.measures[:, MEASURES.index(name)] for name in ("level", "seconds"))
    rows = []
    for clip in np.argsort(-scores).tolist():
        cells = [
            healthy.names[clip],
            svg.short(float(scores[clip])),
            clips.sections[clip],
            clips.conditions[clip],
            f"{seconds[clip]:.1f}",
            svg.with_minus(f"{level[clip]:.1f}"),
            wrong.get(clip, ""),
        ]
        rows.append(Row(cells, "flagged" if clip in flagged or clip in wrong else ""))
    columns = [
        Column("Recording", False),
        Column("Score"),
        *(Column(name, False) for name in ("Section", "Condition")),
        *(Column(name) for name in ("Length, s", "Level, dB")),
        Column("Quality", False),
    ]
    caption = "Healthy recordings, each scored against the others; a heading sorts by its column"
    return Table(caption, columns, [Block(rows)], sortable=True)


def _sensitivity(measured: Sensitivity) -> Section:
    """Return which planted faults are detected, from which strength on."""
    from dgmix.detect.sensitivity import HEADER, report_terms, table_rows

    columns = [Column(name, False) for name in HEADER]
    rows = [Row(list(cells), "") for cells in table_rows(measured)]
    table = Table("Planted faults", columns, [Block(rows)])
    return Section("sensitivity", "What it would find", " ".join(report_terms(measured)), table)


def _promises(values: dict[str, Any]) -> Table:
    from dgmix.detect import summary

    lines = {
        "False alarms": summary.known_conditions(values),
        "New conditions": summary.new_conditions(values),
        "Uncertainty": summary.uncertainty(values),
        "An anomaly is": summary.thresholds(values),
        "Conditions": summary.conditions(values),
    }
    return listing("What the verdicts of this detector promise", "What", "Value", lines)
