"""What is written: rows as values, and the operations that put them into the tables."""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from typing import Any

MINUTE, HOUR = 60, 3600
SCHEMA = 1
"""Version of the messages' form; it changes when a key changes its meaning or goes."""


@dataclass(frozen=True, slots=True)
class WindowRow:
    """A judged window."""

    machine: str
    start: float
    seconds: float
    score: float | None
    p_value: float | None
    p_new: float | None
    verdict: str
    view: str
    condition: str | None
    detector: str
    source: str = ""


@dataclass(frozen=True, slots=True)
class EventRow:
    """An event as it is raised."""

    id: str
    machine: str
    kind: str
    raised: float
    condition: str | None = None
    score: float | None = None
    p_value: float | None = None
    view: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """A message: an id, when, of which machine, and the body that every sink sends."""

    machine: str
    created: float
    body: dict[str, Any]
    id: str = field(default_factory=lambda: uuid.uuid4().hex)


def insert_window(connection: sqlite3.Connection, row: WindowRow, every: float) -> int:
    """Add a judged window and count it in the sums by minute and hour; return its number.

    `every` is how many seconds of new sound it brings.
    """
    columns = ", ".join(WindowRow.__slots__)
    marks = ", ".join("?" * len(WindowRow.__slots__))
    cursor = connection.execute(f"INSERT INTO windows ({columns}) VALUES ({marks})", astuple(row))
    covered = min(every, row.seconds) if row.verdict != "unreadable" else 0.0
    add_coverage(connection, row.machine, row.start, covered)
    for width in (MINUTE, HOUR):
        connection.execute(
            "UPDATE spans SET windows = windows + 1, anomalies = anomalies + ?,"
            " score = max(ifnull(score, ?), ?), p_value = min(ifnull(p_value, ?), ?)"
            " WHERE machine = ? AND width = ? AND start = ?",
            (
                row.verdict == "ANOMALY",
                *(row.score, row.score, row.p_value, row.p_value),
                *(row.machine, width, int(row.start // width) * width),
            ),
        )
    return int(cursor.lastrowid or 0)


def add_coverage(
    connection: sqlite3.Connection, machine: str, start: float, seconds: float
) -> None:
    """Add seconds that were judged to the sums by minute and hour that they lie in."""
    for width in (MINUTE, HOUR):
        at, left = start, seconds
        while True:
            first = int(at // width) * width
            here = min(left, first + width - at)
            connection.execute(
                "INSERT INTO spans (machine, width, start, covered) VALUES (?, ?, ?, ?)"
                " ON CONFLICT DO UPDATE SET covered = min(covered + excluded.covered, width)",
                (machine, width, first, here),
            )
            at, left = first + width, left - here
            if left <= 1e-9:
                break


def count_skipped(connection: sqlite3.Connection, machine: str, at: float, windows: int) -> None:
    """Count windows that could not be judged in time."""
    add_coverage(connection, machine, at, 0.0)
    for width in (MINUTE, HOUR):
        connection.execute(
            "UPDATE spans SET skipped = skipped + ? WHERE machine = ? AND width = ? AND start = ?",
            (windows, machine, width, int(at // width) * width),
        )


def insert_event(connection: sqlite3.Connection, row: EventRow) -> None:
    """Add an event that begins."""
    columns = ", ".join(EventRow.__slots__)
    marks = ", ".join("?" * len(EventRow.__slots__))
    connection.execute(f"INSERT INTO events ({columns}) VALUES ({marks})", astuple(row))


def insert_clip(connection: sqlite3.Connection, values: dict[str, Any]) -> int:
    """Add a clip, of which each column but the number and `pinned` is given; return its number."""
    columns, marks = ", ".join(values), ", ".join(f":{name}" for name in values)
    cursor = connection.execute(f"INSERT INTO clips ({columns}) VALUES ({marks})", values)
    return int(cursor.lastrowid or 0)


def clear_event(connection: sqlite3.Connection, event: str, at: float, reason: str) -> None:
    """Note when and why an event ended; one that has ended stays as it is."""
    connection.execute(
        "UPDATE events SET cleared = ?, reason = ? WHERE id = ? AND cleared IS NULL",
        (at, reason, event),
    )


def insert_message(connection: sqlite3.Connection, message: Message, sinks: Sequence[str]) -> int:
    """Put a message into the outbox of each sink; return its number."""
    body = json.dumps({"schema": SCHEMA, "id": message.id, **message.body})
    cursor = connection.execute(
        "INSERT INTO messages (id, created, machine, body) VALUES (?, ?, ?, ?)",
        (message.id, message.created, message.machine, body),
    )
    seq = int(cursor.lastrowid or 0)
    connection.executemany(
        "INSERT INTO deliveries (seq, sink) VALUES (?, ?)", [(seq, sink) for sink in sinks]
    )
    return seq


def note_delivery(
    connection: sqlite3.Connection,
    seq: int,
    sink: str,
    at: float,
    error: str = "",
    state: str = "delivered",
) -> None:
    """Note what became of a try to deliver a message: acknowledged, failed, or given up."""
    connection.execute(
        "UPDATE deliveries SET tries = tries + 1, at = ?, error = ?, state = ?"
        " WHERE seq = ? AND sink = ?",
        (at, error or None, "waiting" if error and state == "delivered" else state, seq, sink),
    )


def save_state(connection: sqlite3.Connection, machine: str, value: str) -> None:
    """Keep what the rule remembers of a machine, as JSON."""
    connection.execute("INSERT OR REPLACE INTO states VALUES (?, ?)", (machine, value))


def note_source(
    connection: sqlite3.Connection, machine: str, at: float, state: str, detail: str
) -> None:
    """Note that the state of a source changed."""
    connection.execute(
        "INSERT INTO sources (machine, at, state, detail) VALUES (?, ?, ?, ?)",
        (machine, at, state, detail),
    )


def note_file(
    connection: sqlite3.Connection,
    machine: str,
    file: str,
    size: int,
    modified: float,
    done: float,
    error: str | None = None,
) -> None:
    """Note that a file of a folder was judged, or cannot be."""
    connection.execute(
        "INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?, ?)",
        (machine, file, size, modified, done, error),
    )


def notice(connection: sqlite3.Connection, at: float, text: str) -> None:
    """Note a sentence about the watch itself, for the page."""
    connection.execute("INSERT INTO notices (at, text) VALUES (?, ?)", (at, text))


def insert_label(
    connection: sqlite3.Connection,
    event: str,
    verdict: str,
    condition: str | None,
    who: str,
    at: float,
) -> int | None:
    """Add what a person says of an event; None where there is no such event."""
    event_row = connection.execute("SELECT machine FROM events WHERE id = ?", (event,)).fetchone()
    if event_row is None:
        return None
    undo_label(connection, event, who, at)
    cursor = connection.execute(
        "INSERT INTO labels (machine, event, verdict, condition, who, at)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (event_row["machine"], event, verdict, condition, who, at),
    )
    return int(cursor.lastrowid or 0)


def undo_label(connection: sqlite3.Connection, event: str, who: str, at: float) -> int:
    """Take back the labels of an event; the row stays. Return how many labels that were."""
    cursor = connection.execute(
        "UPDATE labels SET undone = ?, undone_by = ? WHERE event = ? AND undone IS NULL",
        (at, who, event),
    )
    return cursor.rowcount


def insert_detector(
    connection: sqlite3.Connection, machine: str, file: str, labels: Sequence[int], at: float
) -> None:
    """Note that a machine is judged by another detector from now on."""
    connection.execute(
        "INSERT INTO detectors (machine, file, labels, at) VALUES (?, ?, ?, ?)",
        (machine, file, json.dumps(list(labels)), at),
    )
