"""What the headers of WAV, AIFF, CAF and AU files say of their samples, and headers made anew."""

from __future__ import annotations

import struct
from dataclasses import dataclass

SAMPLED = (1, 3, 6, 7, 0xFFFE)  # tags of WAV files whose frames have a fixed size
BLOCKS = (2, 0x11, 0x31)  # those in blocks of samples that libsndfile decodes
AIFF_BYTES = {b"fl32": 4, b"fl64": 8, b"ulaw": 1, b"alaw": 1, b"in24": 3, b"in32": 4}
AIFF_INTEGERS = (b"none", b"sowt", b"twos", b"raw ")
CAF_SAMPLED = (b"lpcm", b"ulaw", b"alaw")
AU_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}  # a sample, by its encoding


@dataclass(frozen=True, slots=True)
class Encoding:
    """How samples are written: their rate in Hz, bytes a second (0: not known) and a frame.

    `content` is that of the chunk of format, `before` how many bytes stand before the sound in its
    chunk. `common` says whether libsndfile decodes it.
    """

    content: bytes
    sample_rate: int
    byte_rate: int
    frame: int
    before: int = 0
    common: bool = True


def encoding_of(magic: bytes, order: str, content: bytes) -> Encoding | None:
    """Return the encoding that a chunk of format describes, None where none is understood."""
    if magic in (b"AIFF", b"AIFC"):
        return _of_aiff(content)
    if magic == b"caff":
        return _of_caf(content)
    return _of_wav(order, content)


def _of_wav(order: str, content: bytes) -> Encoding | None:
    if len(content) == 14:  # of before 1992: frames alone tell how long a sample is
        channels, frame = struct.unpack(f"{order}2xH8xH", content)
        content += struct.pack(f"{order}H", 8 * frame // max(channels, 1))
    if not 16 <= len(content) <= 1024:
        return None
    tag, channels, rate, byte_rate, frame, bits = struct.unpack(f"{order}HHIIHH", content[:16])
    if tag in SAMPLED:
        frame = channels * (-(-bits // 8))
        byte_rate = rate * frame
    elif tag in BLOCKS and len(content) >= 20:
        (samples,) = struct.unpack(f"{order}H", content[18:20])
        byte_rate = rate * frame // max(samples, 1)
    return Encoding(content, rate, byte_rate, max(frame, 1), 0, tag in (*SAMPLED, *BLOCKS))


def _of_aiff(content: bytes) -> Encoding | None:
    if len(content) < 18:
        return None
    channels, _, bits, exponent, mantissa = struct.unpack(">HIHHQ", content[:18])
    kind = content[18:22].lower() or AIFF_INTEGERS[0]
    sample = -(-bits // 8) if kind in AIFF_INTEGERS else AIFF_BYTES.get(kind, 0)
    frame, shift = channels * sample, exponent - 16383 - 63  # an 80-bit number
    if not frame or not -63 <= shift <= -32:
        return None
    rate = mantissa >> -shift
    return Encoding(content, rate, rate * frame, frame, 8)


def _of_caf(content: bytes) -> Encoding | None:
    if len(content) < 32:
        return None
    rate, kind, _, frame, frames = struct.unpack(">d4s3I", content[:24])
    if kind not in CAF_SAMPLED or not frame or frames != 1 or not 0 < rate < 1e9:
        return None
    return Encoding(content, round(rate), round(rate * frame), frame, 4)


def header_of(magic: bytes, order: str, encoding: Encoding, size: int) -> bytes:
    """Return the header of a file with so many bytes of sound."""
    if magic in (b"AIFF", b"AIFC"):
        frames = struct.pack(">I", min(size // encoding.frame, 0xFFFF_FFFF))
        content = encoding.content[:2] + frames + encoding.content[6:]
        chunks = _chunk(">4sI", b"COMM", content)
        chunks += struct.pack(">4sIQ", b"SSND", min(8 + size, 0xFFFF_FFFF), 0)
        whole = min(4 + len(chunks) + size, 0xFFFF_FFFF)
        return struct.pack(">4sI4s", b"FORM", whole, magic) + chunks
    if magic == b"caff":
        start = b"caff" + bytes([0, 1, 0, 0]) + _chunk(">4sq", b"desc", encoding.content)
        return start + struct.pack(">4sqI", b"data", 4 + size, 0)
    return _wav_header(magic, order, _chunk(f"{order}4sI", b"fmt ", encoding.content), size)


def _wav_header(magic: bytes, order: str, format: bytes, size: int) -> bytes:
    if size < 0xFFFF_0000 or magic == b"RIFX":
        whole = min(12 + len(format) + size, 0xFFFF_FFFF)
        riff = struct.pack(f"{order}4sI4s", b"RIFX" if order == ">" else b"RIFF", whole, b"WAVE")
        return riff + format + struct.pack(f"{order}4sI", b"data", min(size, 0xFFFF_FFFF))
    ds64 = struct.pack("<4sIQQQI", b"ds64", 28, 48 + len(format) + size, size, 0, 0)
    riff = struct.pack("<4sI4s", b"RF64", 0xFFFF_FFFF, b"WAVE")
    return riff + ds64 + format + struct.pack("<4sI", b"data", 0xFFFF_FFFF)


def _chunk(head: str, name: bytes, content: bytes) -> bytes:
    content += b"\0" * (len(content) % 2)
    return struct.pack(head, name, len(content)) + content
