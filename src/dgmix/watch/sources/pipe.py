"""Samples that arrive as bytes: from another program, or on standard input."""

from __future__ import annotations

import os
import select
import struct
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

from dgmix.errors import InputError
from dgmix.watch.sound import Samples, averaged
from dgmix.watch.sources.base import StreamError

CHUNK = 1 << 16
LAST_LINES = 8
END_SECONDS = 2.0
FORMATS = {"s16le": ("<i2", 2.0**15), "s32le": ("<i4", 2.0**31), "f32le": ("<f4", 1.0)}
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE
LONGEST_HEADER = 1 << 20


class Decoder:
    """Makes samples of bytes; the bytes of an incomplete frame wait for the rest."""

    def __init__(self, form: str, channels: int, channel: int | None = None) -> None:
        self._type, self._full = np.dtype(FORMATS[form][0]), FORMATS[form][1]
        self._channels, self._channel = channels, channel
        self._carried = b""

    def __call__(self, data: bytes) -> Samples:
        """Return the samples, float32 (sample,), that are complete with more bytes."""
        data = self._carried + data
        size = self._type.itemsize * self._channels
        whole = len(data) - len(data) % size
        self._carried = data[whole:]
        frames = np.frombuffer(data[:whole], self._type).reshape(-1, self._channels)
        return averaged(np.nan_to_num(frames / self._full), self._channel)


class BytesStream:
    """A stream from an open file descriptor; `reason` explains an end."""

    def __init__(
        self,
        descriptor: int,
        decode: Callable[[bytes], Samples],
        sample_rate: int,
        reason: Callable[[], str] = lambda: "it ended",
        close: Callable[[], None] = lambda: None,
    ) -> None:
        self.sample_rate = sample_rate
        self._descriptor, self._decode = descriptor, decode
        self._reason, self._close = reason, close

    def read(self, timeout: float) -> Samples:
        """Return new samples, float32 (sample,), none if there are none within the time (s)."""
        if not select.select([self._descriptor], [], [], timeout)[0]:
            return np.empty(0, np.float32)
        data = os.read(self._descriptor, CHUNK)
        if not data:
            raise StreamError(self._reason())
        return self._decode(data)

    def close(self) -> None:
        """Let go of the descriptor and what is behind it."""
        self._close()


def program_stream(
    command: Sequence[str],
    decode: Callable[[bytes], Samples],
    sample_rate: int,
    shown: Callable[[str], str],
) -> BytesStream:
    """Return the stream of what a program writes; `shown` takes secrets out of its messages.

    Raises `InputError` where the program is not installed.
    """
    try:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
    except FileNotFoundError as error:
        raise InputError(f"{command[0]}: not installed; install it, or name its path") from error
    assert process.stdout is not None
    assert process.stderr is not None
    lines: deque[bytes] = deque(maxlen=LAST_LINES)
    errors = process.stderr
    reader = threading.Thread(target=lambda: lines.extend(errors), daemon=True)
    reader.start()

    def reason() -> str:
        reader.join(END_SECONDS)
        texts = [shown(line.decode("utf-8", "replace").strip()) for line in list(lines)]
        return f"{command[0]} ended: {' · '.join(texts[-2:]) or 'without a word'}"

    def close() -> None:
        process.terminate()
        try:
            process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()

    return BytesStream(process.stdout.fileno(), decode, sample_rate, reason, close)


class WavDecoder:
    """Makes samples of a WAV stream whose length nobody knows; `sample_rate` is in its header."""

    def __init__(self) -> None:
        self.sample_rate = 0
        self._header = b""
        self._decode: Callable[[bytes], Samples] | None = None

    def __call__(self, data: bytes) -> Samples:
        """Return the samples, float32 (sample,), that are complete with more bytes.

        Raises `StreamError` for anything but WAV of 16 or 32 bits.
        """
        if self._decode is None:
            self._header += data
            parsed = self._parsed()
            if parsed is None:
                return np.empty(0, np.float32)
            self.sample_rate, self._decode, data = parsed
        return self._decode(data)

    def _parsed(self) -> tuple[int, Decoder, bytes] | None:
        """Return rate, decoder and the first bytes of samples, once the header is complete."""
        header, form = self._header, None
        strange = len(header) >= 12 and (
            header[:4] not in (b"RIFF", b"RF64") or header[8:12] != b"WAVE"
        )
        if strange or len(header) > LONGEST_HEADER:
            raise StreamError("standard input: no WAV stream; set source.format if it is raw")
        at = 12
        while len(header) >= at + 8:
            name, size = header[at : at + 4], int.from_bytes(header[at + 4 : at + 8], "little")
            if name == b"data":
                return None if form is None else (*form, header[at + 8 :])
            if len(header) < at + 8 + size:
                return None
            if name == b"fmt ":
                form = _format(header[at + 8 : at + 8 + size])
            at += 8 + size + size % 2
        return None


def _format(chunk: bytes) -> tuple[int, Decoder]:
    """Return the sample rate and the decoder that the format chunk of a WAV stream asks for."""
    kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", chunk)
    if kind == EXTENSIBLE and len(chunk) >= 26:
        (kind,) = struct.unpack_from("<H", chunk, 24)
    forms = {(PCM, 16): "s16le", (PCM, 32): "s32le", (FLOAT, 32): "f32le"}
    if (kind, bits) not in forms or not channels or not rate:
        raise StreamError(f"standard input: WAV of {bits} bits; expected 16, 32 or float")
    return rate, Decoder(forms[kind, bits], channels)
