"""A folder that a recorder fills: looked at every few seconds, each file judged once.

Looking works on network mounts, where notifications of changes do not. A file is complete once its
size and time have not changed for a while.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from dgmix.audio.io import is_audio_name, read_audio
from dgmix.errors import InputError
from dgmix.watch.clock import Clock
from dgmix.watch.sources.base import State, Status, Step
from dgmix.watch.sources.settings import FolderSettings
from dgmix.watch.windows import FileKey, Window, unread_file, windows_of_file

WAIT_SECONDS = 1.0


class FolderSource:
    """The complete files of a folder and the folders below it, oldest first.

    `done` are the files that were judged before, with their sizes and times; `judged` returns how
    many windows of a file, by its key, are in the store already.
    """

    live = False

    def __init__(
        self,
        settings: FolderSettings,
        clock: Clock,
        seconds: float,
        done: dict[str, tuple[int, float]],
        judged: Callable[[str], int] = lambda _: 0,
    ) -> None:
        self._settings, self._clock, self._seconds = settings, clock, seconds
        self._done, self._judged = dict(done), judged
        self._growing: dict[str, tuple[int, float, float]] = {}
        self._ready: list[FileKey] = []
        self._next_look = self._last_file = clock.monotonic()
        self.status = Status(State.CONNECTING, clock.now())

    def step(self) -> Step:
        """Return the windows of the next complete file, if there is one."""
        now = self._clock.monotonic()
        if not self._ready and now >= self._next_look:
            self._look(now)
            self._next_look = self._clock.monotonic() + self._settings.every
        if self._ready:
            file = self._ready.pop(0)
            self._done[file.name] = (file.size, file.modified)
            self._last_file = now
            self._set(State.LISTENING)
            return Step(windows=list(self._windows(file)))
        return Step(wait=min(max(self._next_look - now, 0.0), WAIT_SECONDS))

    def close(self) -> None:
        """Nothing is held between two looks."""

    def _look(self, now: float) -> None:
        folder = self._settings.path
        try:
            if not folder.is_dir():
                raise FileNotFoundError(f"{folder}: no such folder")
            files = dict(self._files(folder))
        except OSError as error:
            self._set(State.LOST, str(error))
            return
        self._growing = {
            name: (*stamp, since if stamp == (size, modified) else now)
            for name, stamp in files.items()
            for size, modified, since in [self._growing.get(name, (-1, 0.0, now))]
        }
        complete = [
            FileKey(name, size, modified)
            for name, (size, modified, since) in self._growing.items()
            if now - since >= self._settings.stable
        ]
        self._ready = sorted(complete, key=lambda file: (file.modified, file.name))
        for file in complete:
            del self._growing[file.name]
        if self.status.state in (State.LOST, State.CONNECTING):
            self._set(State.LISTENING)
        if now - self._last_file > self._settings.lost_after and not self._ready:
            self._set(State.SILENT, f"no new file for {self._settings.lost_after:g} s")

    def _files(self, folder: Path) -> Iterator[tuple[str, tuple[int, float]]]:
        """Yield the sound files that were not judged as they are now, with size and time."""
        for path in folder.rglob("*"):
            if not is_audio_name(path) or not path.is_file():
                continue
            about = path.stat()
            name = path.relative_to(folder).as_posix()
            if self._done.get(name) != (about.st_size, about.st_mtime):
                yield name, (about.st_size, about.st_mtime)

    def _windows(self, file: FileKey) -> Iterator[Window]:
        try:
            recording = read_audio(self._settings.path / file.name, self._settings.channel)
        except InputError as error:
            yield unread_file(file, str(error))
            return
        start = file.modified - len(recording.samples) / recording.sample_rate
        windows = windows_of_file(
            recording.samples, recording.sample_rate, start, self._seconds, file
        )
        yield from islice(windows, self._judged(file.key), None)

    def _set(self, state: State, detail: str = "") -> None:
        if (state, detail) != (self.status.state, self.status.detail):
            self.status = Status(state, self._clock.now(), detail)
