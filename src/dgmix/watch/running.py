"""`dgmix watch watch.yaml`: runs until SIGTERM, reads the settings again at SIGHUP."""

from __future__ import annotations

import logging
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType

from dgmix.errors import DgmixError
from dgmix.heap import give_back_large_blocks
from dgmix.watch.judge import judges
from dgmix.watch.service import Watch
from dgmix.watch.settings import WatchSettings, load_settings
from dgmix.watch.systemd import notify
from dgmix.watch.web.guard import TOKEN_FILE
from dgmix.watch.web.server import PageServer

LOOK_SECONDS = 1.0
log = logging.getLogger("dgmix.watch")


class Signals:
    """What signals demand: to stop, or to read the settings again."""

    def __init__(self) -> None:
        self.changed = threading.Event()
        self.stop = self.reload = False

    def install(self) -> None:
        """Take SIGTERM, SIGINT and, where there is one, SIGHUP."""
        signal.signal(signal.SIGTERM, self._on_stop)
        signal.signal(signal.SIGINT, self._on_stop)
        if hasattr(signal, "SIGHUP"):
            signal.signal(signal.SIGHUP, self._on_reload)

    def _on_stop(self, _number: int, _frame: FrameType | None) -> None:
        self.stop = True
        self.changed.set()

    def _on_reload(self, _number: int, _frame: FrameType | None) -> None:
        self.reload = True
        self.changed.set()


def run(path: Path) -> None:
    """Watch by a settings file until a signal ends it.

    Raises `InputError` for settings that cannot be used at the start; later ones that cannot be
    used are logged, and the watch goes on as before. Raises `DgmixError` where it has to be started
    again.
    """
    run_settings(load_settings(path), lambda: _usable(load_settings(path)))


def _usable(settings: WatchSettings) -> WatchSettings:
    """Return settings whose detectors can be read; raises `InputError` for others."""
    load, _ = judges(settings.plugins)
    for machine in settings.machines:
        load(machine.detector, machine.rule.rate)
    return settings


def run_settings(settings: WatchSettings, again: Callable[[], WatchSettings] | None = None) -> None:
    """Watch by settings until a signal ends it; `again` gives those to reload."""
    give_back_large_blocks()
    signals = Signals()
    signals.install()
    while not signals.stop:
        watch = Watch(settings)
        page = PageServer(watch) if settings.page.enabled else None
        _announce(watch, page)
        watch.start()
        if page is not None:
            page.start()
        notify("READY=1")
        try:
            settings = _look_after(watch, signals, settings, again)
        finally:
            notify("RELOADING=1" if not signals.stop else "STOPPING=1")
            if page is not None:
                page.stop()
            watch.stop()


def _look_after(
    watch: Watch,
    signals: Signals,
    settings: WatchSettings,
    again: Callable[[], WatchSettings] | None,
) -> WatchSettings:
    """Return the settings to go on with, once there is a signal."""
    while not signals.changed.wait(LOOK_SECONDS):
        watch.look_after()
        if watch.alive:
            notify("WATCHDOG=1")
    signals.changed.clear()
    if signals.stop or not signals.reload or again is None:
        signals.reload = False
        return settings
    signals.reload = False
    try:
        settings = again()
        log.info("settings read again")
    except DgmixError as error:
        log.error("settings not changed: %s", error)
    return settings


def _announce(watch: Watch, page: PageServer | None) -> None:
    folder = watch.store.folder
    print(f"state: {folder}", file=sys.stderr)
    if page is not None:
        print(f"page: {page.url} (its token: {folder / TOKEN_FILE})", file=sys.stderr)
    for machine in watch.machines.values():
        print(
            f"{machine.settings.name}: {machine.judge.name}, {machine.settings.source.type}, "
            f"raised at {machine.rule.windows} of {machine.rule.among} windows",
            file=sys.stderr,
        )
