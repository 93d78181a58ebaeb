"""The threads: one listens to each source, one judges the windows of all.

A window that a live source brings while two of its machine wait already replaces the older of them:
the watch skips and counts, it never queues without end. Files of a folder wait instead.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from dgmix.errors import DgmixError
from dgmix.watch.clock import Clock
from dgmix.watch.machine import Machine
from dgmix.watch.sources.base import Source
from dgmix.watch.store.writer import StoreBusyError
from dgmix.watch.windows import Window, Windower
from dgmix.workers import single_threaded

MOST_WAITING = 2
IDLE_SECONDS = 0.5
PAUSE_SECONDS = 1.0
log = logging.getLogger("dgmix.watch.listening")


class Judging:
    """Judges the windows of all machines in turn, in one thread."""

    def __init__(self) -> None:
        self._waiting: dict[Machine, deque[Window]] = {}
        self._changed = threading.Condition()
        self._stop = False
        self._busy = 0
        self._thread = threading.Thread(target=self._run, name="judging", daemon=True)

    def start(self) -> None:
        """Begin to judge."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread that judges is running."""
        return self._thread.is_alive()

    @property
    def backlog(self) -> int:
        """How many windows wait to be judged."""
        with self._changed:
            return sum(map(len, self._waiting.values()))

    def put(self, machine: Machine, window: Window, live: bool) -> None:
        """Let a window be judged; where too many wait, replace the oldest, or wait if not live."""
        skipped = None
        with self._changed:
            waiting = self._waiting.setdefault(machine, deque())
            if not live:
                self._changed.wait_for(lambda: len(waiting) < MOST_WAITING or self._stop)
            elif len(waiting) >= MOST_WAITING:
                skipped = waiting.popleft()
            waiting.append(window)
            self._changed.notify_all()
        if skipped is not None:
            _skip(machine, skipped)

    def close(self) -> None:
        """Judge what waits no more, and end; the window that is being judged is kept."""
        with self._changed:
            self._stop = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout=4)

    def settle(self) -> None:
        """Wait until nothing waits to be judged."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._busy or any(self._waiting.values())))

    def _run(self) -> None:
        with single_threaded():  # once: to change the number of threads takes as long as to judge
            while (following := self._next()) is not None:
                self._judge(*following)

    def _judge(self, machine: Machine, window: Window) -> None:
        try:
            machine.take(window)
        except StoreBusyError:
            _skip(machine, window)
        except Exception:
            log.exception("%s: a window could not be judged", machine.settings.name)
        with self._changed:
            self._busy -= 1
            self._changed.notify_all()

    def _next(self) -> tuple[Machine, Window] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._stop or any(self._waiting.values()))
            if self._stop:
                return None
            machine = next(each for each, waiting in self._waiting.items() if waiting)
            window = self._waiting[machine].popleft()
            self._waiting[machine] = self._waiting.pop(machine)  # the others come first now
            self._busy += 1
            self._changed.notify_all()
            return machine, window


def _skip(machine: Machine, window: Window) -> None:
    try:
        machine.skip(window)
    except StoreBusyError as error:
        log.warning("%s: a window is lost: %s", machine.settings.name, error)


class Listener:
    """Listens to the source of one machine."""

    def __init__(
        self,
        machine: Machine,
        open_source: Callable[[], Source],
        judging: Judging,
        clock: Clock,
    ) -> None:
        window = machine.settings.window
        self.machine, self._open, self._judging, self._clock = machine, open_source, judging, clock
        seconds = window.seconds or machine.judge.seconds
        self._windower = Windower(seconds, window.every, window.settle)
        self._source: Source | None = None

    def step(self) -> float:
        """Take what the source has, and return how many seconds to wait."""
        if self._source is None:
            self._source = self._open()
        step = self._source.step()
        self.machine.observe(self._source.status.state.value, self._source.status.detail)
        live = self._source.live
        for block in step.blocks:
            for window in self._windower.push(block):
                self._judging.put(self.machine, window, live)
        for window in step.windows:
            self._judging.put(self.machine, window, live)
        return step.wait

    def run(self, stop: threading.Event) -> None:
        """Listen until `stop` is set; whatever goes wrong, go on after a pause."""
        while not stop.is_set():
            try:
                wait = self.step()
            except DgmixError as error:
                log.warning("%s: %s", self.machine.settings.name, error)
                wait = PAUSE_SECONDS
            except Exception:
                log.exception("%s: the source failed", self.machine.settings.name)
                wait = PAUSE_SECONDS
            self._clock.wait(wait, stop)
        self.close()

    def close(self) -> None:
        """Let go of the source."""
        if self._source is not None:
            self._source.close()
            self._source = None
