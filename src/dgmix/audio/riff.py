"""WAV files whose header is wrong: where their sound lies, whatever the sizes in it say.

Recorders write the size of the sound last, and some never do; programs that write to a pipe cannot
know it; 32 bits do not hold more than 4 GiB. So the sound is taken to reach from its chunk to the
end of the file, unless what follows the size in the header is other chunks, text or zeros. Read
are RIFF, RIFX, RF64 or BW64 (EBU Tech 3306) and Sony's W64; libsndfile decodes what is found here.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import BinaryIO

UNKNOWN_SIZE = 0x7FFF_F000  # from here on 32 bits say that the size is not known
W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")  # of the names of all its chunks but the first
TEXT = bytes([0, 9, 10, 13, *range(32, 127)])
AU_BYTES = {1: 1, 2: 1, 3: 2, 4: 3, 5: 4, 6: 4, 7: 8, 27: 1}  # a sample, by its encoding
LOOKED_AT = 4096
LONGEST_TAG = 1 << 16
MAGIC = re.compile(rb"(?:RIFF|RIFX|RF64|BW64)....WAVE", re.DOTALL)
OTHERS = (b"OggS", b"fLaC", b"FORM", b".snd", b"caff")  # may hold anything
ZEROS_AT_ONCE = 1 << 16
LEAST_SECONDS = 0.05  # shorter leftovers behind the sound are not sound


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk: its name, where its content begins, the size that it claims, and where it ends."""

    name: bytes
    first: int
    size: int
    end: int


@dataclass(frozen=True)
class Wave:
    """The sound of a WAV file: a header that fits it, and its parts, each (first byte, bytes).

    `claimed` is how many bytes the file's own header says, None where it says that it does not
    know; `sample_rate` and `byte_rate` (at least 1) are those of its format.
    """

    header: bytes
    parts: Sequence[tuple[int, int]]
    claimed: int | None
    sample_rate: int
    byte_rate: int
    reliable: bool

    @property
    def size(self) -> int:
        """How many bytes of sound there are."""
        return sum(size for _, size in self.parts)

    @property
    def note(self) -> str:
        """What differs from the file's own header, in seconds; empty where nothing does.

        A size that counts the header along, as some recorders write it, lacks nothing.
        """
        there, claimed = self.size, self.claimed
        if claimed is None or abs(there - claimed) <= self.parts[0][0] or not claimed:
            return ""
        claim, here = (f"{size / self.byte_rate:.2f}" for size in (claimed, there))
        if there < claimed:
            return f"incomplete: {here} of {claim} s are there"
        return f"its header says {claim} s, and {here} s are there: all of it is used"


def find_wave(file: BinaryIO) -> Wave | None:
    """Return where the sound of an open file lies, or None when it is no WAV file with sound.

    An AU file whose size was never written is one too. `reliable` says that a decoder can trust
    the file's own header.
    """
    total = file.seek(0, os.SEEK_END)
    form = _Form.of(file)
    if form is None:
        return _unfinished_au(file, total)
    chunks, data = _chunks(file, form, total)
    fmt = next((chunk for chunk in chunks if chunk.name == b"fmt "), None)
    if fmt is None or not data or not 16 <= fmt.size <= 1024:
        return None
    file.seek(fmt.first)
    content = file.read(fmt.size)
    _, _, sample_rate, byte_rate, _, _ = struct.unpack(f"{form.order}HHIIHH", content[:16])
    parts = [(chunk.first, chunk.end - chunk.first) for chunk in data if chunk.end > chunk.first]
    if not parts:
        return None
    claimed = [form.claimed(chunk) for chunk in data]
    known = [size for size in claimed if size is not None]
    reliable = (
        form.at_start
        and len(data) == 1
        and fmt.first < data[0].first
        and parts[0][1] == data[0].size
    )
    return Wave(
        _header(form, content, sum(size for _, size in parts)),
        parts,
        sum(known) if len(known) == len(claimed) else None,
        sample_rate,
        max(byte_rate, 1),
        reliable,
    )


def _unfinished_au(file: BinaryIO, total: int) -> Wave | None:
    """Return the sound of an AU file that claims none: from its header to the end of the file."""
    file.seek(0)
    start = file.read(24)
    if start[:4] != b".snd" or len(start) < 24:
        return None
    _, first, size, encoding, rate, channels = struct.unpack(">4s5I", start)
    if size or not 24 <= first < min(total, LONGEST_TAG) or encoding not in AU_BYTES:
        return None
    header = start[:8] + b"\xff\xff\xff\xff" + start[12:] + bytes(first - 24)
    byte_rate = max(rate * channels * AU_BYTES[encoding], 1)
    return Wave(header, [(first, total - first)], None, rate, byte_rate, False)


