"""What `dgmix fit` and `dgmix update` print."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from dgmix.detect.fitted import FittedDetector
from dgmix.detect.odd import Odd, broken_clips, odd_clips
from dgmix.detect.sensitivity import sensitivity_report
from dgmix.detect.summary import (
    Summary,
    band,
    conditions,
    counted,
    known_conditions,
    new_conditions,
    of_vectors,
    sections,
    shown,
    summary,
    thresholds,
    training,
    uncertainty,
)
from dgmix.errors import first_few

MOST_QUESTIONS = 5


def fit_report(
    fitted: FittedDetector, path: str, names: Sequence[str], report: Path | None = None
) -> str:
    """Return what `dgmix fit` prints: what was learned from, and what is promised.

    `names` (recording,) are those of the healthy recordings; `report` is where their report was
    written, if it was.
    """
    values = summary(fitted)
    lines = [f"{path}: {training(values)}"]
    lines += [] if of_vectors(values) else [f"band: {band(values)}"]
    if len(values["sections"]) > 1:
        lines.append(f"sections: {sections(values)}")
    lines += _questions(fitted, names)
    lines += _promises(values)
    lines.append(f"anomaly: {thresholds(values)}")
    if fitted.sensitivity:
        lines += ["", *sensitivity_report(fitted.sensitivity), ""]
    lines += [f"report: {report}"] if report else []
    lines.append(f"next: {_next_command(values, path)}")
    if not (report or of_vectors(values)):
        lines[-1] += "; dgmix fit with --report fit.html shows what was learned from"
    return "\n".join(lines)


def _next_command(values: Summary, path: str) -> str:
    """Return what to type after a fit: `dgmix score`, or where it cannot judge `dgmix update`."""
    given = "VECTORS" if of_vectors(values) else "FILE_OR_FOLDER"
    if all(limit is None for limit in values["threshold"].values()):
        return f"dgmix update {path} {given} adds healthy recordings, made on other occasions"
    return f"dgmix score {path} {given}"


def update_report(before: FittedDetector, after: FittedDetector, path: str, given: int) -> str:
    """Return what `dgmix update` prints of `given` recordings."""
    values = summary(after)
    last = after.updates[-1] if len(after.updates) > len(before.updates) else None
    added, left_out = (last.added, last.left_out) if last else (0, 0)
    notes = [f"{counted(added, 'recording')} added"]
    if known := given - added - left_out:
        notes.append(f"{known} left out because it has learned from them")
    if left_out:
        notes.append(
            f"{left_out} left out because they look like faults or are unusable (`dgmix score` "
            "shows which; --accept adds them if they are healthy)"
        )
    lines = [f"{path}: {', '.join(notes)}; now {training(values)}", *_promises(values)]
    if len(values["conditions"]) > 1:
        lines.append(f"conditions: {conditions(values)}")
    if added:
        lines.append(f"to take this back: dgmix update {path} --undo")
    return "\n".join(lines)


def undo_report(before: FittedDetector, after: FittedDetector, path: str) -> str:
    """Return what `dgmix update --undo` prints."""
    last = before.updates[-1]
    return (
        f"{path}: the update of {last.time}, {counted(last.added, 'recording')}, is taken back; "
        f"now {training(summary(after))}"
    )


def _promises(values: Summary) -> list[str]:
    return [
        f"false alarms: {known_conditions(values)}",
        f"new conditions: {new_conditions(values)}",
        f"uncertainty: {uncertainty(values)}",
    ]


def odd_recordings(fitted: FittedDetector, names: Sequence[str]) -> list[str]:
    """Return a sentence on each healthy recording, or group of some, that is unlike the others."""
    return [_unlike([names[clip] for clip in each.clips], each) for each in odd_clips(fitted)]


def broken_recordings(fitted: FittedDetector, names: Sequence[str]) -> list[str]:
    """Return a sentence on each healthy recording that is broken beside most of the others."""
    return [
        f"{names[clip]}: {'; '.join(defect.text for defect in wrong)}"
        for clip, wrong in broken_clips(fitted)
    ]


def _unlike(names: Sequence[str], odd: Odd) -> str:
    score, others = shown(odd.score), counted(odd.others, "other")
    if len(names) == 1:
        return f"{names[0]} (score {score})"
    return f"{first_few(names, 8)} are alike and unlike the {others} (score {score} or more)"


def _questions(fitted: FittedDetector, names: Sequence[str]) -> list[str]:
    """Return which healthy recordings are to be checked; all are learned from."""
    odd, broken = odd_recordings(fitted, names), broken_recordings(fitted, names)
    lines = [f"unlike the others: {each}" for each in odd[:MOST_QUESTIONS]]
    lines += [f"quality: {each}" for each in broken[:MOST_QUESTIONS]]
    more = max(len(odd) - MOST_QUESTIONS, 0) + max(len(broken) - MOST_QUESTIONS, 0)
    if more:
        lines.append(f"and {more} more; `dgmix fit --report fit.html` shows all")
    if odd:
        lines.append(
            "all of these were learned from: a fault like them would be normal. Leave out what is "
            "no healthy machine with --leave-out NAME, and name other operating conditions with "
            "--conditions-from"
        )
    elif broken:
        lines.append("all of these were learned from; --leave-out NAME leaves one out")
    return lines
