"""A watch of one machine that is served on loopback, and a client that knows its token."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import requests
from watch_parts import LevelJudge, TurnedClock, window

from dgmix.watch.service import Watch
from dgmix.watch.settings import WatchSettings
from dgmix.watch.web.guard import token_of
from dgmix.watch.web.server import PageServer

Make = Callable[..., WatchSettings]
CALM, ODD = 0.9, 0.01


class Served:
    """A watch that is served. `learned` are the clips that detectors were made of, in order."""

    def __init__(self, settings: WatchSettings, clock: TurnedClock) -> None:
        self.learned: list[list[tuple[str, str | None]]] = []
        self.clock = clock
        self.watch = Watch(settings, clock, lambda _path, _rate: LevelJudge(), self._update)
        self.page = PageServer(self.watch)
        self.token = token_of(self.watch.store.folder)

    def _update(
        self, _base: Path, clips: list[Path], conditions: list[str | None], output: Path
    ) -> None:
        self.learned.append(list(zip([clip.name for clip in clips], conditions, strict=True)))
        output.write_bytes(b"updated")

    def feed(self, *p_values: float) -> None:
        """Judge windows of a second each."""
        for p_value in p_values:
            self.watch.machines["pump"].take(window(p_value, self.clock.now()))
            self.clock.turn(1.0)
        self.watch.store.flush()

    def ask(
        self, method: str, path: str, token: str | None = None, **more: Any
    ) -> requests.Response:
        """Return the answer to a request with the token, another, or ("") none."""
        token = self.token if token is None else token
        headers = {
            **({"Authorization": f"Bearer {token}"} if token else {}),
            **more.pop("headers", {}),
        }
        return requests.request(
            method, self.page.url + path, headers=headers, timeout=30, allow_redirects=False, **more
        )

    def event(self) -> dict[str, Any]:
        """Return the newest event."""
        latest: dict[str, Any] = self.ask("GET", "api/v1/events").json()[0]
        return latest


@contextmanager
def serving(settings: WatchSettings, clock: TurnedClock) -> Iterator[Served]:
    """Serve a watch for as long as the block lasts."""
    for machine in settings.machines:
        machine.detector.write_bytes(b"detector")
    served = Served(settings, clock)
    served.page.start()
    try:
        yield served
    finally:
        served.page.stop()
        served.watch.stop()
