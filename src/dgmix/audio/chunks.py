"""Chunks of WAV, AIFF and CAF files, and where their sound ends, whatever the sizes in them say.

Recorders write the size of the sound last, and some never do; programs that write to a pipe cannot
know it; 32 bits do not hold more than 4 GiB. So the sound is taken to reach from its chunk to the
end of the file, unless what follows the size in the header is other chunks, text or zeros. Read
are RIFF, RIFX, RF64 or BW64 (EBU Tech 3306), Sony's W64, AIFF and AIFF-C, and Apple's CAF.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, replace
from typing import BinaryIO

UNKNOWN_SIZE = 0x7FFF_F000  # from here on 32 bits say that the size is not known
W64_RIFF = bytes.fromhex("726966662e91cf11a5d628db04c10000")
W64_TAIL = bytes.fromhex("f3acd3118cd100c04f8edb8a")  # of the names of all its chunks but the first
RIFF = re.compile(rb"(?:RIFF|RIFX|RF64|BW64)....WAVE", re.DOTALL)
AIFF = re.compile(rb"FORM....AIF[FC]", re.DOTALL)
OTHERS = (b"OggS", b"fLaC", b"FORM", b".snd", b"caff")  # may hold anything
TEXT = bytes([0, 9, 10, 13, *range(32, 127)])
LONGEST_TAG = 1 << 16
LOOKED_AT = 4096
MOST_CHUNKS = 1000
ZEROS_AT_ONCE = 1 << 16
HEAD = struct.Struct("<4sI")  # of most chunks: name and size
LEAST_SECONDS = 0.05  # shorter leftovers behind the sound are not sound


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk: its name, where its content begins, the size that it claims, and where it ends."""

    name: bytes
    first: int
    size: int
    end: int


@dataclass(frozen=True, slots=True)
class Form:
    """How a kind of file writes its chunks, and where the first of them begins.

    `head` is what stands before a chunk's content: name and size. `names` are those of the chunks
    of format and sound. `whole` is where the file ends by its own header, None where that tells
    nothing; `data_size` that of RF64. What lies before, a tag of 64 kB at most, is skipped.
    """

    magic: bytes
    first: int
    head: struct.Struct = HEAD
    align: int = 2
    names: tuple[bytes, bytes] = (b"fmt ", b"data")
    whole: int | None = None
    data_size: int | None = None

    @staticmethod
    def of(file: BinaryIO) -> Form | None:
        """Return the form of an open file, or None when it is none of these kinds."""
        file.seek(0)
        start = file.read(LONGEST_TAG)
        if start[:16] == W64_RIFF and len(start) >= 40:
            (whole,) = struct.unpack("<Q", start[16:24])
            return Form(b"W64", 40, struct.Struct("<4s12sQ"), 8, whole=whole)
        if AIFF.match(start):
            head, names = struct.Struct(">4sI"), (b"COMM", b"SSND")
            return Form(start[8:12], 12, head, 2, names, _end(">", start[4:8], 8))
        if start[:4] == b"caff":
            return Form(b"caff", 8, struct.Struct(">4sq"), 1, (b"desc", b"data"))
        magic = RIFF.search(start)
        if magic is None or (magic.start() and start.startswith(OTHERS)):
            return None
        return _riff(start[magic.start() :], magic.end())

    @property
    def order(self) -> str:
        """The order of bytes, as `struct` writes it."""
        return self.head.format[0]

    def chunk_at(self, file: BinaryIO, place: int, total: int) -> Chunk | None:
        """Return the chunk at a place, if it can be one; its end may lie behind the file's."""
        if place >= total:
            return None
        file.seek(place)
        head = file.read(self.head.size)
        if len(head) < self.head.size:
            return None
        name, *tail, size = self.head.unpack(head)
        if tail:
            size -= self.head.size
        if tail not in ([], [W64_TAIL]):
            return None
        first = place + len(head)
        if name == b"data" and size == 0xFFFFFFFF and self.data_size is not None:
            size = self.data_size
        if name == b"data" and size == -1:  # of CAF
            size = total - first
        if size < 0 or not (name.isascii() and name.rstrip(b"\0").decode().isprintable()):
            return None
        return Chunk(name, first, size, min(first + size, total))

    def next(self, chunk: Chunk) -> list[int]:
        """Return where the next chunk may begin: some programs do not pad odd sizes."""
        end = chunk.first + chunk.size
        padded = end + -end % self.align
        return [padded, end] if padded > end and self.align == 2 else [padded]

    def claimed(self, chunk: Chunk) -> int | None:
        """Return the size that a chunk of sound claims, or None where it tells that none is known.

        Nothing at all is claimed too where something is there.
        """
        wide = self.head.size > 8 or self.data_size is not None
        unknown = chunk.size >= (1 << 62 if wide else UNKNOWN_SIZE)
        return None if unknown or chunk.size == 0 < chunk.end - chunk.first else chunk.size


