"""From the outbox to a sink: at least once, in order, over restarts of either side."""

from __future__ import annotations

import json
import logging
import threading
from typing import Any

from dgmix.errors import DgmixError
from dgmix.watch.clock import Backoff
from dgmix.watch.sinks.base import Sink, SinkError
from dgmix.watch.store import queries, rows
from dgmix.watch.store.store import Store

IDLE_SECONDS = 1.0
MOST_RETRY_SECONDS = 60.0
GIVE_UP_DAYS = 7.0
DAY = 86_400.0
log = logging.getLogger("dgmix.watch.sinks")


class Delivery:
    """Delivers the messages of one sink.

    One that fails is tried again, with longer and longer pauses, before any later one. One that
    could not be delivered for a week is given up, which the page shows.
    """

    def __init__(self, sink: Sink, store: Store) -> None:
        self.sink, self._store = sink, store
        self._backoff = Backoff(1.0, MOST_RETRY_SECONDS)

    def step(self) -> float:
        """Deliver what waits, and return how many seconds to wait before the next try."""
        for row in self._store.read(queries.waiting, self.sink.name):
            if not self._deliver(row):
                return self._backoff.failed()
            self._backoff.succeeded()
        return IDLE_SECONDS

    def run(self, stop: threading.Event) -> None:
        """Deliver until `stop` is set."""
        self.sink.start()
        while not stop.is_set():
            try:
                wait = self.step()
            except DgmixError as error:
                log.warning("%s: %s", self.sink.name, error)
                wait = self._backoff.failed()
            except Exception:
                log.exception("%s: failed", self.sink.name)
                wait = self._backoff.failed()
            self._store.clock.wait(wait, stop)
        self.sink.close()

    def _deliver(self, row: dict[str, Any]) -> bool:
        now = self._store.clock.now()
        state, error = "delivered", ""
        try:
            self.sink.deliver(json.loads(row["body"]))
        except SinkError as failure:
            error = str(failure)
            log.warning("%s: message not delivered: %s", self.sink.name, error)
            if now - row["created"] > GIVE_UP_DAYS * DAY:
                state = "given up"
        self._store.write_now(
            lambda to: rows.note_delivery(to, row["seq"], self.sink.name, now, error, state)
        )
        return not error or state == "given up"
