"""Recordings on disk to signals in memory; the only place that decodes or writes sound."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dgmix.config import AudioSettings
from dgmix.errors import InputError
from dgmix.files import AUDIO_SUFFIXES, atomic_path, explained

if TYPE_CHECKING:
    from soundfile import SoundFile

Source = str | os.PathLike[str] | BinaryIO
Samples = NDArray[np.float32]

STEPS = {  # of full scale, and the value of silence, of the integers in sound files
    np.dtype(np.uint8): (2.0**7, 2.0**7),
    np.dtype(np.int16): (2.0**15, 0.0),
    np.dtype(np.int32): (2.0**31, 0.0),
}
BLOCK_FRAMES = 1 << 20
UNKNOWN_FRAMES = 1 << 62
UNKNOWN_BYTES = 0x7FFF_F000
SHORT_CHUNK = re.compile(r"^\s*(?!RIFF|FORM)\w[\w ]*: (\d+) \(should be (\d+)\)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Recording:
    """A decoded recording: `samples` float32 (sample,), full scale ±1, and their rate in Hz."""

    samples: Samples
    sample_rate: int


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of itself: samples per channel, their rate in Hz, and channels."""

    frames: int
    sample_rate: int
    channels: int

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return self.frames / self.sample_rate


def is_audio_name(path: str | os.PathLike[str]) -> bool:
    """Say whether the name ends like a sound file that libsndfile reads, and is not hidden."""
    path = Path(path)
    return path.suffix.lower() in AUDIO_SUFFIXES and not path.name.startswith(".")


def read_audio(source: Source) -> Recording:
    """Decode a path or an open binary file, at its own rate; the channels are averaged into one.

    Raises `InputError` when the file is missing, not audio, truncated, empty, or holds samples
    that are not finite. A cut-off Ogg stream cannot be told from a short one: it promises nothing.
    """
    name = _name(source)
    with _opened(source) as sound:
        promised = sound.frames
        blocks = list(_mono_blocks(name, sound))
        sample_rate = sound.samplerate
    samples = np.concatenate(blocks) if len(blocks) > 1 else blocks[0]
    if len(samples) < promised:
        raise _truncated(name, f"{promised} samples, and only {len(samples)} are there")
    if not np.isfinite(samples).all():
        first = int(np.flatnonzero(~np.isfinite(samples))[0])
        raise InputError(
            f"{name}: sample {first} is not a finite number; record or export it again"
        )
    return Recording(samples, sample_rate)


def read_header(source: Source) -> Header:
    """Return what the header of a file says, without decoding it.

    Raises `InputError` when the file is missing, not audio, empty, or visibly truncated.
    """
    with _opened(source) as sound:
        return Header(sound.frames, sound.samplerate, sound.channels)


def load(source: Source, settings: AudioSettings) -> Samples:
    """Decode a file into the signal that `settings` ask for, float32 (sample,).

    Raises `InputError` as `read_audio` does.
    """
    recording = read_audio(source)
    return to_signal(recording.samples, recording.sample_rate, settings, _name(source))


def to_signal(
    samples: ArrayLike, sample_rate: int, settings: AudioSettings, name: str = "the recording"
) -> Samples:
    """Resample `samples` (sample,) to the rate of `settings`, remove the mean if they say so.

    Returns float32 (sample,). Resampling is soxr's HQ (a linear-phase filter, 20 bit). Raises
    `InputError`, naming `name`, when too little is there for one sample at the new rate.
    """
    signal = np.asarray(samples, dtype=np.float32)
    if sample_rate != settings.sample_rate:
        import soxr

        signal = soxr.resample(signal, sample_rate, settings.sample_rate, quality="HQ")
    if not len(signal):
        raise InputError(f"{name}: too short to be a recording; remove it or record it again")
    if settings.remove_mean:
        signal = signal - signal.mean(dtype=np.float64).astype(np.float32)
    return signal


def full_scale(samples: NDArray[Any]) -> NDArray[Any]:
    """Return samples of full scale ±1: uint8, int16 and int32 are divided by theirs, others not."""
    steps, middle = STEPS.get(samples.dtype.newbyteorder("="), (0.0, 0.0))
    return (samples - middle) / steps if steps else samples


def write_wav(path: str | os.PathLike[str], samples: ArrayLike, sample_rate: int) -> None:
    """Write `samples`, full scale ±1, as a 16-bit WAV file, whole or not at all.

    They are (sample,) of one channel or (sample, channel) of several. They are rounded to the
    nearest step and clipped to full scale. The same samples give the same bytes. Raises
    `InputError` when a sample is not finite or the place cannot be written.
    """
    signal = np.asarray(samples)
    if not np.isfinite(signal).all():
        raise InputError(f"{path}: will not write samples that are not finite numbers")
    data = np.clip(np.rint(signal * 32768.0), -32768, 32767).astype("<i2").tobytes()
    channels = signal.shape[1] if signal.ndim == 2 else 1
    step = 2 * channels
    form = struct.pack(
        "<4sIHHIIHH", b"fmt ", 16, 1, channels, sample_rate, step * sample_rate, step, 16
    )
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(data)) + data
    with atomic_path(path) as temporary:
        temporary.write_bytes(struct.pack("<4sI", b"RIFF", len(body)) + body)


def _name(source: Source) -> str:
    if isinstance(source, str | os.PathLike):
        return os.fspath(source)
    return str(getattr(source, "name", "the recording"))


def _opened(source: Source) -> SoundFile:
    import soundfile

    name = _name(source)
    if isinstance(source, str | os.PathLike):
        with explained(Path(name)), Path(name).open("rb") as file:
            empty = not file.read(1)
        if empty:
            raise InputError(f"{name}: the file is empty; remove it or record it again")
    try:
        sound = soundfile.SoundFile(source)
    except soundfile.LibsndfileError as error:
        raise _undecodable(name, error) from error
    try:
        _refuse_unusable(name, sound)
    except InputError:
        sound.close()
        raise
    return sound


def _mono_blocks(name: str, sound: SoundFile) -> Iterator[Samples]:
    import soundfile

    while True:
        try:
            block = sound.read(BLOCK_FRAMES, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise _undecodable(name, error) from error
        with np.errstate(invalid="ignore", over="ignore"):
            yield block[:, 0] if block.shape[1] == 1 else block.mean(axis=1)
        if len(block) < BLOCK_FRAMES:
            return


def _refuse_unusable(name: str, sound: SoundFile) -> None:
    """Raise when the header shows that there is nothing, or less than it promises.

    libsndfile plays what is left of a chunk that was cut short, and notes it in its log. Programs
    that write to a pipe cannot know the length and promise the largest number that fits: that is
    no truncation. A FLAC file from a pipe has no length at all, and libsndfile cannot play it.
    """
    if not sound.frames:
        raise InputError(f"{name}: holds no samples; remove it or record it again")
    if sound.frames >= UNKNOWN_FRAMES:
        raise InputError(f"{name}: does not say how long it is; convert it to WAV")
    for promised, there in SHORT_CHUNK.findall(sound.extra_info):
        if int(there) < int(promised) < UNKNOWN_BYTES:
            raise _truncated(name, f"{promised} bytes of sound, and only {there} are there")


def _truncated(name: str, what: str) -> InputError:
    return InputError(f"{name}: truncated, its header promises {what}; copy or record it again")


def _undecodable(name: str, error: Any) -> InputError:
    reason = error.error_string.rstrip(".")
    return InputError(
        f"{name}: not a sound file, or a damaged one ({reason}); convert it to WAV or FLAC"
    )
