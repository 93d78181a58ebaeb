"""Time as the watch sees it; tests have a clock of their own."""

from __future__ import annotations

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Two clocks and a way to wait."""

    def now(self) -> float:
        """Return the time of day, in seconds since 1970 (UTC); it may jump."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back, from an arbitrary origin."""
        ...

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        """Wait, and return whether `stop` was set meanwhile."""
        ...


class SystemClock:
    """The clocks of the computer."""

    def now(self) -> float:
        """Return the time of day, in seconds since 1970 (UTC)."""
        return time.time()

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def wait(self, seconds: float, stop: threading.Event) -> bool:
        """Wait, and return whether `stop` was set meanwhile."""
        return stop.wait(max(seconds, 0.0))


class Backoff:
    """Waiting times between tries: doubled after each failure, up to a cap, without end."""

    def __init__(self, first: float = 1.0, most: float = 60.0) -> None:
        self.first, self.most = first, most
        self.failures = 0

    def failed(self) -> float:
        """Count a failure and return how many seconds to wait before the next try."""
        delay = min(self.most, self.first * 2.0 ** min(self.failures, 30))
        self.failures += 1
        return delay

    def succeeded(self) -> None:
        """Begin again with the first waiting time."""
        self.failures = 0
