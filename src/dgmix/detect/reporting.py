"""What `dgmix fit` and `dgmix update` print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from dgmix.detect.fitted import FittedDetector
from dgmix.detect.summary import (
    Summary,
    band,
    conditions,
    counted,
    known_conditions,
    new_conditions,
    sections,
    shown,
    summary,
    thresholds,
    training,
    uncertainty,
)
from dgmix.errors import first_few

ODD_SCORE, ENOUGH = 8.0, 8


def fit_report(fitted: FittedDetector, path: str, names: Sequence[str]) -> str:
    """Return what `dgmix fit` prints: what was learned from, and what is promised.

    `names` (recording,) are those of the healthy recordings.
    """
    values = summary(fitted)
    lines = [f"{path}: {training(values)}", f"band: {band(values)}"]
    if len(values["sections"]) > 1:
        lines.append(f"sections: {sections(values)}")
    if odd := odd_recordings(fitted, names):
        lines.append(f"unlike the others: {odd}")
    lines += _promises(values)
    lines.append(f"anomaly: a score {thresholds(values)}")
    lines.append(f"next: dgmix score {path} FILE_OR_FOLDER")
    return "\n".join(lines)


def update_report(before: FittedDetector, after: FittedDetector, path: str, given: int) -> str:
    """Return what `dgmix update` prints of `given` recordings."""
    values = summary(after)
    last = after.updates[-1] if len(after.updates) > len(before.updates) else None
    added, left_out = (last.added, last.left_out) if last else (0, 0)
    notes = [f"{counted(added, 'recording')} added"]
    if known := given - added - left_out:
        notes.append(f"{known} left out because it knows them")
    if left_out:
        notes.append(
            f"{left_out} left out because they look like faults or are unusable (`dgmix score` "
            "shows which; --accept adds them if they are healthy)"
        )
    lines = [f"{path}: {', '.join(notes)}; now {training(values)}", *_promises(values)]
    if len(values["conditions"]) > 1:
        lines.append(f"conditions: {conditions(values)}")
    if last:
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


def odd_recordings(fitted: FittedDetector, names: Sequence[str]) -> str:
    """Return which healthy recordings, by name, lie far from all others, or nothing.

    Their scores exceed `ODD_SCORE` deviations of the others. A single view has no such unit, and
    few recordings show no deviation.
    """
    clips = fitted.memory.clips
    if len(fitted.views) == 1 or min(Counter(clips.sections).values()) < ENOUGH:
        return ""
    scores = fitted.decision_scores
    far = [int(index) for index in np.argsort(-scores) if ODD_SCORE < scores[index] < np.inf]
    if not far:
        return ""
    named = first_few([f"{names[index]} (score {shown(scores[index])})" for index in far])
    return (
        f"{named}; a fault must be as unusual as that to be found, so leave out what is not a "
        "healthy machine"
    )
