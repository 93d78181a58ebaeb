"""What is going on now, for the page, `/metrics` and Home Assistant; nothing of it is kept."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Update: TypeAlias = dict[str, Any]
COLUMNS = 240


@dataclass
class Live:
    """What a machine does now: values as the page shows them, and the rolling spectrogram.

    `columns` holds lists of levels (band,), 0 to 255, one for each quarter of a second.
    """

    values: Update = field(default_factory=dict)
    columns: deque[list[int]] = field(default_factory=lambda: deque(maxlen=COLUMNS))


class Hub:
    """Takes updates from any thread and hands them to whoever listens."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._machines: dict[str, Live] = {}
        self._listeners: list[Callable[[Update], None]] = []

    def publish(self, machine: str, values: Update, columns: list[list[int]] | None = None) -> None:
        """Let everybody know new values of a machine, and new columns of its spectrogram."""
        with self._lock:
            live = self._machines.setdefault(machine, Live())
            live.values.update(values)
            live.columns.extend(columns or [])
            listeners = list(self._listeners)
            update = {"machine": machine, **live.values}
        if columns:
            update["columns"] = columns
        for listener in listeners:
            listener(update)

    def values(self, machine: str) -> Update:
        """Return the last values of a machine."""
        with self._lock:
            live = self._machines.get(machine)
            return dict(live.values) if live else {}

    def columns(self, machine: str) -> list[list[int]]:
        """Return the last minute of a machine's spectrogram."""
        with self._lock:
            live = self._machines.get(machine)
            return list(live.columns) if live else []

    def listen(self, listener: Callable[[Update], None]) -> Callable[[], None]:
        """Call `listener` with each update, from the thread that brings it; return what ends it."""
        with self._lock:
            self._listeners.append(listener)

        def stop() -> None:
            with self._lock:
                if listener in self._listeners:
                    self._listeners.remove(listener)

        return stop
