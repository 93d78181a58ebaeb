"""The tables, and how a file of an older version becomes one of this version."""

from __future__ import annotations

import sqlite3

from dgmix.errors import InputError

FIRST = """
CREATE TABLE windows (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    machine TEXT NOT NULL,
    start REAL NOT NULL,
    seconds REAL NOT NULL,
    score REAL, p_value REAL, p_new REAL,
    verdict TEXT NOT NULL,
    view TEXT NOT NULL DEFAULT '',
    condition TEXT,
    detector TEXT NOT NULL DEFAULT '',
    source TEXT NOT NULL DEFAULT ''
);
CREATE INDEX windows_by_time ON windows (machine, start);
CREATE INDEX windows_by_source ON windows (machine, source) WHERE source != '';
CREATE TABLE events (
    id TEXT PRIMARY KEY,
    machine TEXT NOT NULL,
    kind TEXT NOT NULL,
    raised REAL NOT NULL,
    cleared REAL,
    reason TEXT NOT NULL DEFAULT '',
    condition TEXT,
    score REAL, p_value REAL,
    view TEXT NOT NULL DEFAULT ''
);
CREATE INDEX events_by_time ON events (machine, raised);
CREATE TABLE clips (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    machine TEXT NOT NULL,
    kind TEXT NOT NULL,
    event TEXT REFERENCES events (id),
    start REAL NOT NULL,
    seconds REAL NOT NULL,
    file TEXT NOT NULL UNIQUE,
    bytes INTEGER NOT NULL,
    p_value REAL,
    condition TEXT,
    pinned INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX clips_by_machine ON clips (machine, kind);
CREATE INDEX clips_by_event ON clips (event);
CREATE TABLE labels (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    machine TEXT NOT NULL,
    event TEXT REFERENCES events (id),
    clip INTEGER,
    verdict TEXT NOT NULL,
    condition TEXT,
    who TEXT NOT NULL,
    at REAL NOT NULL,
    undone REAL,
    undone_by TEXT
);
CREATE TABLE detectors (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    machine TEXT NOT NULL,
    file TEXT NOT NULL,
    labels TEXT NOT NULL,
    at REAL NOT NULL
);
CREATE TABLE spans (
    machine TEXT NOT NULL,
    width INTEGER NOT NULL,
    start INTEGER NOT NULL,
    heard REAL NOT NULL DEFAULT 0,
    windows INTEGER NOT NULL DEFAULT 0,
    anomalies INTEGER NOT NULL DEFAULT 0,
    skipped INTEGER NOT NULL DEFAULT 0,
    score REAL, p_value REAL,
    PRIMARY KEY (machine, width, start)
) WITHOUT ROWID;
CREATE TABLE files (
    machine TEXT NOT NULL,
    file TEXT NOT NULL,
    size INTEGER NOT NULL,
    modified REAL NOT NULL,
    done REAL NOT NULL,
    error TEXT,
    PRIMARY KEY (machine, file)
) WITHOUT ROWID;
CREATE TABLE sources (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    machine TEXT NOT NULL,
    at REAL NOT NULL,
    state TEXT NOT NULL,
    detail TEXT NOT NULL DEFAULT ''
);
CREATE TABLE states (
    machine TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE messages (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    created REAL NOT NULL,
    machine TEXT NOT NULL,
    body TEXT NOT NULL
);
CREATE TABLE deliveries (
    seq INTEGER NOT NULL REFERENCES messages (seq) ON DELETE CASCADE,
    sink TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting',
    at REAL,
    tries INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    PRIMARY KEY (seq, sink)
) WITHOUT ROWID;
CREATE INDEX deliveries_waiting ON deliveries (sink, seq) WHERE state = 'waiting';
CREATE TABLE notices (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at REAL NOT NULL,
    text TEXT NOT NULL
);
"""

COVERED = "ALTER TABLE spans RENAME COLUMN heard TO covered;"

MIGRATIONS = (FIRST, COVERED)
"""What leads from version n to n + 1; never changed, only added to."""


def migrate(connection: sqlite3.Connection, name: str) -> None:
    """Bring a database to this version, each step whole or not at all.

    Raises `InputError` for a database of a newer dgmix.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(MIGRATIONS):
        raise InputError(
            f"{name}: written by a newer dgmix (version {version}, this one knows "
            f"{len(MIGRATIONS)}); install that one, or choose another state folder"
        )
    for number, script in enumerate(MIGRATIONS[version:], version + 1):
        connection.executescript(
            f"BEGIN IMMEDIATE; {script} PRAGMA user_version = {number}; COMMIT;"
        )
