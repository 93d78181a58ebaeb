"""How much sound there is in an MP3, Ogg or FLAC file, without decoding it.

libsndfile believes the first header of an MP3 or FLAC file, or estimates from its size, and the
first of the streams that an Ogg file chains; here the whole file is counted (ISO 11172-3 and
13818-3; RFC 3533, RFC 7845; RFC 9639).
"""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
KILOBITS = {  # by the first layer or not, of version 1 and of versions 2 and 2.5
    (3, 1): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (3, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (2, 1): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (2, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
SYNC = b"\xff"
FLAC_START = b"fLaC\x00\x00\x00\x22"
OPUS_RATE = 48_000


@dataclass(frozen=True, slots=True)
class Contents:
    """How many seconds of sound a file holds, and whether it has its end mark; MP3 has none."""

    seconds: float
    ended: bool


def count(file: BinaryIO) -> Contents | None:
    """Return what an open MP3 or Ogg file holds, or FLAC files joined; None of any other file."""
    if file.seek(0, os.SEEK_END) < 32:
        return None
    file.seek(0)
    start = file.read(4)
    if start == b"OggS":
        return _ogg(_bytes(file))
    if start == b"fLaC":
        return _flac(_bytes(file))
    if start[:3] == b"ID3" or (start[0] == 0xFF and _frame(start)):
        return _mp3(_bytes(file))
    return None


def _bytes(file: BinaryIO) -> bytes | mmap.mmap:
    """Return the content of a file, mapped where it is on disk."""
    try:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except (OSError, ValueError):
        file.seek(0)
        return file.read()


@dataclass(frozen=True, slots=True)
class _Frame:
    length: int
    samples: int
    rate: int


def _frame(head: bytes) -> _Frame | None:
    """Return the MPEG audio frame, layer II or III, that begins with these four bytes."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    bits, rate, padding = head[2] >> 4, head[2] >> 2 & 3, head[2] >> 1 & 1
    if version == 1 or layer not in (2, 3) or not 0 < bits < 15 or rate == 3:
        return None
    hertz = RATES[version][rate]
    kilobits = KILOBITS[3 if version == 3 else 2, 2 if layer == 2 else 1][bits - 1]
    samples = 576 if layer == 3 and version != 3 else 1152
    return _Frame(samples // 8 * 1000 * kilobits // hertz + padding, samples, hertz)


def _flac(data: bytes | mmap.mmap) -> Contents | None:
    """Add up the lengths in the headers of FLAC files that follow one another (RFC 9639, 8.2)."""
    seconds, streams = 0.0, 0
    place = 0
    while place >= 0:
        packed = int.from_bytes(data[place + 18 : place + 26], "big")
        rate, samples = packed >> 44, packed & 0xF_FFFF_FFFF
        if not rate or not samples:
            return None
        seconds, streams = seconds + samples / rate, streams + 1
        place = data.find(FLAC_START, place + 42)
    return Contents(seconds, True) if streams > 1 else None


def _mp3(data: bytes | mmap.mmap) -> Contents | None:
    seconds, place = 0.0, 0
    after_frame = False
    while place + 4 <= len(data):
        head = data[place : place + 10]
        frame = _frame(head)
        sure = after_frame or (frame and _frame(data[place + frame.length :][:4]) is not None)
        if frame and sure:
            if not _describes(data[place : place + 64]):
                seconds += frame.samples / frame.rate
            place, after_frame = place + frame.length, True
        elif head[:3] == b"ID3" and len(head) == 10:
            place, after_frame = place + 10 + _synchsafe(head[6:]), False
        else:
            sync = data.find(SYNC, place + 1)
            tag = data.find(b"ID3", place + 1)
            candidates = [each for each in (sync, tag) if each > 0]
            if not candidates:
                break
            place, after_frame = min(candidates), False
    return Contents(seconds, True) if seconds else None


def _describes(frame: bytes) -> bool:
    """Say whether a frame tells of the others, and holds no sound (Xing, Info, VBRI)."""
    return any(name in frame for name in (b"Xing", b"Info", b"VBRI"))


def _synchsafe(size: bytes) -> int:
    first, second, third, fourth = size
    return first << 21 | second << 14 | third << 7 | fourth


@dataclass(slots=True)
class _Stream:
    rate: int
    skipped: int
    samples: int = 0
    ended: bool = False


def _ogg(data: bytes | mmap.mmap) -> Contents | None:
    """Count the samples of the audio streams that follow one another, not those side by side."""
    streams: dict[int, _Stream] = {}
    done: list[_Stream] = []
    for flags, granule, serial, packet in _pages(data):
        if flags & 2:
            stream = _stream_of(packet)
            if stream and (serial in streams or all(each.samples for each in streams.values())):
                done += streams.values()
                streams = {serial: stream}
        elif serial in streams:
            streams[serial].samples = max(streams[serial].samples, granule)
            streams[serial].ended |= bool(flags & 4)
    done += streams.values()
    if not done:
        return None
    seconds = sum(max(each.samples - each.skipped, 0) / each.rate for each in done)
    return Contents(seconds, done[-1].ended)


def _pages(data: bytes | mmap.mmap) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield the flags, granule position, serial number and first bytes of each whole page."""
    place = data.find(b"OggS")
    while place >= 0 and place + 27 <= len(data):
        _, _, flags, granule, serial, _, _, count = struct.unpack(
            "<4sBBqIIIB", data[place : place + 27]
        )
        sizes = data[place + 27 : place + 27 + count]
        body = place + 27 + count
        end = body + sum(sizes)
        if end > len(data):
            return
        yield flags, granule, serial, data[body : min(body + 64, end)]
        place = data.find(b"OggS", end)


def _stream_of(packet: bytes) -> _Stream | None:
    """Return the audio stream that its first packet describes, if it is a kind known here."""
    if packet[:7] == b"\x01vorbis" and len(packet) >= 16:
        (rate,) = struct.unpack("<I", packet[12:16])
        return _Stream(rate, 0) if rate else None
    if packet[:8] == b"OpusHead" and len(packet) >= 12:
        (skipped,) = struct.unpack("<H", packet[10:12])
        return _Stream(OPUS_RATE, skipped)
    return None
