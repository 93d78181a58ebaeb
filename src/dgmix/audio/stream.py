"""Files to samples, a block at a time: libsndfile where it can, FFmpeg where it cannot."""

from __future__ import annotations

import os
import stat
import tempfile
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from dgmix.audio import ffmpeg
from dgmix.audio.packets import count
from dgmix.audio.riff import find_wave
from dgmix.audio.sndfile import SndfileSound
from dgmix.errors import InputError
from dgmix.files import DECODER_SUFFIXES, explained

Source = str | os.PathLike[str] | BinaryIO
Block = NDArray[np.float32]

RATES = (10, 100_000_000)  # Hz; others are damage
MEMORY_BYTES = 1 << 26  # of a pipe; what is longer lies in a temporary file


class Sound(Protocol):
    """An open recording: its rate in Hz, its channels, its length as far as it is known.

    `note` says what is missing or differs from the file's own header, in numbers; it is complete
    after the last block, and empty where all is as it should be.
    """

    sample_rate: int
    channels: int

    @property
    def seconds(self) -> float:
        """How long it is, before it is decoded."""

    @property
    def note(self) -> str:
        """What is missing or differs."""

    def blocks(self) -> Iterator[Block]:
        """Yield all samples, float32 (frame, channel), full scale ±1."""


@contextmanager
def open_sound(source: Source) -> Iterator[Sound]:
    """Yield the recording in a path or an open binary file.

    A pipe is read to its end first. Raises `InputError` when there is no such file, and when
    nothing in it can be decoded.
    """
    name = name_of(source)
    with ExitStack() as stack:
        if isinstance(source, str | os.PathLike):
            file: BinaryIO = stack.enter_context(_open(Path(source), name))
        else:
            file = source if _goes_back(source) else stack.enter_context(_spooled(source, name))
        if not file.seek(0, os.SEEK_END):
            raise InputError(f"{name}: the file is empty, nothing was recorded; leave it out")
        file.seek(0)
        sound = _decoder(file, name, stack)
        if not RATES[0] <= sound.sample_rate <= RATES[1]:
            raise InputError(
                f"{name}: its header says {sound.sample_rate} samples a second; export it again "
                "with its rate"
            )
        yield sound


def name_of(source: Source) -> str:
    """Return the name of a source for sentences."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    return str(getattr(source, "name", "the recording"))


@contextmanager
def _open(path: Path, name: str) -> Iterator[BinaryIO]:
    with explained(name):
        mode = path.stat().st_mode
        if stat.S_ISSOCK(mode) or stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            raise InputError(f"{name}: a device or socket, not a recording; leave it out")
        opened = path.open("rb")
    with opened as file:
        if stat.S_ISREG(mode):
            yield file
            return
        with _spooled(file, name) as spool:
            yield spool


def _goes_back(file: BinaryIO) -> bool:
    try:
        return file.seekable()
    except AttributeError:
        return False


@contextmanager
def _spooled(file: BinaryIO, name: str) -> Iterator[BinaryIO]:
    """Yield all that comes through a pipe, to go back and forth in; in memory while it is short."""
    with tempfile.SpooledTemporaryFile(MEMORY_BYTES) as spool:
        with explained(name):
            while data := file.read(1 << 20):
                spool.write(data)
        spool.seek(0)
        yield cast(BinaryIO, spool)


def _decoder(file: BinaryIO, name: str, stack: ExitStack) -> Sound:
    """Return what decodes an open file; it is closed by `stack`."""
    if Path(name).suffix.lower() in DECODER_SUFFIXES:
        return _opened(ffmpeg.FFmpegSound(file, name), stack)
    wave, contents = find_wave(file), count(file)
    if wave and not wave.encoding.sample_rate:
        raise InputError(f"{name}: its header names no sample rate; export it again with its rate")
    if _is_wide_text(file):
        raise InputError(f"{name}: not a sound file, but text; leave it out")
    if wave and not wave.encoding.common and ffmpeg.available():
        with suppress(InputError):
            return _opened(ffmpeg.FFmpegSound(file, name), stack)
    file.seek(0)
    try:
        decoder = SndfileSound(file, name, wave, contents)
    except InputError as error:
        if wave is not None or _is_text(file) or not ffmpeg.available():
            raise
        try:
            return _opened(ffmpeg.FFmpegSound(file, name, contents), stack)
        except InputError:
            raise error from None
    if not decoder.complete and ffmpeg.available():
        decoder.close()
        return _opened(ffmpeg.FFmpegSound(file, name, contents), stack)
    stack.callback(decoder.close)
    return decoder


def _opened(sound: ffmpeg.FFmpegSound, stack: ExitStack) -> Sound:
    stack.callback(sound.close)
    return sound


def _is_text(file: BinaryIO) -> bool:
    """Say whether a file begins like text, which FFmpeg would take for some exotic format."""
    file.seek(0)
    start = file.read(512)
    file.seek(0)
    return all(byte in b"\t\n\r\f\x1b" or byte >= 32 for byte in start)


def _is_wide_text(file: BinaryIO) -> bool:
    """Say whether a file begins like text in UTF-16, whose mark is that of an MP3 frame too."""
    file.seek(0)
    start = file.read(512)
    if not start.startswith((BOM_UTF16_LE, BOM_UTF16_BE)):
        return False
    text = start[: len(start) // 2 * 2].decode("utf-16", "replace").replace("\ufeff", "")
    return all(character.isprintable() or character.isspace() for character in text)
