"""The source of each kind of settings."""

from __future__ import annotations

import sys

from dgmix.watch.clock import Clock
from dgmix.watch.sources.base import Source, StreamSource
from dgmix.watch.sources.folder import FolderSource
from dgmix.watch.sources.settings import (
    CardSettings,
    FolderSettings,
    SimulatedSettings,
    SourceSettings,
    StdinSettings,
    StreamSettings,
)
from dgmix.watch.store import queries
from dgmix.watch.store.store import Store

CARD_TIMEOUT = 5.0


def open_source(
    settings: SourceSettings, clock: Clock, machine: str, seconds: float, store: Store
) -> Source:
    """Return the source of a machine whose windows last `seconds` seconds."""
    if isinstance(settings, FolderSettings):
        done = store.read(queries.known_files, machine)
        return FolderSource(
            settings,
            clock,
            seconds,
            done,
            lambda key: store.read(queries.windows_of, machine, key),
        )
    return stream_source(settings, clock)


def stream_source(
    settings: CardSettings | StreamSettings | StdinSettings | SimulatedSettings, clock: Clock
) -> StreamSource:
    """Return the source of a stream."""
    if isinstance(settings, StreamSettings):
        from dgmix.watch.sources.ffmpeg import open_ffmpeg

        return StreamSource(
            lambda: open_ffmpeg(settings),
            clock,
            timeout=2 * settings.timeout,
            silence=settings.silence,
        )
    if isinstance(settings, CardSettings):
        from dgmix.watch.sources.card import CardStream

        return StreamSource(
            lambda: CardStream(settings), clock, timeout=CARD_TIMEOUT, silence=settings.silence
        )
    if isinstance(settings, StdinSettings):
        from dgmix.watch.sources.stdin import open_stdin

        descriptor = sys.stdin.fileno()
        return StreamSource(
            lambda: open_stdin(settings, descriptor),
            clock,
            timeout=float("inf"),
            silence=settings.silence,
            again=False,
            live=False,  # a pipe waits
        )
    from dgmix.watch.sources.simulated import SimulatedStream

    origin = clock.monotonic()
    return StreamSource(
        lambda: SimulatedStream(settings, clock, origin),
        clock,
        timeout=2 * settings.clip_seconds + CARD_TIMEOUT,
        silence=settings.silence,
    )
