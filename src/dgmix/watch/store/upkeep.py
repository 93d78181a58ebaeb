"""What is done once an hour: rows are thinned by age, old clips removed, a backup made."""

from __future__ import annotations

import logging
import sqlite3

from dgmix.watch.settings import StorageSettings
from dgmix.watch.store.clips import Clips
from dgmix.watch.store.store import Store

DAY = 86_400.0
DELIVERED_DAYS = 30.0
NOTICES = 1000
log = logging.getLogger("dgmix.watch.upkeep")


def keep_up(store: Store, clips: Clips, settings: StorageSettings, backup: bool) -> None:
    """Thin the rows and clips of a store by age, and copy its database if `backup`.

    Windows that were anomalies, events, labels and sums by hour stay for ever.
    """
    now = store.clock.now()
    store.write_now(lambda to: thin(to, settings, now))
    if settings.clips_days is not None:
        clips.remove_older(now - settings.clips_days * DAY)
    if backup:
        try:
            store.backup()
        except (OSError, sqlite3.Error) as error:
            log.warning("no backup of the database: %s", error)


def thin(connection: sqlite3.Connection, settings: StorageSettings, now: float) -> None:
    """Remove what is older than the settings keep it."""
    connection.execute(
        "DELETE FROM windows WHERE start < ? AND verdict != 'ANOMALY'",
        (now - settings.windows_days * DAY,),
    )
    connection.execute(
        "DELETE FROM spans WHERE width = 60 AND start < ?", (now - settings.minutes_days * DAY,)
    )
    connection.execute(
        "DELETE FROM messages WHERE created < ? AND NOT EXISTS (SELECT 1 FROM deliveries WHERE"
        " deliveries.seq = messages.seq AND state = 'waiting')",
        (now - DELIVERED_DAYS * DAY,),
    )
    for table in ("sources", "notices"):
        connection.execute(
            f"DELETE FROM {table} WHERE id <= (SELECT max(id) FROM {table}) - ?", (NOTICES,)
        )
