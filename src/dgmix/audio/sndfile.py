"""What libsndfile decodes: WAV with any header, FLAC, Ogg, MP3, AIFF and more."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from dgmix.audio import ffmpeg
from dgmix.audio.chunks import UNKNOWN_SIZE
from dgmix.audio.packets import Contents
from dgmix.audio.rewritten import Rewritten
from dgmix.audio.riff import Wave, shortfall
from dgmix.errors import InputError

if TYPE_CHECKING:
    from soundfile import SoundFile

Block = NDArray[np.float32]

BLOCK_SAMPLES = 1 << 18  # of all channels together
UNKNOWN_FRAMES = 1 << 62
SHORT_CHUNK = re.compile(r"^\s*(?!RIFF|FORM)\w[\w ]*: (\d+) \(should be (\d+)\)", re.MULTILINE)
OFF_SECONDS = 0.15  # encoders pad by less


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
        self._sound = _sndfile(_readable(file, wave), name)
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
            decoded = f"{self._promised:.2f} of {self._contents.seconds:.2f} s are decoded"
            notes.append(f"{decoded}; {ffmpeg.MISSING}")
        elif self._contents and not self._contents.ended:
            notes.append(f"its end is missing: {self._contents.seconds:.2f} s are there")
        elif self._cut and self._contents and not self._damage:
            notes.append(shortfall(self._contents.seconds, self._promised))
        return "; ".join(filter(None, notes))

    @property
    def _short_chunk(self) -> str:
        """What libsndfile notes of a chunk of sound that was cut short."""
        for promised, there in SHORT_CHUNK.findall(self._sound.extra_info):
            if 0 < int(there) < int(promised) < UNKNOWN_SIZE:
                return shortfall(self._promised, self._promised * int(promised) / int(there))
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
        if not ffmpeg.available():
            return
        sound = ffmpeg.FFmpegSound(self._file, self._name)
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
            self._damage = shortfall(decoded / self.sample_rate, promised / self.sample_rate)

    def close(self) -> None:
        """Let go of the file."""
        self._sound.close()


def _before_damage(buffer: Block) -> Block:
    """Return what was decoded into a buffer that was full of NaN."""
    empty = np.flatnonzero(np.isnan(buffer[:, 0]))
    return buffer[: empty[0]] if len(empty) else buffer


def _readable(file: BinaryIO, wave: Wave | None) -> Any:
    """Return what libsndfile reads an open file from.

    Plain samples on disk it reads by itself, a fifth faster than through Python, which must not go
    on with the file then: both have one place in it.
    """
    if wave and not wave.reliable:
        return Rewritten(file, wave)
    if wave and os.name == "posix" and isinstance(file, io.BufferedReader):
        descriptor = os.dup(file.fileno())
        os.lseek(descriptor, 0, os.SEEK_SET)
        return descriptor
    return Nameless(file)


def _sndfile(file: Any, name: str) -> SoundFile:
    import soundfile

    try:
        return soundfile.SoundFile(file)
    except soundfile.LibsndfileError as error:
        raise _undecodable(name, error) from error


def _refuse_unusable(name: str, sound: SoundFile) -> None:
    """Raise when nothing can be decoded, or at no rate that the file tells.

    A FLAC file from a pipe has no length, and libsndfile cannot play it.
    """
    if sound.format in ("MAT4", "MAT5"):
        raise InputError(
            f"{name}: a MATLAB file, which tells no sample rate; export it as WAV, or give its "
            "arrays to Detector with their sample_rate"
        )
    if not sound.frames:
        raise InputError(f"{name}: holds no samples, nothing was recorded; leave it out")
    if sound.frames >= UNKNOWN_FRAMES:
        raise InputError(
            f"{name}: does not say how long it is; {ffmpeg.MISSING}, or convert it to WAV"
        )


def _undecodable(name: str, error: Any) -> InputError:
    reason = error.error_string.rstrip(".")
    more = "" if ffmpeg.available() else f", or {ffmpeg.MISSING}"
    return InputError(
        f"{name}: not a sound file, or a damaged one ({reason}); convert it to WAV or FLAC{more}"
    )


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
