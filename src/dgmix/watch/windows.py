"""From blocks of sound to the windows that are judged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from dgmix.watch.sound import Block, Samples

TOLERANCE = 0.5
"""Seconds by which the times of neighbouring blocks may disagree: sound cards have clocks too."""


@dataclass(frozen=True, slots=True)
class FileKey:
    """A file of a folder, as it was when it was read."""

    name: str
    size: int
    modified: float

    @property
    def key(self) -> str:
        """What tells it from another file of the same name."""
        return f"{self.name}@{self.modified:.6f}"


@dataclass(frozen=True, slots=True)
class Window:
    """What is judged at once: a block, and how many seconds of new sound it brings.

    `file` is the file that it is of; `last` says that the file ends with it; `error` is why a file
    cannot be read, its block being empty then.
    """

    block: Block
    every: float
    file: FileKey | None = None
    last: bool = False
    error: str = ""


class Windower:
    """Cuts a stream into windows of `seconds` that begin every `every` seconds.

    After a gap nothing is judged for `settle` seconds, and no window reaches over it.
    """

    def __init__(self, seconds: float, every: float | None, settle: float) -> None:
        self.seconds, self.every, self.settle = seconds, every or seconds, settle
        self._buffer: Samples = np.empty(0, np.float32)
        self._filled = self._rate = self._skip = 0
        self._start = 0.0

    def push(self, block: Block) -> Iterator[Window]:
        """Yield the windows that are complete with one more block."""
        end = self._start + self._filled / max(self._rate, 1)
        apart = abs(block.start - end) > TOLERANCE
        if block.begins or block.sample_rate != self._rate or apart:
            self._begin(block, settle=block.begins or not self._rate)
        samples = block.samples
        while len(samples):
            samples = samples[self._take(samples) :]
            if self._filled == len(self._buffer):
                cut = Block(self._buffer.copy(), self._rate, self._start)
                yield Window(cut, min(self.every, self.seconds))
                self._advance(max(1, round(self.every * self._rate)))

    def _begin(self, block: Block, settle: bool) -> None:
        if block.sample_rate != self._rate:
            self._rate = block.sample_rate
            self._buffer = np.empty(max(1, round(self.seconds * self._rate)), np.float32)
        self._filled, self._start = 0, block.start
        self._skip = round(self.settle * self._rate) if settle else 0

    def _take(self, samples: Samples) -> int:
        """Skip or keep the first samples, up to the end of the window, and return how many."""
        if self._skip:
            count = min(self._skip, len(samples))
            self._skip -= count
            self._start += count / self._rate
            return count
        count = min(len(self._buffer) - self._filled, len(samples))
        self._buffer[self._filled : self._filled + count] = samples[:count]
        self._filled += count
        return count

    def _advance(self, hop: int) -> None:
        """Go on to the window that begins `hop` samples later."""
        kept = max(0, self._filled - hop)
        self._buffer[:kept] = self._buffer[self._filled - kept : self._filled]
        self._start += min(hop, self._filled) / self._rate
        self._skip, self._filled = max(0, hop - self._filled), kept


def windows_of_file(
    samples: Samples, sample_rate: int, start: float, seconds: float, file: FileKey
) -> Iterator[Window]:
    """Yield a file in equal pieces of about `seconds` seconds: one, if it is shorter."""
    pieces = max(1, round(len(samples) / sample_rate / seconds))
    parts = np.array_split(samples, pieces)
    at = start
    for number, part in enumerate(parts, 1):
        block = Block(part, sample_rate, at)
        yield Window(block, block.seconds, file, last=number == pieces)
        at = block.end


def unread_file(file: FileKey, error: str) -> Window:
    """Return the window of a file that cannot be read."""
    return Window(Block(np.empty(0, np.float32), 1, file.modified), 0.0, file, True, error)
