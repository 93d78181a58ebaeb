"""Files to samples, a block at a time: libsndfile where it can, FFmpeg where it cannot."""

from __future__ import annotations

import io
import os
import re
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.ffmpeg import MISSING, FFmpegSound, available
from dgmix.audio.packets import Contents, count
from dgmix.audio.riff import UNKNOWN_SIZE, Rewritten, Wave, find_wave
from dgmix.errors import InputError
from dgmix.files import DECODER_SUFFIXES, explained

if TYPE_CHECKING:
    from soundfile import SoundFile

Source = str | os.PathLike[str] | BinaryIO
Block = NDArray[np.float32]

BLOCK_SAMPLES = 1 << 20  # of all channels together
UNKNOWN_FRAMES = 1 << 62
MEMORY_BYTES = 1 << 26  # of a pipe; what is longer lies in a temporary file
SHORT_CHUNK = re.compile(r"^\s*(?!RIFF|FORM)\w[\w ]*: (\d+) \(should be (\d+)\)", re.MULTILINE)
OFF_SECONDS = 0.15  # encoders pad by less


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
        yield _decoder(file, name, stack)


def name_of(source: Source) -> str:
    """Return the name of a source for sentences."""
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    return str(getattr(source, "name", "the recording"))


@contextmanager
def _open(path: Path, name: str) -> Iterator[BinaryIO]:
    with explained(name):
        mode = path.stat().st_mode
        if stat.S_ISSOCK(mode):
            raise InputError(f"{name}: a socket, not a recording; leave it out")
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


