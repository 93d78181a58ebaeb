"""What all sinks have in common."""

from __future__ import annotations

from typing import Any, Protocol

from dgmix.errors import DgmixError


class SinkError(DgmixError):
    """A message was not acknowledged; it will be sent again."""


class Sink(Protocol):
    """Sends messages. `name` is that of its part of the outbox."""

    name: str

    def start(self) -> None:
        """Begin to connect, where that takes a connection."""
        ...

    def deliver(self, body: dict[str, Any]) -> None:
        """Send a message and return once it is acknowledged; raises `SinkError` otherwise."""
        ...

    def close(self) -> None:
        """Say farewell and let go."""
        ...
