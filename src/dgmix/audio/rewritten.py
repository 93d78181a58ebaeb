"""A file read with another header."""

from __future__ import annotations

import io
import os
from typing import BinaryIO

from dgmix.audio.riff import Wave


class Rewritten(io.RawIOBase):
    """An open file read as if it were the header of a `Wave` and its parts, one after the other."""

    def __init__(self, file: BinaryIO, wave: Wave) -> None:
        self._file = file
        self._header = wave.header
        self._parts = wave.parts
        self._size = len(wave.header) + wave.size
        self._at = 0

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be read from any place on."""
        return True

    def tell(self) -> int:
        """Return the place that is read next."""
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, and return it."""
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        self._at = max(start + offset, 0)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill a buffer and return how many bytes that were."""
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _read(self, count: int) -> bytes:
        pieces = []
        place = self._at
        header = self._header[place : place + count]
        pieces.append(header)
        place -= len(self._header)
        left = count - len(header)
        place = max(place, 0)
        for first, size in self._parts:
            if left and place < size:
                self._file.seek(first + place)
                pieces.append(self._file.read(min(left, size - place)))
                left -= len(pieces[-1])
            place = max(place - size, 0)
        data = b"".join(pieces)
        self._at += len(data)
        return data
