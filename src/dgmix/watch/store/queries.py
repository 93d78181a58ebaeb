"""What is read: plain values for the page, the API and the sinks."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import Any, TypeAlias

Values: TypeAlias = dict[str, Any]
DAY = 86_400.0


def rows(result: Iterable[sqlite3.Row]) -> list[Values]:
    """Return rows as dictionaries."""
    return [dict(row) for row in result]


def last_window(connection: sqlite3.Connection, machine: str) -> Values | None:
    """Return the window of a machine that was judged last."""
    result = connection.execute(
        "SELECT * FROM windows WHERE machine = ? ORDER BY id DESC LIMIT 1", (machine,)
    ).fetchone()
    return dict(result) if result else None


def last_windows(connection: sqlite3.Connection, machine: str, most: int) -> list[Values]:
    """Return the windows of a machine that were judged last, oldest first."""
    result = connection.execute(
        "SELECT * FROM windows WHERE machine = ? ORDER BY id DESC LIMIT ?", (machine, most)
    )
    return rows(result)[::-1]


def spans(
    connection: sqlite3.Connection, machine: str, width: int, begin: float, end: float
) -> list[Values]:
    """Return the sums by minute (60) or hour (3600) of a machine between two times."""
    result = connection.execute(
        "SELECT * FROM spans WHERE machine = ? AND width = ? AND start >= ? AND start < ?"
        " ORDER BY start",
        (machine, width, int(begin // width) * width, end),
    )
    return rows(result)


def coverage_seconds(
    connection: sqlite3.Connection, machine: str, begin: float, end: float
) -> float:
    """Return how many seconds of a machine were judged between two times, by minutes."""
    (total,) = connection.execute(
        "SELECT total(covered) FROM spans WHERE machine = ? AND width = 60 AND start >= ?"
        " AND start < ?",
        (machine, begin, end),
    ).fetchone()
    return float(total)


EVENTS = """
SELECT events.*, labels.verdict AS label, labels.condition AS label_condition, labels.who,
       labels.at AS labelled,
       (SELECT clips.id FROM clips WHERE clips.event = events.id ORDER BY clips.id LIMIT 1) AS clip
FROM events LEFT JOIN labels ON labels.event = events.id AND labels.undone IS NULL
"""


def events(
    connection: sqlite3.Connection,
    machine: str | None = None,
    since: float = 0.0,
    most: int = 100,
    active: bool = False,
) -> list[Values]:
    """Return events, newest first, with their label by a person and the number of their clip."""
    result = connection.execute(
        f"{EVENTS} WHERE (?1 IS NULL OR events.machine = ?1) AND"
        " (raised >= ?2 OR cleared IS NULL) AND (NOT ?3 OR cleared IS NULL)"
        " ORDER BY raised DESC, events.rowid DESC LIMIT ?4",
        (machine, since, active, most),
    )
    return rows(result)


def event(connection: sqlite3.Connection, number: str) -> Values | None:
    """Return an event by its id."""
    result = connection.execute(f"{EVENTS} WHERE events.id = ?", (number,)).fetchone()
    return dict(result) if result else None


def clip(connection: sqlite3.Connection, number: int) -> Values | None:
    """Return a clip by its number."""
    result = connection.execute("SELECT * FROM clips WHERE id = ?", (number,)).fetchone()
    return dict(result) if result else None


def healthy_clips(connection: sqlite3.Connection, machine: str, most: int = 40) -> list[Values]:
    """Return the newest ordinary clips of a machine, and those that a person called healthy."""
    result = connection.execute(
        "SELECT * FROM clips WHERE machine = ?1 AND (kind = 'healthy' OR event IN"
        " (SELECT event FROM labels WHERE verdict = 'healthy' AND undone IS NULL))"
        " ORDER BY id DESC LIMIT ?2",
        (machine, most),
    )
    return rows(result)


def labels(connection: sqlite3.Connection, machine: str, *, undone: bool = False) -> list[Values]:
    """Return the labels of a machine's events, oldest first."""
    result = connection.execute(
        "SELECT labels.*, clips.file FROM labels LEFT JOIN clips ON clips.event = labels.event"
        " WHERE labels.machine = ? AND (undone IS NULL OR ?) GROUP BY labels.id ORDER BY labels.id",
        (machine, undone),
    )
    return rows(result)


def detector(connection: sqlite3.Connection, machine: str) -> Values | None:
    """Return which detector judges a machine now, where it is not that of the settings."""
    result = connection.execute(
        "SELECT * FROM detectors WHERE machine = ? ORDER BY id DESC LIMIT 1", (machine,)
    ).fetchone()
    return dict(result) if result else None


def state(connection: sqlite3.Connection, machine: str) -> Values | None:
    """Return what the rule remembered of a machine."""
    result = connection.execute("SELECT value FROM states WHERE machine = ?", (machine,)).fetchone()
    return json.loads(result["value"]) if result else None


def known_files(connection: sqlite3.Connection, machine: str) -> dict[str, tuple[int, float]]:
    """Return size and time of each file of a folder that was judged already."""
    result = connection.execute(
        "SELECT file, size, modified FROM files WHERE machine = ?", (machine,)
    )
    return {row["file"]: (row["size"], row["modified"]) for row in result}


def windows_of(connection: sqlite3.Connection, machine: str, source: str) -> int:
    """Return how many windows of a file, by its key, were judged already."""
    (count,) = connection.execute(
        "SELECT count(*) FROM windows WHERE machine = ? AND source = ? AND source != ''",
        (machine, source),
    ).fetchone()
    return int(count)


def waiting(connection: sqlite3.Connection, sink: str, most: int = 20) -> list[Values]:
    """Return the first messages that a sink has still to deliver, in order."""
    result = connection.execute(
        "SELECT messages.*, tries FROM deliveries JOIN messages USING (seq)"
        " WHERE sink = ? AND state = 'waiting' ORDER BY seq LIMIT ?",
        (sink, most),
    )
    return rows(result)


def deliveries(connection: sqlite3.Connection) -> list[Values]:
    """Return, for each sink, how many messages wait and were delivered, and the last failure."""
    result = connection.execute(
        "SELECT sink, sum(state = 'waiting') AS waiting, sum(state = 'delivered') AS delivered,"
        " sum(state = 'given up') AS given_up, max(CASE WHEN state = 'delivered' THEN at END)"
        " AS last, (SELECT error FROM deliveries AS d WHERE d.sink = deliveries.sink AND"
        " d.state = 'waiting' AND error IS NOT NULL ORDER BY seq LIMIT 1) AS error"
        " FROM deliveries GROUP BY sink ORDER BY sink"
    )
    return rows(result)


def notices(connection: sqlite3.Connection, most: int = 20) -> list[Values]:
    """Return sentences about the watch itself, newest first."""
    return rows(connection.execute("SELECT * FROM notices ORDER BY id DESC LIMIT ?", (most,)))


def source_history(connection: sqlite3.Connection, machine: str, most: int = 50) -> list[Values]:
    """Return the last changes of a source's state, newest first."""
    result = connection.execute(
        "SELECT at, state, detail FROM sources WHERE machine = ? ORDER BY id DESC LIMIT ?",
        (machine, most),
    )
    return rows(result)
