"""Messages to people: the same versioned body for every sink, and a sentence in it."""

from __future__ import annotations

import time
from typing import Any

from dgmix.watch.rule import Change
from dgmix.watch.settings import MachineSettings
from dgmix.watch.store.rows import EventRow, Message

RAISED = {
    "anomaly": "sounds unlike its healthy recordings",
    "new condition": "is steadily unlike the known conditions, and may run in a new one",
    "wear": "has drifted away from its healthy sound for hours: creeping wear, perhaps",
    "unusable": "sends recordings that cannot be judged",
    "no sound": "sends no sound",
}
CLEARED = {
    "anomaly": "sounds healthy again",
    "new condition": "sounds as known again",
    "wear": "is back at its healthy sound",
    "unusable": "can be judged again",
    "no sound": "has sound again",
}


def utc(at: float) -> str:
    """Return a time as ISO 8601 in UTC, to the millisecond."""
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))
    return f"{whole}.{int(at % 1 * 1000):03d}Z"


def message(
    site: str, machine: MachineSettings, change: Change, event: EventRow, at: float
) -> Message:
    """Return the message of an event that begins or ends at a time (UTC seconds)."""
    body: dict[str, Any] = {
        "type": change.action,
        "kind": event.kind,
        "event": event.id,
        "site": site,
        "machine": machine.name,
        "title": machine.shown,
        "at": utc(at),
        "raised": utc(event.raised),
        "condition": event.condition,
        "score": event.score,
        "p_value": event.p_value,
        "view": event.view,
        "reason": change.reason,
        "text": sentence(machine, change, event),
    }
    return Message(machine.name, at, body, f"{event.id}.{change.action}")


def sentence(machine: MachineSettings, change: Change, event: EventRow) -> str:
    """Return what a message says in words."""
    if change.action == "clear":
        why = f" ({change.reason})" if change.reason else ""
        return f"{machine.shown} {CLEARED[event.kind]}{why}."
    known = f" (p = {event.p_value:.3g})" if event.p_value is not None else ""
    return f"{machine.shown} {RAISED[event.kind]}{known}."


def test_message(site: str, at: float) -> Message:
    """Return the message that `dgmix watch notify-test` sends."""
    text = f"dgmix watch ({site}): this is a test; messages arrive."
    body = {"type": "test", "kind": "test", "site": site, "at": utc(at), "text": text}
    return Message("", at, {**body, "machine": "", "title": site})