def _riff(start: bytes, first: int) -> Form:
    """Return the form of a WAV file that begins like this, whose chunks begin there."""
    magic, order = start[:4], ">" if start[:4] == b"RIFX" else "<"
    whole, size = _end(order, start[4:8], first - 4), None
    if start[12:16] == b"ds64" and len(start) >= 36:
        whole, size = struct.unpack("<QQ", start[20:36])
        whole += first - 4
    return Form(magic, first, struct.Struct(f"{order}4sI"), whole=whole, data_size=size)


def _end(order: str, field: bytes, first: int) -> int | None:
    (size,) = struct.unpack(f"{order}I", field)
    return None if size >= UNKNOWN_SIZE else first + size


def chunks_of(file: BinaryIO, form: Form, total: int) -> list[Chunk]:
    """Return the chunks of a file of so many bytes, as far as they are plausible."""
    chunks: list[Chunk] = []
    place: int | None = form.first
    while place is not None and (chunk := form.chunk_at(file, place, total)):
        place = _following(file, form, chunk, total)
        chunks.append(chunk)
    return chunks


def to_true_end(file: BinaryIO, chunk: Chunk, byte_rate: int, total: int) -> Chunk:
    """Return a chunk of sound, the last one of its file, to where sound ends."""
    if _is_leftover(file, chunk, byte_rate, total):
        return chunk
    return replace(chunk, end=_end_of_sound(file, chunk, total))


def _following(file: BinaryIO, form: Form, chunk: Chunk, total: int) -> int | None:
    """Return where the next chunk begins, or None where none follows that is plausible.

    After sound it must be the first of chunks that reach to the end of the file: anything may look
    like a single one. Of two places before it, that from which sound is reached.
    """
    if chunk.name in (b"RIFF", b"FORM"):  # another file behind the first
        return chunk.first + 4
    places = form.next(chunk)
    if chunk.name == form.names[1]:
        return next((place for place in places if _chain(file, form, place, total)), None)
    plausible = [place for place in places if form.chunk_at(file, place, total)]
    if len(plausible) > 1 and not _reaches(file, form, plausible[0], total):
        plausible.reverse()
    return plausible[0] if plausible else None


def _reaches(file: BinaryIO, form: Form, place: int, total: int) -> bool:
    """Say whether chunks of even sizes lead from a place to one of format or sound."""
    for _ in range(MOST_CHUNKS):
        chunk = form.chunk_at(file, place, total)
        if chunk is None or chunk.name in form.names:
            return chunk is not None
        place = form.next(chunk)[0]
    return False


def _chain(file: BinaryIO, form: Form, place: int, total: int) -> bool:
    """Say whether chunks follow one another from a place to the end of the file."""
    if place >= total:
        return False
    for _ in range(MOST_CHUNKS):
        chunk = form.chunk_at(file, place, total)
        if chunk is None or chunk.first + chunk.size > total + 1:
            return False
        place = max(form.next(chunk))
        if place >= total:
            return True
    return False


def _is_leftover(file: BinaryIO, data: Chunk, byte_rate: int, total: int) -> bool:
    """Say whether what lies behind sound is none: nothing, a moment, text (tags), or zeros."""
    file.seek(data.end)
    start = file.read(LOOKED_AT)
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
