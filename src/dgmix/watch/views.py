"""What the page and the API show: plain values, times in UTC seconds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dgmix.watch.hub import Hub
from dgmix.watch.settings import MachineSettings
from dgmix.watch.store import queries
from dgmix.watch.store.store import Store

HOUR, DAY = 3600.0, 86_400.0
Values = dict[str, Any]


@dataclass(frozen=True)
class Stretch:
    """A stretch of time that the page shows: its length, and that of each of its parts (s)."""

    name: str
    seconds: float
    part: float
    width: int


STRETCHES = {
    "24h": Stretch("last 24 hours", DAY, 900.0, 60),
    "30d": Stretch("last 30 days", 30 * DAY, 6 * HOUR, 3600),
}


def overview(machine: MachineSettings, hub: Hub, store: Store) -> Values:
    """Return what a machine is doing: live values, coverage, open events."""
    now, live = store.clock.now(), hub.values(machine.name)
    last = store.read(queries.last_window, machine.name) or {}
    judged = live.get("judged", last.get("start"))
    events = store.read(queries.events, machine.name, now, 20, active=True)
    return {
        "name": machine.name,
        "title": machine.shown,
        "state": state_of([event["kind"] for event in events], live, last),
        "source": live.get("source", "connecting"),
        "source_detail": live.get("source_detail", ""),
        "source_since": live.get("source_since"),
        "score": live.get("score", last.get("score")),
        "p_value": live.get("p_value", last.get("p_value")),
        "rate": live.get("rate"),
        "verdict": live.get("verdict", last.get("verdict")),
        "view": live.get("view", last.get("view")),
        "condition": live.get("condition", last.get("condition")),
        "wear": live.get("wear"),
        "judged": judged,
        "age": None if judged is None else max(0.0, now - judged),
        "skipped": live.get("skipped", 0),
        "covered_hour": store.read(queries.coverage_seconds, machine.name, now - HOUR, now) / 60,
        "covered_day": store.read(queries.coverage_seconds, machine.name, now - DAY, now) / HOUR,
        "events": events,
    }


def state_of(kinds: Iterable[str], live: Values, last: Values) -> str:
    """Return the one word for a machine: what is most urgent."""
    kinds = set(kinds)
    for kind in ("anomaly", "no sound", "unusable", "new condition", "wear"):
        if kind in kinds:
            return kind
    if live.get("source", "connecting") != "listening":
        return str(live.get("source", "connecting"))
    return "normal" if live.get("verdict") or last else "waiting"


def history(machine: str, store: Store, stretch: Stretch) -> Values:
    """Return a machine's events in a stretch up to now, and its coverage and scores by parts."""
    end = (store.clock.now() // stretch.part + 1) * stretch.part
    begin = end - stretch.seconds
    parts: list[Values] = [
        {"start": begin + number * stretch.part, "covered": 0.0, "windows": 0, "skipped": 0}
        for number in range(round(stretch.seconds / stretch.part))
    ]
    for span in store.read(queries.spans, machine, stretch.width, begin, end):
        part = parts[int((span["start"] - begin) // stretch.part)]
        for key in ("covered", "windows", "skipped"):
            part[key] += span[key]
        for key, choose in (("score", max), ("p_value", min)):
            known = [each for each in (part.get(key), span[key]) if each is not None]
            part[key] = choose(known) if known else None
    events = [
        event
        for event in store.read(queries.events, machine, begin, 500)
        if event["cleared"] is None or event["cleared"] >= begin
    ]
    return {"begin": begin, "end": end, "part": stretch.part, "parts": parts, "events": events}
