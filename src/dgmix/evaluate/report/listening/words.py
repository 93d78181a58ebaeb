"""The scored recordings in sentences, tables and histograms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from dgmix.detect.summary import counted, percent
from dgmix.detect.verdicts import NEVER
from dgmix.evaluate.report import svg
from dgmix.evaluate.report.about import flat
from dgmix.evaluate.report.listening.figures import standing
from dgmix.evaluate.report.listening.scored import Scored, Unread
from dgmix.evaluate.report.listening.unusual import in_words
from dgmix.evaluate.report.parts import Block, Column, Panel, Row, Table, drawn, listing

if TYPE_CHECKING:
    from dgmix.detect.detector import Detector

KNOWN = "learned from"


def smaller_rate(detector: Detector, asked: float | None, rate: float) -> list[str]:
    """Return why the verdicts are not at the detector's own false-alarm rate, if they are not."""
    if asked is not None or rate <= detector.false_alarm_rate:
        return []
    return [
        f"A false-alarm rate of {percent(detector.false_alarm_rate)} needs more healthy recordings "
        f"than the detector has; the verdicts are at {percent(rate)}, the smallest rate that it "
        "supports."
    ]


def facts(
    detector: Detector, scored: Sequence[Scored], unread: Sequence[Unread], rate: float
) -> list[str]:
    """Return what was scored in a few words each."""
    minutes = sum(each.seconds for each in scored) / 60
    return [
        counted(len(scored), "recording"),
        f"{minutes:.1f} minutes",
        *([f"{len(unread)} not readable"] if unread else []),
        f"false-alarm rate {percent(rate)}",
        f"compared with {counted(len(detector.memory_.sections), 'healthy recording')}",
    ]


def verdict(scored: Sequence[Scored], rate: float, smallest: float) -> list[str]:
    """Return what was found, in plain sentences; `smallest` is the smallest rate supported."""
    new = [each for each in scored if not each.known]
    known = counted(len(scored) - len(new), "recording")
    if not new:
        return [f"It learned from all of these: {known}, of which the scores say nothing."]
    flagged = sum(each.anomalous(rate) for each in new)
    expected = rate * len(new)
    are = "is" if flagged < 2 else "are"
    sentences = [
        f"{flagged or 'None'} of {counted(len(new), 'recording')} {are} anomalous at a "
        f"false-alarm rate of {percent(rate)}.",
        f"If all of them were healthy, about {svg.short(round(expected, 1))} would still be called "
        f"anomalous{', which is no fewer' if 0 < flagged <= expected else ''}."
        if smallest < NEVER
        else "With a single healthy recording to compare with, nothing is ever called an anomaly.",
        f"The least like a healthy one is {new[0].name}, most unusual {in_words(new[0].region)}.",
    ]
    if len(new) < len(scored):
        sentences.append(f"It learned from {known} more, of which the scores say nothing.")
    return sentences


def table(scored: Sequence[Scored], cards: int, rate: float) -> Table:
    """Return all recordings by rank; the first `cards` are links to their cards."""
    columns = [
        Column("Recording", False),
        Column("Rank"),
        Column("Verdict", False),
        Column("p\u2011value"),
        Column("Score"),
        Column("Length, s"),
        Column("Most unusual at, s"),
        Column("around, Hz"),
    ]
    rows = []
    for rank, each in enumerate(scored, 1):
        link = Markup('<a href="#clip-{}">{}</a>').format(rank, each.name)
        cells = [
            link if rank <= cards else each.name,
            str(rank),
            verdict_of(each, rate),
            f"{each.p_value:.3f}",
            svg.short(each.score),
            f"{each.seconds:.1f}",
            "–" if each.region.throughout else f"{each.region.when:.1f}",
            f"{each.region.where:.0f}",
        ]
        rows.append(Row(cells, "flagged" if each.anomalous(rate) else ""))
    caption = "All recordings, by p-value, then by score; a heading sorts by its column"
    return Table(caption, columns, [Block(rows)], sortable=True)


def standings(
    detector: Detector, scored: Sequence[Scored], rate: float, domain: str | None = None
) -> list[Panel]:
    """Return the scores beside those of the healthy recordings, for each section."""
    scores: dict[str, list[float]] = {}
    for each in scored:
        if not each.known:
            key = each.section if each.section in detector.sections else ""
            scores.setdefault(key, []).append(each.score)
    panels = []
    for key, own in sorted(scores.items()):
        calibration = detector.calibration(key)
        limit = calibration.threshold(rate, domain)
        counts = f"{len(calibration.scores)} healthy, {len(own)} scored"
        label = f"Scores of {counts} recordings; threshold {svg.short(limit)}"
        figure = standing(calibration.scores, np.array(own), limit, label)
        panels.append(Panel(f"Section {key}" if key else "Scores", drawn(figure), counts))
    return panels


def detector_table(detector: Detector) -> Table:
    """Return what the detector learned from."""
    summary = {name: value for name, value in detector.summary().items() if name != "threshold"}
    return listing("The detector", "What", "Value", flat(summary))


def verdict_of(recording: Scored, rate: float) -> str:
    """Return the verdict on a recording in a word or two."""
    if recording.known:
        return KNOWN
    return "anomalous" if recording.anomalous(rate) else "normal"