class Nameless(io.BufferedIOBase):
    """A file without its name, whose ending would decide how libsndfile's wrapper reads it."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be read from any place on."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill a buffer and return how many bytes that were."""
        count: int = self._file.readinto(buffer)
        return count

    def read(self, size: int | None = -1) -> bytes:
        """Return so many of the next bytes, or all."""
        data: bytes = self._file.read(-1 if size is None else size)
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go to a place, and return it."""
        if whence == os.SEEK_CUR:
            offset += self.tell()
        if whence == os.SEEK_END:
            self._file.seek(0, os.SEEK_END)
            offset += self.tell()
        self._file.seek(max(offset, 0))  # damaged headers lead to before the start
        return self.tell()

    def tell(self) -> int:
        """Return the place that is read next."""
        place: int = self._file.tell()
        return place


def _decoder(file: BinaryIO, name: str, stack: ExitStack) -> Sound:
    """Return what decodes an open file; it is closed by `stack`."""
    if Path(name).suffix.lower() in DECODER_SUFFIXES:
        return _opened(FFmpegSound(file, name), stack)
    wave, contents = find_wave(file), count(file)
    if wave and not wave.sample_rate:
        raise InputError(f"{name}: its header names no sample rate; export it again with its rate")
    file.seek(0)
    try:
        decoder = SndfileSound(file, name, wave, contents)
    except InputError as error:
        if wave is not None or _is_text(file) or not available():
            raise
        try:
            return _opened(FFmpegSound(file, name, contents), stack)
        except InputError:
            raise error from None
    if not decoder.complete and available():
        decoder.close()
        return _opened(FFmpegSound(file, name, contents), stack)
    stack.callback(decoder.close)
    return decoder


def _opened(sound: FFmpegSound, stack: ExitStack) -> Sound:
    stack.callback(sound.close)
    return sound


def _is_text(file: BinaryIO) -> bool:
    """Say whether a file begins like text, which FFmpeg would take for some exotic format."""
    file.seek(0)
    start = file.read(512)
    file.seek(0)
    return all(byte in b"\t\n\r\f\x1b" or byte >= 32 for byte in start)


class SndfileSound:
    """An open file as libsndfile decodes it, with a header that fits where `wave` has one.

    `complete` is False where libsndfile is known to decode less than the `contents` that were
    counted. Raises `InputError` when nothing can be decoded.
    """

    def __init__(
        self, file: BinaryIO, name: str, wave: Wave | None, contents: Contents | None
    ) -> None:
        self._file, self._name, self._wave, self._contents = file, name, wave, contents
        self._damage = ""
        rewritten = wave is not None and not wave.reliable
        readable: Any = Rewritten(file, wave) if wave and rewritten else Nameless(file)
        self._sound = _sndfile(readable, name)
        self.sample_rate: int = self._sound.samplerate
        self.channels: int = self._sound.channels
        try:
            _refuse_unusable(name, self._sound)
        except InputError:
            self.close()
            raise

    @property
    def seconds(self) -> float:
        """How long it is: by the header, or by the count of an MP3 or Ogg file's contents."""
        if self._contents and (not self.complete or self._cut):
            return self._contents.seconds
        return self._promised

    @property
    def _cut(self) -> bool:
        return bool(self._contents and self._contents.seconds + OFF_SECONDS < self._promised)

    @property
    def _promised(self) -> float:
        return float(self._sound.frames / self.sample_rate)

    @property
    def complete(self) -> bool:
        """Say whether libsndfile decodes all that is there."""
        contents = self._contents
        return contents is None or contents.seconds - self._promised < OFF_SECONDS

    @property
    def note(self) -> str:
        """What is missing or differs from the file's own header."""
        notes = [self._damage, self._wave.note if self._wave else self._short_chunk]
        if self._contents and not self.complete:
            notes.append(
                f"{self._promised:.2f} of {self._contents.seconds:.2f} s are decoded; {MISSING}"
            )
        elif self._contents and not self._contents.ended:
            notes.append(f"its end is missing: {self._contents.seconds:.2f} s are there")
        elif self._cut and self._contents and not self._damage:
            notes.append(_short(self._contents.seconds, self._promised))
        return "; ".join(filter(None, notes))

    @property
    def _short_chunk(self) -> str:
        """What libsndfile notes of a chunk of sound that was cut short."""
        for promised, there in SHORT_CHUNK.findall(self._sound.extra_info):
            if 0 < int(there) < int(promised) < UNKNOWN_SIZE:
                return _short(self._promised, self._promised * int(promised) / int(there))
        return ""

    def blocks(self) -> Iterator[Block]:
        """Yield all samples that can be decoded, float32 (frame, channel)."""
        import soundfile

        longest = max(BLOCK_SAMPLES // self.channels, 1)
        decoded, damage = 0, None
        while damage is None:
            frames = min(longest, self._sound.frames - decoded)
            buffer = np.full((frames, self.channels), np.nan, np.float32)
            try:
                block = self._sound.read(out=buffer)
            except soundfile.LibsndfileError as error:
                block, damage = _before_damage(buffer), error
            decoded += len(block)
            if len(block):
                yield block
            if len(block) < longest:
                break
        if damage is not None:
            for block in self._after_damage(decoded):
                decoded += len(block)
                yield block
        if damage is not None and not decoded:
            raise _undecodable(self._name, damage)
        self._finish(decoded)

    def _after_damage(self, decoded: int) -> Iterator[Block]:
        """Yield what FFmpeg, where it is installed, decodes after these frames."""
        if not available():
            return
        sound = FFmpegSound(self._file, self._name)
        try:
            for block in sound.blocks():
                if len(block) > decoded:
                    yield block[decoded:]
                decoded = max(decoded - len(block), 0)
        except InputError:
            return
        finally:
            sound.close()

    def _finish(self, decoded: int) -> None:
        promised = self._sound.frames
        if decoded < promised:
            if not decoded:
                raise InputError(f"{self._name}: damaged, nothing in it can be decoded")
            self._damage = _short(decoded / self.sample_rate, promised / self.sample_rate)

    def close(self) -> None:
        """Let go of the file."""
        self._sound.close()


def _before_damage(buffer: Block) -> Block:
    """Return what was decoded into a buffer that was full of NaN."""
    empty = np.flatnonzero(np.isnan(buffer[:, 0]))
    return buffer[: empty[0]] if len(empty) else buffer


def _short(there: float, promised: float) -> str:
    return f"incomplete: {there:.2f} of {promised:.2f} s are there"


def _sndfile(file: Any, name: str) -> SoundFile:
    import soundfile

    try:
        return soundfile.SoundFile(file)
    except soundfile.LibsndfileError as error:
        raise _undecodable(name, error) from error


def _refuse_unusable(name: str, sound: SoundFile) -> None:
    """Raise when nothing can be decoded.

    A FLAC file from a pipe has no length, and libsndfile cannot play it.
    """
    if not sound.frames:
        raise InputError(f"{name}: holds no samples, nothing was recorded; leave it out")
    if sound.frames >= UNKNOWN_FRAMES:
        raise InputError(f"{name}: does not say how long it is; {MISSING}, or convert it to WAV")


def _undecodable(name: str, error: Any) -> InputError:
    reason = error.error_string.rstrip(".")
    more = "" if available() else f", or {MISSING}"
    return InputError(
        f"{name}: not a sound file, or a damaged one ({reason}); convert it to WAV or FLAC{more}"
    )
