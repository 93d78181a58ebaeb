"""Files of plain samples whose header is wrong: where their sound lies, and a header that fits it.

The sound is decoded by libsndfile; `dgmix.audio.chunks` locates it.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import BinaryIO

from dgmix.audio.chunks import LONGEST_TAG, Chunk, Form, chunks_of, to_true_end
from dgmix.audio.encodings import AU_BYTES, Encoding, encoding_of, header_of

TRUSTED = (b"RIFF", b"RIFX", b"AIFF", b"AIFC")  # libsndfile takes whole files of others otherwise


@dataclass(frozen=True)
class Wave:
    """The sound of a WAV, AIFF, CAF or AU file: a header that fits it, and its parts.

    Each part is (first byte, bytes). `claimed` is how many bytes of sound the file's own header
    says, None where it says that it does not know; `cut` whether the header's size of the whole
    file says too that its end is missing. `reliable`: a decoder can trust the file's own header.
    """

    header: bytes
    parts: Sequence[tuple[int, int]]
    claimed: int | None
    encoding: Encoding
    reliable: bool
    cut: bool = False

    @property
    def size(self) -> int:
        """How many bytes of sound there are."""
        return sum(size for _, size in self.parts)

    @property
    def note(self) -> str:
        """What differs from the file's own header, in seconds; empty where nothing does."""
        there, claimed = self.size, self.claimed
        if not claimed or there == claimed or self._is_whole(there, claimed):
            return ""
        rate = self.encoding.byte_rate
        if not rate:
            return f"{there} bytes of sound are there, and its header says {claimed}"
        if there < claimed:
            return shortfall(there / rate, claimed / rate)
        claim, here = (f"{size / rate:.2f}" for size in (claimed, there))
        return f"its header says {claim} s, and {here} s are there: all of it is used"

    def _is_whole(self, there: int, claimed: int) -> bool:
        """Say whether nothing is missing although fewer bytes are there than the header claims.

        Some recorders count the header along, all of it or all behind the size of the file; others
        a few bytes more. Then the file is as long as it says that it is; one that was cut is not.
        """
        header, missing = self.parts[0][0], claimed - there
        if not 0 < missing <= header:
            return False
        frame = self.encoding.frame
        return there // frame == claimed // frame or not self.cut or missing in (header, header - 8)


def shortfall(there: float, promised: float) -> str:
    """Return the sentence on a recording that has so many of the promised seconds."""
    if promised - there < 0.01:
        missing = f"{1000 * (promised - there):.2g} ms"
        return f"incomplete: the last {missing} of {promised:.2f} s are missing"
    return f"incomplete: {there:.2f} of {promised:.2f} s are there"


def find_wave(file: BinaryIO) -> Wave | None:
    """Return where the sound of an open file lies, or None when it is none of these with sound.

    `reliable` says that a decoder can trust the file's own header.
    """
    total = file.seek(0, os.SEEK_END)
    form = Form.of(file)
    if form is None:
        return _find_au(file, total)
    chunks = chunks_of(file, form, total)
    formats = [chunk for chunk in chunks if chunk.name == form.names[0]]
    encoding = _encoding(file, form, formats)
    data = [chunk for chunk in chunks if chunk.name == form.names[1]]
    if encoding is None or not data:
        return None
    if data[-1] is chunks[-1]:
        data[-1] = to_true_end(file, data[-1], encoding.byte_rate, total)
    before = encoding.before
    parts = [(each.first + before, each.end - each.first - before) for each in data]
    parts = [part for part in parts if part[1] > 0]
    if not parts:
        return None
    claimed = [form.claimed(chunk) for chunk in data]
    known = [max(size - before, 0) for size in claimed if size is not None]
    size = sum(size for _, size in parts)
    in_order = (
        [chunk.size for chunk in formats] == [len(encoding.content)]
        and formats[0].first < data[0].first
        and _padded(form, chunks)
    )
    return Wave(
        header_of(form.magic, form.order, encoding, size),
        parts,
        sum(known) if len(known) == len(claimed) else None,
        encoding,
        _is_trusted(form) and in_order and len(data) == 1 and size == data[0].size - before,
        form.whole is None or form.whole > total + data[-1].size % 2,  # a byte of padding
    )


def _encoding(file: BinaryIO, form: Form, formats: Sequence[Chunk]) -> Encoding | None:
    if not formats:
        return None
    file.seek(formats[0].first)
    return encoding_of(form.magic, form.order, file.read(min(formats[0].size, LONGEST_TAG)))


def _is_trusted(form: Form) -> bool:
    return form.magic in TRUSTED and form.first == 12


def _padded(form: Form, chunks: Sequence[Chunk]) -> bool:
    """Say whether each chunk begins where libsndfile looks for it."""
    return all(
        second.first - form.head.size == form.next(first)[0] for first, second in pairwise(chunks)
    )


def _find_au(file: BinaryIO, total: int) -> Wave | None:
    """Return the sound of an AU file."""
    file.seek(0)
    start = file.read(24)
    if start[:4] != b".snd" or len(start) < 24:
        return None
    _, first, size, kind, rate, channels = struct.unpack(">4s5I", start)
    frame = channels * AU_BYTES.get(kind, 0)
    if not 24 <= first < min(total, LONGEST_TAG) or not frame:
        return None
    claimed = None if size in (0, 0xFFFF_FFFF) else size
    sound = Chunk(b"", first, size, min(first + (claimed or 0), total))
    sound = to_true_end(file, sound, rate * frame, total)
    there = sound.end - first
    header = start[:8] + struct.pack(">I", min(there, 0xFFFF_FFFF)) + start[12:] + bytes(first - 24)
    encoding = Encoding(b"", rate, rate * frame, frame)
    return Wave(header, [(first, there)], claimed, encoding, size == there, cut=True)
