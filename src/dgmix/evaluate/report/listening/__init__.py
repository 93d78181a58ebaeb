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
    from dgmix.detect.recordings import Sounds, Source

CARDS = 10


def write_listening_report(
    detector: Detector,
    recordings: Source,
    output: str | Path,
    *,
    healthy: Source | None = None,
    false_alarm_rate: float | None = None,
    domain: str | None = None,
    top: int = CARDS,
    title: str = "Scored recordings",
    sample_rate: int | None = None,
) -> Path:
    """Write a report of `recordings`, scored by a detector, to `output`, and return its path.

    `recordings` are given as to `Detector.score_samples`, and `domain` is their operating condition
    where it is known. `healthy` are the ones to compare with, given as to `Detector.fit`: beside
    each of the `top` most anomalous recordings stands the nearest of them. Verdicts are at
    `false_alarm_rate`; where none is given, at the detector's own or, if its recordings are too
    few for that, at the smallest rate that they support.

    Recordings that cannot be read are listed with the reason. Raises `InputError` where there is
    none that can, for a rate that is not supported, and where `output` cannot be written.
    """
    from dgmix.detect.recordings import healthy_sounds, sounds
    from dgmix.evaluate.report.listening.words import smaller_rate
    from dgmix.evaluate.report.page import render
    from dgmix.files import write_text

    recipe = detector.recipe_
    found = sounds(recordings, recipe, sample_rate)
    compared = None if healthy is None else healthy_sounds(healthy, recipe, sample_rate)
    rate = detector.rate(false_alarm_rate, found.sections, [domain])
    shown = contents(detector, found, compared, rate, domain, top)
    shown["verdict"] += smaller_rate(detector, false_alarm_rate, rate)
    write_text(output, render({"title": title, **shown}, "listening.html.j2"))
    return Path(output)


def contents(
    detector: Detector,
    found: Sounds,
    healthy: Sounds | None,
    rate: float,
    domain: str | None = None,
    top: int = CARDS,
) -> dict[str, Any]:
    """Return what the page shows of recordings, by the names that its template uses."""
    from dgmix.evaluate.report.listening import words
    from dgmix.evaluate.report.listening.cards import cards
    from dgmix.evaluate.report.listening.scored import score

    scored, unread = score(detector, found, domain)
    if not scored:
        raise InputError(f"{unread[0].reason} (none of {len(unread)} recordings can be read)")
    made = list(cards(detector, found, scored[:top], healthy))
    return {
        "facts": words.facts(detector, scored, unread, rate),
        "verdict": words.verdict(scored, rate, detector.smallest_rate(found.sections, [domain])),
        "standings": words.standings(detector, scored, rate, domain),
        "cards": made,
        "rate": rate,
        "compared": healthy is not None,
        "table": words.table(scored, len(made), rate),
        "unread": unread,
        "detector": words.detector_table(detector),
    }
