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
        self._kept: Samples = np.empty(0, np.float32)
        self._start = 0.0
        self._rate = 0
        self._skip = 0

    def push(self, block: Block) -> Iterator[Window]:
        """Yield the windows that are complete with one more block."""
        end = self._start + len(self._kept) / max(self._rate, 1)
        apart = abs(block.start - end) > TOLERANCE
        if block.begins or block.sample_rate != self._rate or apart:
            self._begin(block, settle=block.begins or not self._rate)
        self._kept = np.concatenate([self._kept, block.samples])
        dropped = min(self._skip, len(self._kept))
        self._skip -= dropped
        self._drop(dropped)
        size, hop = round(self.seconds * self._rate), round(self.every * self._rate)
        while not self._skip and len(self._kept) >= size:
            cut = Block(self._kept[:size].copy(), self._rate, self._start)
            yield Window(cut, min(self.every, self.seconds))
            self._skip = max(0, hop - len(self._kept))
            self._drop(min(hop, len(self._kept)))

    def _begin(self, block: Block, settle: bool) -> None:
        self._kept, self._start = np.empty(0, np.float32), block.start
        self._rate = block.sample_rate
        self._skip = round(self.settle * self._rate) if settle else 0

    def _drop(self, samples: int) -> None:
        self._kept = self._kept[samples:]
        self._start += samples / max(self._rate, 1)


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
