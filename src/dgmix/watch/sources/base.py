"""What all sources have in common: states, and how a stream is lost and connected again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

import numpy as np

from dgmix.audio.quality import SILENCE
from dgmix.errors import DgmixError, InputError
from dgmix.watch.clock import Backoff, Clock
from dgmix.watch.sound import Block, Samples
from dgmix.watch.windows import Window

READ_SECONDS = 0.5
STEADY_SECONDS = 30.0
DRIFT_SECONDS = 5.0
MOST_RETRY_SECONDS = 60.0


class State(StrEnum):
    """What a source is doing."""

    CONNECTING = "connecting"
    LISTENING = "listening"
    SILENT = "silent"
    LOST = "lost"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Status:
    """A state, why, and since when (UTC seconds)."""

    state: State
    since: float
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """What a source gives at once: blocks of a stream or windows of files, and how long to wait."""

    blocks: list[Block] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    wait: float = 0.0


class Source(Protocol):
    """Gives sound. `live`: it goes on whether or not anybody keeps up."""

    status: Status
    live: bool

    def step(self) -> Step:
        """Return what there is, within about half a second; never raises."""
        ...

    def close(self) -> None:
        """Let go of device, process or file."""
        ...


class StreamError(DgmixError):
    """A stream that was there is lost: it will be opened again."""


class Stream(Protocol):
    """An open stream of samples."""

    sample_rate: int

    def read(self, timeout: float) -> Samples:
        """Return new samples, float32 (sample,), none if there are none within the time (s).

        Raises `StreamError` once it has ended or failed.
        """
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class StreamSource:
    """A stream that is opened again, without end, whenever it is lost.

    An `InputError` on opening is what a person has to mend, for example a missing program: the
    state is then `failed`, and opening is tried as seldom as the longest waiting time.
    """

    def __init__(
        self,
        open_stream: Callable[[], Stream],
        clock: Clock,
        *,
        timeout: float,
        silence: float,
        again: bool = True,
        live: bool = True,
    ) -> None:
        self.live = live
        self._open, self._clock = open_stream, clock
        self._timeout, self._silence, self._again = timeout, silence, again
        self._backoff = Backoff(1.0, MOST_RETRY_SECONDS)
        self._stream: Stream | None = None
        self._retry = clock.monotonic()
        self._opened = self._last = self._sounded = self._retry
        self._next: float | None = None
        self.status = Status(State.CONNECTING, clock.now())

    def step(self) -> Step:
        """Open the stream if it is time to, or read from it."""
        if self._stream is None:
            left = self._retry - self._clock.monotonic()
            if left > 0:
                return Step(wait=min(left, 1.0))
            return self._connect()
        try:
            samples = self._stream.read(READ_SECONDS)
        except DgmixError as error:
            return self._lost(str(error))
        if len(samples):
            return Step([self._block(samples)])
        if self._clock.monotonic() - self._last > self._timeout:
            return self._lost(f"no sample for {self._timeout:g} s")
        return Step()

    def close(self) -> None:
        """Let go of the stream."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _connect(self) -> Step:
        self._set(State.CONNECTING, self.status.detail)
        try:
            self._stream = self._open()
        except InputError as error:
            self._retry = self._clock.monotonic() + MOST_RETRY_SECONDS
            self._set(State.FAILED, str(error))
        except (DgmixError, OSError) as error:
            self._retry = self._clock.monotonic() + self._backoff.failed()
            self._set(State.LOST, str(error))
        else:
            self._opened = self._last = self._sounded = self._clock.monotonic()
            self._next = None
        return Step()

    def _lost(self, reason: str) -> Step:
        self.close()
        now = self._clock.monotonic()
        if now - self._opened > STEADY_SECONDS:
            self._backoff.succeeded()
        self._retry = now + self._backoff.failed() if self._again else float("inf")
        self._set(State.LOST, reason)
        return Step()

    def _block(self, samples: Samples) -> Block:
        assert self._stream is not None
        rate, now = self._stream.sample_rate, self._clock.monotonic()
        seconds = len(samples) / rate
        start = self._clock.now() - seconds
        late = now - self._last - seconds
        begins = self._next is None or late > DRIFT_SECONDS
        if self._next is not None and not begins and abs(start - self._next) < DRIFT_SECONDS:
            start = self._next
        self._next, self._last = start + seconds, now
        if np.abs(samples).max() >= SILENCE:
            begins |= self.status.state == State.SILENT
            self._sounded = now
            self._set(State.LISTENING)
        elif now - self._sounded > self._silence:
            self._set(State.SILENT, f"nothing but digital silence for {self._silence:g} s")
        return Block(samples, rate, start, begins)

    def _set(self, state: State, detail: str = "") -> None:
        if (state, detail) != (self.status.state, self.status.detail):
            self.status = Status(state, self._clock.now(), detail)
