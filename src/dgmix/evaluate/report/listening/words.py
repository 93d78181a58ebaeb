"""The scored recordings in sentences, tables and histograms."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from dgmix.detect.forms import Terms
from dgmix.detect.judgement import ANOMALY, NEW_CONDITION
from dgmix.detect.summary import counted, percent, summary
from dgmix.evaluate.report import svg
from dgmix.evaluate.report.about import flat
from dgmix.evaluate.report.listening.figures import standing
from dgmix.evaluate.report.listening.scored import Scored, Unread
from dgmix.evaluate.report.listening.unusual import in_words
from dgmix.evaluate.report.parts import Block, Column, Panel, Row, Table, drawn, listing

if TYPE_CHECKING:
    from dgmix.detect.fitted import FittedDetector

WORDS = {ANOMALY: "anomalous"}


def smaller_rate(fitted: FittedDetector, wanted: float | None, rate: float) -> list[str]:
    """Return why the verdicts are not at the detector's own false-alarm rate, if they are not."""
    if wanted is not None or rate <= fitted.false_alarm_rate:
        return []
    return [
        f"A false-alarm rate of {percent(fitted.false_alarm_rate)} needs more healthy recordings "
        f"than the detector has; the verdicts are at {percent(rate)}, the smallest rate that it "
        "supports."
    ]


def facts(
    fitted: FittedDetector, scored: Sequence[Scored], unread: Sequence[Unread], terms: Terms
) -> list[str]:
    """Return what was scored in a few words each."""
    minutes = sum(each.seconds for each in scored) / 60
    return [
        counted(len(scored), "recording"),
        f"{minutes:.1f} minutes",
        *([f"{len(unread)} unreadable"] if unread else []),
        f"false-alarm rate {percent(terms.rate)}",
        f"compared with {counted(len(fitted.memory.clips), 'healthy recording')}",
    ]


def verdict(fitted: FittedDetector, scored: Sequence[Scored], terms: Terms) -> list[str]:
    """Return the result in plain sentences."""
    new = [each for each in scored if not each.judgement.learned]
    learned = counted(len(scored) - len(new), "recording")
    if not new:
        return [f"It learned from all of these: {learned}; the scores say nothing of them."]
    counts = Counter(each.verdict(terms) for each in new)
    anomalies, strange = counts[ANOMALY], counts[NEW_CONDITION]
    are = "is" if anomalies < 2 else "are"
    sentences = [
        f"{anomalies or 'None'} of {counted(len(new), 'recording')} {are} anomalous at a "
        f"false-alarm rate of {percent(terms.rate)}.",
        *_expectation(fitted, terms, anomalies, len(new)),
        f"The least like a healthy one is {new[0].name}, most unusual {in_words(new[0].region)}.",
    ]
    if strange:
        sentences.insert(
            1,
            f"{counted(strange, 'more recording')} may be of a new condition: unlike the healthy "
            "ones, but no more than their conditions differ.",
        )
    if len(new) < len(scored):
        sentences.append(f"It learned from {learned} more; the scores say nothing of them.")
    return sentences


def _expectation(fitted: FittedDetector, terms: Terms, anomalies: int, count: int) -> list[str]:
    """Return what chance alone would give."""
    if fitted.count("known") < 2:
        return [
            "With fewer than two healthy recordings to compare with, nothing is ever called an "
            "anomaly."
        ]
    expected = terms.rate * count
    no_fewer = ", which is no fewer" if 0 < anomalies <= expected else ""
    return [
        f"If all of them were healthy, about {svg.short(round(expected, 1))} would still be called "
        f"anomalous{no_fewer}."
    ]


def table(scored: Sequence[Scored], cards: int, terms: Terms) -> Table:
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
            WORDS.get(each.verdict(terms), each.verdict(terms)),
            f"{each.judgement.p_value(terms.promise):.3f}",
            svg.short(each.judgement.score),
            f"{each.seconds:.1f}",
            "–" if each.region.throughout else f"{each.region.when:.1f}",
            f"{each.region.where:.0f}",
        ]
        rows.append(Row(cells, "flagged" if each.flagged(terms) else ""))
    caption = "All recordings, by score; a heading sorts by its column"
    return Table(caption, columns, [Block(rows)], sortable=True)


def standings(
    fitted: FittedDetector, scored: Sequence[Scored], terms: Terms, condition: str | None = None
) -> list[Panel]:
    """Return the scores beside those of the healthy recordings, for each section."""
    named = condition if condition in fitted.memory.clips.conditions else None
    scores: dict[str, list[float]] = {}
    for each in scored:
        if not each.judgement.learned:
            scores.setdefault(each.judgement.section, []).append(each.judgement.score)
    panels = []
    for section, own in sorted(scores.items()):
        healthy = fitted.calibration(section).known.scores
        limit = fitted.calibration(section).threshold(terms.rate, named)
        counts = f"{len(healthy)} healthy, {len(own)} scored"
        label = f"Scores of {counts} recordings; threshold {svg.short(limit)}"
        figure = standing(healthy, np.array(own), limit, label)
        panels.append(Panel(f"Section {section}" if section else "Scores", drawn(figure), counts))
    return panels


def detector_table(fitted: FittedDetector) -> Table:
    """Return what the detector learned from; what is empty is left out."""
    values = {name: value for name, value in summary(fitted).items() if name != "threshold"}
    shown = {name: text for name, text in flat(_rounded(values)).items() if text not in ("", "–")}
    return listing("The detector", "What", "Value", shown)


def _rounded(value: Any) -> Any:
    """Return nested values with each number in four figures at most."""
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return _plain(value) if isinstance(value, float) else value


def _plain(number: float) -> str:
    """Return a number in four figures at most, without an exponent: 8000, 0.1924, 0."""
    return f"{round(float(f'{number:.4g}'), 6):.6f}".rstrip("0").rstrip(".")
