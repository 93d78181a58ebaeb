"""The watch as a whole: parts are made, started, looked after, and stopped."""

from __future__ import annotations

import logging
import os
import threading
import time
from pathlib import Path
from typing import Any

from dgmix.errors import DgmixError, InputError, did_you_mean
from dgmix.watch.clock import Clock, SystemClock
from dgmix.watch.hub import Hub
from dgmix.watch.judge import Load, Update, judges
from dgmix.watch.learning import Learning
from dgmix.watch.listening import Judging, Listener
from dgmix.watch.machine import Machine, Surroundings
from dgmix.watch.settings import WatchSettings
from dgmix.watch.sinks.delivery import Delivery
from dgmix.watch.sinks.opening import open_sinks, sink_names
from dgmix.watch.sources.opening import open_source
from dgmix.watch.store.clips import Clips
from dgmix.watch.store.store import Store
from dgmix.watch.store.upkeep import keep_up

UPKEEP_SECONDS = 3600.0
BACKUP_SECONDS = 86_400.0
STOP_SECONDS = 4.0
STUCK_WINDOWS, STUCK_SECONDS = 10, 120.0
log = logging.getLogger("dgmix.watch")


class Watch:
    """Everything that runs for one settings file.

    Raises `InputError` where a detector cannot be read or the state folder is in use.
    """

    def __init__(
        self,
        settings: WatchSettings,
        clock: Clock | None = None,
        load: Load | None = None,
        update: Update | None = None,
    ) -> None:
        self.settings, self.clock = settings, clock or SystemClock()
        self.hub, self.judging = Hub(), Judging()
        self.store = Store(settings.state_folder, self.clock)
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._upkeep = self._backup = self.clock.monotonic()
        self._cpu = (time.process_time(), time.monotonic())
        try:
            self.clips = Clips(self.store, settings.storage)
            own_load, own_update = judges(settings.plugins)
            self.learning = Learning(self.store, self.clips, load or own_load, update or own_update)
            around = Surroundings(
                settings.site,
                self.store,
                self.clips,
                self.hub,
                self.clock,
                settings.storage,
                sink_names(settings),
            )
            self.machines = {
                each.name: Machine(each, self.learning.judge(each), around)
                for each in settings.machines
            }
            every = {name: self._every(machine) for name, machine in self.machines.items()}
            self.sinks = open_sinks(settings, self.hub, every, self.set_condition)
        except BaseException:
            self.store.close()
            raise
        self.listeners = [self._listener(machine) for machine in self.machines.values()]
        self.deliveries = [Delivery(sink, self.store) for sink in self.sinks]

    def start(self) -> None:
        """Start all threads."""
        self.judging.start()
        work = [(each.run, each.machine.settings.name) for each in self.listeners]
        work += [(each.run, each.sink.name) for each in self.deliveries]
        for run, name in work:
            thread = threading.Thread(target=run, args=(self._stop,), name=name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def stop(self) -> None:
        """Stop within five seconds; what was judged is kept."""
        self._stop.set()
        self.judging.close()
        end = time.monotonic() + STOP_SECONDS
        for thread in self._threads:
            thread.join(max(0.0, end - time.monotonic()))
        self.store.close()

    def look_after(self) -> None:
        """Do what is due: thin rows, remove old clips, back up. Called every second or so.

        Raises `DgmixError` where the database is damaged: a restart sets it aside.
        """
        if self.store.writer.damaged:
            raise DgmixError(
                f"{self.store.path}: damaged ({self.store.writer.damaged}); restarting"
            )
        now = self.clock.monotonic()
        if now - self._upkeep >= UPKEEP_SECONDS:
            self._upkeep = now
            backup = now - self._backup >= BACKUP_SECONDS
            if backup:
                self._backup = now
            try:
                keep_up(self.store, self.clips, self.settings.storage, backup)
            except DgmixError as error:
                log.warning("upkeep: %s", error)

    @property
    def alive(self) -> bool:
        """Whether every machine whose source is listening had a window judged lately."""
        now = self.clock.monotonic()
        for name, machine in self.machines.items():
            values = self.hub.values(name)
            limit = max(STUCK_SECONDS, STUCK_WINDOWS * self._every(machine))
            folder = machine.settings.source.type == "folder"
            if values.get("source") == "listening" and not folder and machine.idle(now) > limit:
                return False
        return not self._threads or self.judging.alive

    def health(self) -> dict[str, Any]:
        """Return how the watch itself is doing."""
        before, since = self._cpu
        cpu, now = time.process_time(), time.monotonic()
        self._cpu = cpu, now
        ages = [machine.idle(self.clock.monotonic()) for machine in self.machines.values()]
        return {
            "alive": self.alive,
            "backlog": self.judging.backlog,
            "cpu": round((cpu - before) / max(now - since, 1e-3), 3),
            "memory_mb": _memory(),
            "store_waiting": self.store.writer.waiting,
            "store_problem": self.store.writer.problem,
            "clips_refused": self.clips.refused,
            "bytes_used": self.clips.used(),
            "oldest_judged": round(max(ages, default=0.0), 1),
        }

    def label(self, event: str, verdict: str, condition: str | None, who: str) -> dict[str, Any]:
        """Keep what a person says of an event, and judge by it from now on; return the event."""
        event_row = self.learning.label(event, verdict, condition, who)
        self._learn(event_row["machine"])
        return event_row

    def undo(self, event: str, who: str) -> dict[str, Any]:
        """Take back the label of an event, and judge without it; return the event."""
        event_row = self.learning.undo(event, who)
        self._learn(event_row["machine"])
        return event_row

    def set_condition(self, machine: str, name: str) -> None:
        """Take the operating condition of a machine; raises `InputError` for an unknown one."""
        if machine not in self.machines:
            near = did_you_mean(machine, self.machines)
            raise InputError(f"machine {machine}: there is none of that name{near}")
        self.machines[machine].condition.set(name, self.clock.now())

    def _learn(self, name: str) -> None:
        machine = self.machines.get(name)
        if machine is not None:
            machine.judge = self.learning.judge(machine.settings)

    def _listener(self, machine: Machine) -> Listener:
        window = machine.settings.window
        seconds = window.seconds or machine.judge.seconds
        settings, name = machine.settings.source, machine.settings.name
        return Listener(
            machine,
            lambda: open_source(settings, self.clock, name, seconds, self.store),
            self.judging,
            self.clock,
        )

    def _every(self, machine: Machine) -> float:
        window = machine.settings.window
        return window.every or window.seconds or machine.judge.seconds


def _memory() -> float:
    """Return the resident memory of this process in MB, where /proc tells."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return 0.0
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
