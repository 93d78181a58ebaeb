"""What a detector learned from and promises, as plain values and as lines of text."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from dgmix.audio.layout import facts
from dgmix.audio.signals import hertz, words_of
from dgmix.detect.band import highest
from dgmix.detect.conformal import groups_needed, rate_interval, rounded_up, smallest_rate
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.scorers import estimates
from dgmix.detect.sensitivity import sensitivity_of, sensitivity_report
from dgmix.detect.views import GIVEN, LEARNED
from dgmix.errors import first_few

EXAMPLES = (0.1, 0.05, 0.01, 0.001)
Summary = dict[str, Any]
WITHOUT_NETWORK = {"audio", "features", "input", "detect", "plugins"}


def summary(fitted: FittedDetector) -> Summary:
    """Return what a detector learned from and promises, as values that JSON has.

    A threshold or score that is infinite is None, and so is the smallest rate of a promise that
    supports none.
    """
    return {
        **_training(fitted),
        **_promises_of(fitted),
        "channels": _channels(fitted),
        "views": {name: list(view.values.shape) for name, view in fitted.memory.views.items()},
        "weights": sum(p.numel() for p in fitted.network.parameters()) if fitted.network else 0,
        "feature names": list(fitted.feature_names),
        "updates": [
            {
                "time": each.time,
                "added": each.added,
                "left out": each.left_out,
                "conditions": list(each.conditions),
            }
            for each in fitted.updates
        ],
        "sensitivity": fitted.sensitivity.as_values() if fitted.sensitivity else None,
    }


def _training(fitted: FittedDetector) -> Summary:
    clips = fitted.memory.clips
    pairs = set(zip(clips.sections, clips.recordings, strict=True))
    return {
        "files": len(clips),
        "recordings": len(pairs),
        "band": None if GIVEN in fitted.views else _band(fitted),
        "minutes": round(float(clips.seconds.sum()) / 60, 2),
        "trained on": fitted.trained,
        "sections": dict(sorted(Counter(clips.sections).items())),
        "domains": dict(sorted(Counter(clips.domains).items())),
        "conditions": dict(sorted(Counter(clips.conditions).items())),
    }


def _band(fitted: FittedDetector) -> Summary:
    recipe = fitted.recipe
    return {"highest frequency": highest(recipe), "sample rate": recipe.audio.rate}


def _channels(fitted: FittedDetector) -> Summary | None:
    """Return which signals are compared, and what the channels of the recordings are like."""
    if GIVEN in fitted.views:
        return None
    values: Summary = {"compared": list(map(str, fitted.signals))}
    if fitted.layout:
        values |= {**fitted.layout.values(), "facts": list(facts(fitted.layout))}
    return values


def _promises_of(fitted: FittedDetector) -> Summary:
    scores = np.sort(fitted.decision_scores)
    count = fitted.count("known")
    rate = fitted.rate() if count else 1.0
    limits = {name or "all": fitted.calibration(name).threshold(rate) for name in fitted.sections}
    return {
        "promises": {
            "known conditions": _promise(count, "recordings"),
            "new conditions": _promise(fitted.count("new"), "conditions"),
        },
        "exact": not estimates(fitted.recipe.detect, fitted.recipe.plugins),
        "false-alarm rate": rate,
        "false-alarm rate interval": list(rate_interval(count, rate)) if count else [0.0, 0.0],
        "threshold": {name: plain(limit) for name, limit in limits.items()},
        "healthy scores": {
            "least": plain(scores[0]),
            "median": plain(np.median(scores)),
            "greatest": plain(scores[-1]),
        },
    }


def _promise(count: int, groups: str) -> Summary:
    smallest = smallest_rate(count) if count > 1 else None
    return {groups: count, "smallest false-alarm rate": smallest}


def training(values: Summary) -> str:
    """Return how much a detector learned from, of a `summary`."""
    if of_vectors(values):
        text = f"vectors of {counted(values['files'], 'recording')}"
    else:
        text = f"{counted(values['files'], 'recording')}, {values['minutes']:.1f} minutes"
    added = sum(each["added"] for each in values["updates"])
    together = values["files"] - values["recordings"]
    notes = [f"{added} of them added by `dgmix update`"] if added else []
    if together:
        notes.append(
            f"which count as {values['recordings']}: the others are copies, overlapping cuts or "
            "pieces of these"
        )
    return f"{text} ({', '.join(notes)})" if notes else text


def of_vectors(values: Summary) -> bool:
    """Return whether a detector learned from given vectors instead of sound, of a `summary`."""
    return GIVEN in values["views"]


def band(values: Summary) -> str:
    """Return which frequencies a detector compares, of a `summary`."""
    whole, rate = values["band"]["highest frequency"], values["band"]["sample rate"]
    return f"up to {hertz(whole)} ({hertz(rate)} recordings)"


def sections(values: Summary) -> str:
    """Return the sections, and what a recording of one is compared with, of a `summary`."""
    own = "those of its own section (--set detect.per_section=false: with all)"
    others = own if len(values["threshold"]) > 1 else "all"
    return f"{_listed(values['sections'])}; a recording is compared with {others}"


def known_conditions(values: Summary) -> str:
    """Return which false-alarm rates hold for recordings made like the healthy ones."""
    promise = values["promises"]["known conditions"]
    count = promise["recordings"]
    needs = _needs(count, "recordings")
    if promise["smallest false-alarm rate"] is None:
        where = "a section has" if len(values["sections"]) > 1 else "there is"
        once = "" if of_vectors(values) else ", and a recording counts once, however long it is"
        return f"no verdicts yet: {where} {counted(count, 'recording')}{once}{needs}"
    least = percent(smallest_rate(count))
    return f"{least} at best, of healthy recordings made like these{needs}"


def new_conditions(values: Summary) -> str:
    """Return which false-alarm rates hold for recordings of a condition not learned from."""
    promise = values["promises"]["new conditions"]
    count = promise["conditions"]
    if promise["smallest false-alarm rate"] is None:
        if not values["exact"]:
            return "no promise: the scorer estimates something from the healthy recordings"
        each = " in each section" if len(values["sections"]) > 1 else ""
        how = "a column `condition`" if of_vectors(values) else "--conditions-from"
        return f"no promise: this needs recordings of several named conditions{each} ({how})"
    return (
        f"{percent(smallest_rate(count))} at best, of healthy recordings of a condition drawn like "
        f"these {count}{_needs(count, 'conditions')}"
    )


def _needs(count: int, groups: str) -> str:
    """Return how many recordings or conditions the next smaller rates need."""
    rates = [rate for rate in EXAMPLES if groups_needed(rate) > count][:2]
    text = ", ".join(f"{percent(rate)} needs {groups_needed(rate)}" for rate in rates)
    return f" ({text} {groups})" if text else ""


def uncertainty(values: Summary) -> str:
    """Return how high the false-alarm rate of this detector may be: the end of its 95 %
    interval."""
    promise = values["promises"]["known conditions"]
    if promise["smallest false-alarm rate"] is None:
        return "nothing is called an anomaly before there are more recordings"
    _, most = values["false-alarm rate interval"]
    return (
        f"{percent(values['false-alarm rate'])} is an average over detectors that learn from "
        f"{counted(promise['recordings'], 'recording')}; the rate of this one may be up to "
        f"{percent(most)}; more recordings narrow that"
    )


def channels(values: Summary) -> str:
    """Return which channels are compared, and what is wrong with the others."""
    words = ", ".join(words_of(each) for each in values["channels"]["compared"])
    counts = values["channels"].get("recordings", {})
    of = f" of {' or '.join(counts)}" if counts else ""
    notes = values["channels"].get("facts", [])
    return "; ".join([words + of, *notes])


def thresholds(values: Summary) -> str:
    """Return which scores are anomalies, and at which false-alarm rate."""
    limits = values["threshold"]
    if all(limit is None for limit in limits.values()):
        return "no score: there are too few healthy recordings for verdicts"
    at = f"at a false-alarm rate of {percent(values['false-alarm rate'])}"
    if len(limits) == 1:
        (limit,) = limits.values()
        return f"a score above {shown(limit)}, {at}"
    each = (
        f"{'no score' if limit is None else shown(limit)} (section {name})"
        for name, limit in limits.items()
    )
    return f"a score above {', '.join(each)}, {at}"


def conditions(values: Summary) -> str:
    """Return the operating conditions, and how many healthy recordings there are of each."""
    return _listed(values["conditions"])


def overview(values: Summary) -> dict[str, str]:
    """Return what a detector learned from and promises, of a `summary`, as texts by their names."""
    scores = values["healthy scores"]
    if of_vectors(values):
        what = {"numbers": first_few(values["feature names"], 12) or "without names"}
    else:
        what = {"band": band(values), "channels": channels(values)}
    return {
        "learned from": training(values),
        **what,
        "sections": _listed(values["sections"]),
        "conditions": conditions(values),
        "false alarms": known_conditions(values),
        "new conditions": new_conditions(values),
        "uncertainty": uncertainty(values),
        "anomaly": thresholds(values),
        "healthy scores": f"{shown(scores['least'])} to {shown(scores['greatest'])}, "
        f"median {shown(scores['median'])}",
        "updates": updates(values),
    }


def described(path: str, values: Summary) -> str:
    """Return what `describe_detector` returns as a page of text."""
    import yaml

    settings = yaml.safe_dump(_settings(values), sort_keys=False)
    lines = {
        **overview(values),
        "memory": ", ".join(
            f"{view}: {counted(count, 'vector')} of {size} numbers"
            for view, (count, size) in values["views"].items()
        ),
        "network": network(values),
        "versions": f"dgmix {values['dgmix']}, file format {values['format']}{_old(values)}",
    }
    rows = [f"{name:<15} {text}" for name, text in lines.items()]
    finds = [*sensitivity_lines(values), ""] if values["sensitivity"] else []
    settings_lines = ["settings:", *(f"  {line}" for line in settings.splitlines())]
    return "\n".join([path, "", *rows, "", *finds, *settings_lines])


def _settings(values: Summary) -> Summary:
    """Return the settings that decide what a detector does; all where it has a network."""
    if LEARNED in values["views"]:
        return dict(values["recipe"])
    used = {"detect"} if of_vectors(values) else WITHOUT_NETWORK
    return {name: part for name, part in values["recipe"].items() if name in used}


def sensitivity_lines(values: Summary) -> list[str]:
    """Return which planted faults a detector finds, of a `summary` in which that was measured."""
    measured = sensitivity_of(values["sensitivity"])
    lines = sensitivity_report(measured)
    if measured.learned_from != values["recordings"]:
        lines.append(f"(measured when it had learned from {measured.learned_from} recordings)")
    return lines


def network(values: Summary) -> str:
    """Return how large the network of a detector is, and its seed, where it has one."""
    if LEARNED not in values["views"]:
        return "none: no view is learned"
    return f"{values['weights'] / 1e6:.2f} million weights, seed {values['seed']}"


def updates(values: Summary) -> str:
    """Return when recordings were added to a detector, and how many."""
    entries = [
        f"{each['time']}: {each['added']} added, {each['left out']} left out"
        for each in values["updates"]
    ]
    return "; ".join(entries) or "none"


def _old(values: Summary) -> str:
    if values["exact"]:
        return ""
    return (
        "; its scorer estimates something from the healthy recordings, so that only a part of them "
        "calibrates: fit again with today's default for smaller rates"
    )


def counted(number: int, what: str) -> str:
    """Return a number of things, as people write it."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def percent(rate: float) -> str:
    """Return a rate in per cent, in three figures, never below what it is."""
    return f"{100 * rounded_up(rate):.3g} %"


def plain(value: float) -> float | None:
    """Return a number that JSON has, or None for infinity."""
    return float(value) if np.isfinite(value) else None


def shown(value: float | None) -> str:
    """Return a score in four figures."""
    return "infinity" if value is None or np.isinf(value) else f"{round(value, 6):.4g}"


def _listed(counts: dict[str, int]) -> str:
    return first_few([f"{name}: {count}" for name, count in counts.items()], 12)
