"""The report of scored recordings: which are anomalous, to hear, to see, and to compare.

One HTML file like the report of a run. The most anomalous recordings have a card each, with
player, spectrogram and the place that is unusual, beside the nearest healthy recording; all of
them stand in a table.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dgmix.errors import InputError

if TYPE_CHECKING:
    from dgmix.detect.detector import Detector
    from dgmix.detect.recordings import Source

CARDS = 10


def write_listening_report(
    detector: Detector,
    recordings: Source,
    output: str | Path,
    *,
    healthy: Source | None = None,
    false_alarm_rate: float | None = None,
    top: int = CARDS,
    title: str = "Scored recordings",
    sample_rate: int | None = None,
) -> Path:
    """Write a report of `recordings`, scored by a detector, to `output`, and return its path.

    `recordings` are given as to `Detector.score_samples`, or as a list of files and folders.
    `healthy` are the ones to compare with, given as to `Detector.fit`: beside each of the `top`
    most anomalous recordings stands the nearest of them. Verdicts are at `false_alarm_rate`; where
    none is given, at the detector's own or, if its recordings are too few for that, at the
    smallest rate that they support.

    Recordings that cannot be read are listed with the reason. Raises `InputError` where there is
    none that can, for a rate that is not supported, and where `output` cannot be written.
    """
    from dgmix.evaluate.report.page import render
    from dgmix.files import write_text

    shown = contents(detector, recordings, healthy, false_alarm_rate, top, title, sample_rate)
    write_text(output, render(shown, "listening.html.j2"))
    return Path(output)


def contents(
    detector: Detector,
    recordings: Source,
    healthy: Source | None,
    false_alarm_rate: float | None,
    top: int,
    title: str,
    sample_rate: int | None = None,
) -> dict[str, Any]:
    """Return what the page shows, by the names that its template uses."""
    from dgmix.detect.recordings import healthy_sounds
    from dgmix.evaluate.report.listening import words
    from dgmix.evaluate.report.listening.cards import cards
    from dgmix.evaluate.report.listening.scored import gather, score

    rate, why = words.chosen_rate(detector, false_alarm_rate)
    found = gather(recordings, detector.recipe_, sample_rate)
    compared = None if healthy is None else healthy_sounds(healthy, detector.recipe_, sample_rate)
    scored, unread = score(detector, found)
    if not scored:
        raise InputError(f"{unread[0].reason} (none of {len(unread)} recordings can be read)")
    made = list(cards(detector, found, scored[:top], compared))
    return {
        "title": title,
        "facts": words.facts(detector, scored, unread, rate),
        "verdict": [*words.verdict(scored, rate), *why],
        "standings": words.standings(detector, scored, rate),
        "cards": made,
        "rate": rate,
        "compared": compared is not None,
        "table": words.table(scored, len(made), rate),
        "unread": unread,
        "detector": words.detector_table(detector),
    }