@dataclass(frozen=True)
class _Form:
    """How one of the kinds of WAV file writes its chunks, and where the first of them begins.

    `data_size` is that of RF64. What lies before, a tag of 64 kB at most, is skipped.
    """

    magic: bytes
    first: int
    order: str = "<"
    data_size: int | None = None

    @staticmethod
    def of(file: BinaryIO) -> _Form | None:
        file.seek(0)
        start = file.read(LONGEST_TAG)
        if start[:16] == W64_RIFF:
            return _Form(b"W64", 40)
        magic = MAGIC.search(start)
        if magic is None or (magic.start() and start.startswith(OTHERS)):
            return None
        start = start[magic.start() :]
        size = None
        if start[12:16] == b"ds64" and len(start) >= 36:
            (size,) = struct.unpack("<Q", start[28:36])
        return _Form(start[:4], magic.end(), ">" if start[:4] == b"RIFX" else "<", size)

    @property
    def at_start(self) -> bool:
        """Say whether the file begins with it, and not with a tag."""
        return self.first in (12, 40)

    def chunk_at(self, file: BinaryIO, place: int, total: int) -> Chunk | None:
        """Return the chunk at a place, if it can be one; its end may lie behind the file's."""
        if place >= total:
            return None
        file.seek(place)
        head = file.read(24 if self.magic == b"W64" else 8)
        if self.magic == b"W64":
            if len(head) < 24 or head[4:16] != W64_TAIL:
                return None
            name, size = head[:4], struct.unpack("<Q", head[16:])[0] - 24
        else:
            if len(head) < 8:
                return None
            name, size = struct.unpack(f"{self.order}4sI", head)
            if name == b"data" and size == 0xFFFFFFFF and self.data_size is not None:
                size = self.data_size
        if size < 0 or not (name.isascii() and name.rstrip(b"\0").decode().isprintable()):
            return None
        first = place + len(head)
        return Chunk(name, first, size, min(first + size, total))

    def next(self, chunk: Chunk) -> list[int]:
        """Return where the next chunk may begin: some programs do not pad odd sizes."""
        end = chunk.first + chunk.size
        if self.magic == b"W64":
            return [end + -end % 8]
        return [end + end % 2, end] if end % 2 else [end]

    def claimed(self, chunk: Chunk) -> int | None:
        """Return the size that a chunk of sound claims, or None where it tells that none is known.

        Nothing at all is claimed too where something is there.
        """
        wide = self.magic == b"W64" or self.data_size is not None
        unknown = chunk.size >= (1 << 62 if wide else UNKNOWN_SIZE)
        return None if unknown or chunk.size == 0 < chunk.end - chunk.first else chunk.size


def _chunks(file: BinaryIO, form: _Form, total: int) -> tuple[list[Chunk], list[Chunk]]:
    """Return the chunks of a file, and those of them that are sound, each to its true end."""
    chunks: list[Chunk] = []
    data: list[Chunk] = []
    place: int | None = form.first
    while place is not None and (chunk := form.chunk_at(file, place, total)):
        place = _following(file, form, chunk, total)
        if chunk.name == b"data":
            if place is None and not _leftover(file, form, chunk, chunks, total):
                chunk = replace(chunk, end=_end_of_sound(file, chunk, total))
            data.append(chunk)
        chunks.append(chunk)
    return chunks, data


def _following(file: BinaryIO, form: _Form, chunk: Chunk, total: int) -> int | None:
    """Return where the next chunk begins, or None where none follows that is plausible.

    After sound it must be the first of chunks that reach to the end of the file: anything may look
    like a single one.
    """
    if chunk.name == b"RIFF":  # another file behind the first
        return chunk.first + 4
    for place in form.next(chunk):
        if chunk.name != b"data" and form.chunk_at(file, place, total):
            return place
        if chunk.name == b"data" and _chain(file, form, place, total):
            return place
    return None


def _chain(file: BinaryIO, form: _Form, place: int, total: int) -> bool:
    """Say whether chunks follow one another from a place to the end of the file."""
    if place >= total:
        return False
    for _ in range(1000):
        chunk = form.chunk_at(file, place, total)
        if chunk is None or chunk.first + chunk.size > total + 1:
            return False
        place = max(form.next(chunk))
        if place >= total:
            return True
    return False


def _leftover(
    file: BinaryIO, form: _Form, data: Chunk, before: Sequence[Chunk], total: int
) -> bool:
    """Say whether what lies behind sound is none: nothing, a moment, text (tags), or zeros."""
    file.seek(data.end)
    start = file.read(LOOKED_AT)
    fmt = next((chunk for chunk in before if chunk.name == b"fmt "), None)
    byte_rate = 0
    if fmt:
        file.seek(fmt.first + 8)
        (byte_rate,) = struct.unpack(f"{form.order}I", file.read(4).ljust(4, b"\0"))
    if data.size and total - data.end <= LEAST_SECONDS * byte_rate:
        return True
    if data.size and len(start.translate(None, TEXT)) <= 0.05 * len(start):
        return True
    return _end_of_sound(file, data, total) == data.end


def _end_of_sound(file: BinaryIO, data: Chunk, total: int) -> int:
    """Return where the zeros begin that a file ends with, or its end where they are but a few.

    Recorders reserve room on their card, and a file that was never finished keeps it. What the
    chunk claims is not looked at.
    """
    end = total
    while end > data.end:
        start = max(end - ZEROS_AT_ONCE, data.end)
        file.seek(start)
        left = len(file.read(end - start).rstrip(b"\0"))
        if left:
            end = start + left
            break
        end = start
    return total if end > data.end and total - end < ZEROS_AT_ONCE else end


def _header(form: _Form, fmt: bytes, size: int) -> bytes:
    """Return the header of a WAV file with this content of its `fmt` chunk and bytes of sound."""
    fmt = fmt + b"\0" * (len(fmt) % 2)
    order = form.order
    format = struct.pack(f"{order}4sI", b"fmt ", len(fmt)) + fmt
    if size < 0xFFFF_0000 or form.magic == b"RIFX":
        whole = min(12 + len(format) + size, 0xFFFF_FFFF)
        riff = struct.pack(f"{order}4sI4s", b"RIFX" if order == ">" else b"RIFF", whole, b"WAVE")
        return riff + format + struct.pack(f"{order}4sI", b"data", min(size, 0xFFFF_FFFF))
    ds64 = struct.pack("<4sIQQQI", b"ds64", 28, 48 + len(format) + size, size, 0, 0)
    riff = struct.pack("<4sI4s", b"RF64", 0xFFFF_FFFF, b"WAVE")
    return riff + ds64 + format + struct.pack("<4sI", b"data", 0xFFFF_FFFF)
