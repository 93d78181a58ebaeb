"""What a detector is, told to people: from plain values to lines of text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from dgmix.detect.threshold import rate_interval, recordings_needed, rounded_up
from dgmix.detect.views import LEARNED
from dgmix.errors import first_few

if TYPE_CHECKING:
    from dgmix.detect.detector import Detector

EXAMPLES = (0.1, 0.05, 0.01, 0.001)
UNLIKE, ENOUGH = 20.0, 8


def summary(detector: Detector) -> dict[str, Any]:
    """Return what a detector learned from and can promise, as values that JSON has.

    A threshold or score that is infinite is None.
    """
    healthy, memory = detector.healthy_, detector.memory_
    rate = detector.rate()
    distinct = set(zip(memory.sections, healthy.recordings.tolist(), strict=True))
    calibrations = {name: detector.calibration(name) for name in detector.sections}
    scores = np.sort(detector.decision_scores_)
    return {
        "recordings": len(memory.sections),
        "copies": len(memory.sections) - len(distinct),
        "minutes": round(float(healthy.seconds.sum()) / 60, 2),
        "trained on": healthy.trained,
        "sections": dict(sorted(Counter(memory.sections).items())),
        "domains": dict(sorted(Counter(memory.domains).items())),
        "smallest false-alarm rate": detector.smallest_rate(),
        "false-alarm rate": rate,
        "false-alarm rate in truth": list(rate_interval(fewest(detector.smallest_rate()), rate)),
        "threshold": {name or "all": plain(c.threshold(rate)) for name, c in calibrations.items()},
        "healthy scores": {
            "least": plain(scores[0]),
            "median": plain(np.median(scores)),
            "greatest": plain(scores[-1]),
        },
        "views": {name: list(view.values.shape) for name, view in memory.views.items()},
        "weights": sum(p.numel() for p in detector.network_.parameters()),
    }


def learned(told: dict[str, Any]) -> str:
    """Return how much a detector learned from, of a `summary`."""
    text = f"{counted(told['recordings'], 'recording')}, {told['minutes']:.1f} minutes"
    added, copies = told["recordings"] - told["trained on"], told["copies"]
    notes = [f"{added} of them added without training"] if added else []
    notes += [f"{copies} of them copies of others, which count once"] if copies else []
    return f"{text} ({', '.join(notes)})" if notes else text


def sections(told: dict[str, Any]) -> str:
    """Return the sections, which are compared each with itself, of a `summary`."""
    return f"{_listed(told['sections'])}; a recording is compared with those of its own section"


def unlike(detector: Detector, names: Sequence[str]) -> str:
    """Return which healthy recordings, by name, lie far from all others, or nothing.

    Their scores are `UNLIKE` standard deviations above the others' mean, in some view. Those of a
    single view have no such unit, and few recordings tell no deviation.
    """
    scores = detector.decision_scores_
    fewest_together = min(Counter(detector.memory_.sections).values())
    if len(detector.memory_.views) == 1 or fewest_together < ENOUGH:
        return ""
    far = [int(index) for index in np.argsort(-scores) if UNLIKE < scores[index] < np.inf]
    if not far:
        return ""
    named = first_few([f"{names[index]} ({_shown(scores[index])})" for index in far])
    return (
        f"{named}; anomalies must be as unusual as that to be found, so leave out what is not a "
        "healthy machine"
    )


def promise(told: dict[str, Any]) -> str:
    """Return which false-alarm rates the recordings support."""
    smallest = told["smallest false-alarm rate"]
    here = fewest(smallest)
    if _says_nothing(told):
        alone = " in its section" if len(told["sections"]) > 1 else ""
        return (
            f"none: nothing else healthy{alone} to compare a recording with, so every p-value is "
            "1; add other recordings with `dgmix update`"
        )
    text = f"{percent(smallest)} is the smallest rate that {counted(here, 'recording')} support"
    next_ones = [rate for rate in EXAMPLES if recordings_needed(rate) > here][:2]
    needs = (f"{percent(rate)} needs {recordings_needed(rate)}" for rate in next_ones)
    return "; ".join([text, ", ".join(needs)])


def uncertainty(told: dict[str, Any]) -> str:
    """Return how high the false-alarm rate may in truth be: the end of its 95 % interval.

    The interval is `rate_interval` of the condition with the fewest recordings.
    """
    if _says_nothing(told):
        return "none: without another recording nothing is ever called an anomaly"
    here = counted(fewest(told["smallest false-alarm rate"]), "recording")
    _, most = told["false-alarm rate in truth"]
    return (
        f"{percent(told['false-alarm rate'])} is an average over detectors; with {here} this one's "
        f"rate may in truth be up to {percent(most)}, and more recordings narrow that"
    )


def fewest(smallest: float) -> int:
    """Return how many recordings a smallest rate is that of."""
    return round(1 / smallest) - 1


def _says_nothing(told: dict[str, Any]) -> bool:
    return all(value is None for value in told["threshold"].values())


def thresholds(told: dict[str, Any]) -> str:
    """Return above which score a recording is an anomaly, and at which false-alarm rate."""
    limits = told["threshold"]
    at = f"at a false-alarm rate of {percent(told['false-alarm rate'])}"
    if len(told["views"]) > 1:
        at += "; or less, where several views agree"
    if len(limits) == 1:
        (limit,) = limits.values()
        return f"above {_shown(limit)}, {at}"
    each = (f"{_shown(limit)} (section {name})" for name, limit in limits.items())
    return f"above {', '.join(each)}, {at}"


def conditions(told: dict[str, Any]) -> str:
    """Return the operating conditions, and how a recording is judged whose condition is unknown."""
    names = _listed(told["domains"])
    if len(told["domains"]) == 1:
        return names
    return f"{names}; without --domain a recording is judged by the one that excuses it most"


def described(path: str, told: dict[str, Any]) -> str:
    """Return what `describe_detector` tells as a page of text."""
    import yaml

    scores = told["healthy scores"]
    settings = yaml.safe_dump(told["recipe"], sort_keys=False)
    lines = {
        "learned from": learned(told),
        "sections": _listed(told["sections"]),
        "conditions": conditions(told),
        "false alarms": promise(told),
        "uncertainty": uncertainty(told),
        "anomaly": f"a score {thresholds(told)}",
        "healthy scores": f"{_shown(scores['least'])} to {_shown(scores['greatest'])}, "
        f"median {_shown(scores['median'])}",
        "memory": ", ".join(
            f"{view}: {counted(count, 'vector')} of {size} numbers"
            for view, (count, size) in told["views"].items()
        ),
        "network": f"{told['weights'] / 1e6:.2f} million weights, seed {told['seed']}"
        if LEARNED in told["views"]
        else "none: no view is learned",
        "versions": f"dgmix {told['dgmix']}, file format {told['format']}",
    }
    rows = [f"{name:<15} {text}" for name, text in lines.items()]
    return "\n".join([path, "", *rows, "", "settings:", *(f"  {s}" for s in settings.splitlines())])


def counted(number: int, what: str) -> str:
    """Return a number of things, as people write it."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def percent(rate: float) -> str:
    """Return a rate in per cent, in three figures, never below what it is."""
    return f"{100 * rounded_up(rate):.3g} %"


def plain(value: float) -> float | None:
    """Return a number that JSON has, or None for infinity."""
    return float(value) if np.isfinite(value) else None


def _shown(value: float | None) -> str:
    return "infinity" if value is None else f"{value:.4g}"


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in counts.items())
