"""The scored recordings in sentences, tables and histograms."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from dgmix.evaluate.report import svg
from dgmix.evaluate.report.about import flat
from dgmix.evaluate.report.listening.figures import standing
from dgmix.evaluate.report.listening.scored import Scored, Unread
from dgmix.evaluate.report.listening.unusual import in_words
from dgmix.evaluate.report.parts import Block, Column, Panel, Row, Table, drawn, listing

if TYPE_CHECKING:
    from dgmix.detect.detector import Detector

VERDICTS = {True: "anomalous", False: "normal"}


def chosen_rate(detector: Detector, asked: float | None) -> tuple[float, list[str]]:
    """Return the false-alarm rate of the verdicts, and why it is not the detector's own.

    Raises `InputError` for a rate that is asked for and not supported.
    """
    if asked is not None:
        detector.check_rate(asked)
        return asked, []
    smallest = float(detector.summary()["smallest false-alarm rate"])
    own = detector.false_alarm_rate
    if own >= smallest:
        return own, []
    return smallest, [
        f"A false-alarm rate of {percent(own)} needs more healthy recordings than the detector "
        f"has; the verdicts are at {percent(smallest)}, the smallest rate that it supports."
    ]


def facts(
    detector: Detector, scored: Sequence[Scored], unread: Sequence[Unread], rate: float
) -> list[str]:
    """Return what was scored in a few words each."""
    minutes = sum(each.seconds for each in scored) / 60
    return [
        count(len(scored), "recording"),
        f"{minutes:.1f} minutes",
        *([f"{len(unread)} not readable"] if unread else []),
        f"false-alarm rate {percent(rate)}",
        f"compared with {count(len(detector.memory_.sections), 'healthy recording')}",
    ]


def verdict(scored: Sequence[Scored], rate: float) -> list[str]:
    """Return what was found, in plain sentences."""
    flagged = sum(anomalous(each, rate) for each in scored)
    expected = rate * len(scored)
    if not flagged:
        first = f"None of {count(len(scored), 'recording')} is anomalous"
    else:
        are = "is" if flagged == 1 else "are"
        first = f"{flagged} of {count(len(scored), 'recording')} {are} anomalous"
    worst = scored[0]
    return [
        f"{first} at a false-alarm rate of {percent(rate)}.",
        f"If all of them were healthy, about {svg.short(round(expected, 1))} would still be called "
        f"anomalous{', which is no fewer' if 0 < flagged <= expected else ''}.",
        f"The least like a healthy one is {worst.name}, most unusual {in_words(worst.region)}.",
    ]


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
            VERDICTS[anomalous(each, rate)],
            f"{each.p_value:.3f}",
            svg.short(each.score),
            f"{each.seconds:.1f}",
            f"{each.region.when:.1f}",
            f"{each.region.where:.0f}",
        ]
        rows.append(Row(cells, "flagged" if anomalous(each, rate) else ""))
    caption = "All recordings, by p-value, then by score; a heading sorts by its column"
    return Table(caption, columns, [Block(rows)], sortable=True)


def standings(detector: Detector, scored: Sequence[Scored], rate: float) -> list[Panel]:
    """Return the scores beside those of the healthy recordings, for each section."""
    sections = detector.sections
    panels = []
    for key in sorted({each.section if each.section in sections else "" for each in scored}):
        own = [e.score for e in scored if (e.section if e.section in sections else "") == key]
        calibration = detector.calibration(key)
        limit = calibration.threshold(rate)
        counts = f"{len(calibration.scores)} healthy, {len(own)} scored"
        label = f"Scores of {counts} recordings; threshold {svg.short(limit)}"
        figure = standing(calibration.scores, np.array(own), limit, label)
        panels.append(Panel(f"Section {key}" if key else "Scores", drawn(figure), counts))
    return panels


def detector_table(detector: Detector) -> Table:
    """Return what the detector learned from."""
    summary = {name: value for name, value in detector.summary().items() if name != "threshold"}
    return listing("The detector", "What", "Value", flat(summary))


def anomalous(recording: Scored, rate: float) -> bool:
    """Return the verdict at a false-alarm rate."""
    return recording.p_value <= rate


def percent(rate: float) -> str:
    """Return a rate in per cent, in at most three figures."""
    return f"{100 * rate:.3g} %"


def count(number: int, what: str) -> str:
    """Return a number of things as people write it."""
    return f"{number:,} {what}{'' if number == 1 else 's'}".replace(",", "\u202f")
