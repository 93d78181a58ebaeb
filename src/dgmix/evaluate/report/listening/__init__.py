"""The report of scored recordings: which are anomalous, to hear, to see, and to compare.

One HTML file like the report of a run. The most anomalous recordings have a card each, with
player, spectrogram and the place that is unusual, beside the nearest healthy recording; all of
them stand in a table.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dgmix.deprecations import with_former_arguments
from dgmix.errors import InputError

if TYPE_CHECKING:
    from dgmix.detect.detector import Detector
    from dgmix.detect.fitted import FittedDetector
    from dgmix.detect.forms import Terms
    from dgmix.detect.judgement import Promise
    from dgmix.detect.recordings import Sounds
    from dgmix.detect.sources import Source

CARDS = 10


@with_former_arguments
def write_listening_report(
    detector: Detector,
    recordings: Source,
    output: str | Path,
    *,
    healthy: Source | None = None,
    false_alarm_rate: float | None = None,
    promise: Promise | None = None,
    condition: str | None = None,
    top: int = CARDS,
    title: str = "Scored recordings",
    sample_rate: int | None = None,
) -> Path:
    """Write a report of `recordings`, scored by a detector, to `output`, and return its path.

    `recordings` are given as to `Detector.score_samples`, and `condition` is their operating
    condition where it is known. `healthy` are the ones to compare with, given as to `Detector.fit`:
    beside each of the `top` most anomalous recordings stands the nearest of them. Verdicts are at
    `false_alarm_rate` under a `promise`; where no rate is given, at the detector's own or, if its
    recordings are too few for that, at the smallest rate that they support.

    Recordings that cannot be read are listed with the reason. Raises `InputError` where there is
    none that can, for a rate that is not supported, and where `output` cannot be written.
    """
    from dgmix.detect.scoring import choose_terms
    from dgmix.detect.sources import healthy_sounds, sounds
    from dgmix.detect.views import check_sound
    from dgmix.evaluate.report.listening.words import smaller_rate
    from dgmix.evaluate.report.page import render
    from dgmix.files import write_text

    fitted = detector.fitted_
    check_sound(fitted.recipe, "a report")
    scored = sounds(recordings, sample_rate, known=fitted.sections)
    compared = None if healthy is None else healthy_sounds(healthy, sample_rate)
    terms = choose_terms(fitted, scored.sections, false_alarm_rate, promise, condition)
    shown = contents(fitted, scored, compared, terms, condition, top, detector.cache)
    shown["verdict"] += smaller_rate(fitted, false_alarm_rate, terms.rate)
    write_text(output, render({"title": title, **shown}, "listening.html.j2"))
    return Path(output)


def contents(
    fitted: FittedDetector,
    recordings: Sounds,
    healthy: Sounds | None,
    terms: Terms,
    condition: str | None = None,
    top: int = CARDS,
    cache: str | Path | None = None,
) -> dict[str, Any]:
    """Return what the page shows of recordings, by the names that its template uses."""
    from dgmix.evaluate.report.listening import words
    from dgmix.evaluate.report.listening.cards import cards
    from dgmix.evaluate.report.listening.scored import score

    scored, unread = score(fitted, recordings, condition)
    if not scored:
        raise InputError(f"{unread[0].reason} (none of {len(unread)} recordings can be read)")
    made = list(cards(fitted, recordings, scored[:top], healthy, terms, cache))
    return {
        "facts": words.facts(fitted, scored, unread, terms),
        "verdict": words.verdict(fitted, scored, terms),
        "standings": words.standings(fitted, scored, terms, condition),
        "cards": made,
        "rate": terms.rate,
        "promise": terms.promise,
        "compared": healthy is not None,
        "table": words.table(scored, len(made), terms),
        "unread": unread,
        "detector": words.detector_table(fitted),
    }
