"""Recordings on disk to signals in memory, and signals to WAV files."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dgmix.audio.quality import Quality, QualityMeter
from dgmix.audio.stream import Sound, Source, name_of, open_sound
from dgmix.config import AudioSettings
from dgmix.errors import InputError
from dgmix.files import AUDIO_SUFFIXES, DECODER_SUFFIXES, atomic_path

Samples = NDArray[np.float32]

STEPS = {  # of full scale, and the value of silence, of the integers in sound files and recorders
    np.dtype(np.uint8): (2.0**7, 2.0**7),
    np.dtype(np.uint16): (2.0**15, 2.0**15),
    np.dtype(np.int8): (2.0**7, 0.0),
    np.dtype(np.int16): (2.0**15, 0.0),
    np.dtype(np.int32): (2.0**31, 0.0),
}
WHOLE_SAMPLES = 1 << 22  # signals up to this length are decoded once, longer ones twice


@dataclass(frozen=True, slots=True)
class Recording:
    """A decoded recording: `samples` float32 (sample,), full scale ±1, and their rate in Hz.

    `note` says in numbers what is missing of it, or what its header says wrongly; else empty.
    """

    samples: Samples
    sample_rate: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Header:
    """What is known of a file without decoding it: samples per channel, rate in Hz, channels.

    `note` as that of a `Recording`, as far as it shows before decoding.
    """

    frames: int
    sample_rate: int
    channels: int
    note: str = ""

    @property
    def seconds(self) -> float:
        """Duration in seconds."""
        return self.frames / self.sample_rate


def is_audio_name(path: str | os.PathLike[str]) -> bool:
    """Say whether the name ends like a sound file that can be decoded, and is not hidden."""
    path = Path(path)
    known = path.suffix.lower() in (*AUDIO_SUFFIXES, *DECODER_SUFFIXES)
    return known and not path.name.startswith(".")


def read_audio(source: Source) -> Recording:
    """Decode a path or an open binary file, at its own rate; the channels are averaged into one.

    All that is there is decoded, whatever the header says. Raises `InputError` when the file is
    missing, not audio, empty, or holds samples that are not finite.
    """
    with open_sound(source) as sound:
        samples = _joined(list(_mono_blocks(source, sound)))
        return Recording(samples, sound.sample_rate, sound.note)


def read_header(source: Source) -> Header:
    """Return what can be known of a file without decoding it, but where only that tells its length.

    Raises `InputError` when the file is missing, not audio, or empty.
    """
    with open_sound(source) as sound:
        frames = round(sound.seconds * sound.sample_rate) or sum(map(len, sound.blocks()))
        if not frames:
            raise _nothing(name_of(source))
        return Header(frames, sound.sample_rate, sound.channels, sound.note)


def sample_rate_of(source: Source) -> int:
    """Return the sample rate of a path or an open binary file, in Hz; nothing is decoded.

    Raises `InputError` when the file is missing, not audio, or empty.
    """
    with open_sound(source) as sound:
        return sound.sample_rate


class SignalReader:
    """Decodes a file into the signal that settings ask for, a block at a time.

    `note` is that of a `Recording`, once all blocks were read, and `quality` that of what was
    decoded. However long the file is, little of it is in memory: a long one is decoded twice, first
    for its mean.
    """

    def __init__(self, source: Source, settings: AudioSettings) -> None:
        self._source = source
        self._settings = settings
        self.note = ""
        self.quality: Quality | None = None

    def blocks(self) -> Iterator[Samples]:
        """Yield the signal, float32 (sample,) at the rate of the settings.

        Raises `InputError` as `read_audio` does, and when it is too short for a single sample.
        """
        with open_sound(self._source) as sound:
            rate, blocks = sound.sample_rate, _mono_blocks(self._source, sound)
            most = WHOLE_SAMPLES / max(self._settings.rate / rate, 1)
            start = list(_up_to(most, blocks))
            if sum(map(len, start)) <= most:
                start, self.note = list(self._measured(start, rate)), sound.note
                yield to_signal(_joined(start), rate, self._settings, name_of(self._source))
                return
            mean = self._mean(chain(_emptied(start), blocks), rate)
        with open_sound(self._source) as sound:
            blocks = self._measured(_mono_blocks(self._source, sound), rate)
            for block in self._resampled(blocks, rate):
                yield block - mean
            self.note = sound.note

    def _measured(self, blocks: Iterable[Samples], rate: int) -> Iterator[Samples]:
        """Yield blocks at a rate; after the last one `quality` is theirs."""
        meter = QualityMeter(rate)
        for block in blocks:
            meter.add(block)
            yield block
        self.quality = meter.quality()

    def _mean(self, blocks: Iterator[Samples], rate: int) -> np.float32:
        """Return what is to be taken from every sample of the signal."""
        if not self._settings.remove_mean:
            return np.float32(0)
        count, total = 0, 0.0
        for block in self._resampled(blocks, rate):
            count += len(block)
            total += float(block.sum(dtype=np.float64))
        return np.float32(total / count)

    def _resampled(self, blocks: Iterator[Samples], rate: int) -> Iterator[Samples]:
        """Yield signals one after the other as the parts of one, at the rate of the settings."""
        if rate == self._settings.rate:
            yield from blocks
            return
        import soxr

        stream = soxr.ResampleStream(rate, self._settings.rate, 1, "float32", quality="HQ")
        step = max(WHOLE_SAMPLES * rate // (4 * self._settings.rate), 1)
        for block in blocks:
            for first in range(0, len(block), step):
                yield stream.resample_chunk(block[first : first + step])
        yield stream.resample_chunk(np.empty(0, np.float32), last=True)


def _emptied(blocks: list[Samples]) -> Iterator[Samples]:
    """Yield the blocks of a list, and let go of each."""
    blocks.reverse()
    while blocks:
        yield blocks.pop()


def _up_to(count: float, blocks: Iterator[Samples]) -> Iterator[Samples]:
    """Yield blocks until they have more than so many samples together."""
    for block in blocks:
        yield block
        count -= len(block)
        if count < 0:
            return


def load(source: Source, settings: AudioSettings) -> Samples:
    """Decode a file into the signal that `settings` ask for, float32 (sample,).

    Raises `InputError` as `read_audio` does, and when it is too short for a single sample.
    """
    return _joined(list(SignalReader(source, settings).blocks()))


def to_signal(
    samples: ArrayLike, sample_rate: int, settings: AudioSettings, name: str = "the recording"
) -> Samples:
    """Resample `samples` (sample,) to the rate of `settings`, remove the mean if they say so.

    Returns float32 (sample,). Resampling is soxr's HQ (a linear-phase filter, 20 bit). Raises
    `InputError`, naming `name`, when too little is there for one sample at the new rate.
    """
    signal = np.asarray(samples, dtype=np.float32)
    if sample_rate != settings.rate:
        import soxr

        signal = soxr.resample(signal, sample_rate, settings.rate, quality="HQ")
    if not len(signal):
        raise InputError(f"{name}: too short to be a recording; leave it out or record it again")
    if settings.remove_mean:
        signal = signal - signal.mean(dtype=np.float64).astype(np.float32)
    return signal


def _joined(blocks: list[Samples]) -> Samples:
    return np.concatenate(blocks) if len(blocks) != 1 else blocks[0]


def _mono_blocks(source: Source, sound: Sound) -> Iterator[Samples]:
    """Yield the mean of all channels, block by block; raise where it is not finite."""
    before = 0
    for block in sound.blocks():
        with np.errstate(invalid="ignore", over="ignore"):
            mono: Samples = block[:, 0] if block.shape[1] == 1 else block.mean(axis=1)
        if not np.isfinite(mono).all():
            first = before + int(np.flatnonzero(~np.isfinite(mono))[0])
            raise InputError(
                f"{name_of(source)}: sample {first} is not a finite number; export it again"
            )
        before += len(block)
        yield mono
    if not before:
        raise _nothing(name_of(source))


def _nothing(name: str) -> InputError:
    return InputError(f"{name}: holds no samples, nothing was recorded; leave it out")


def full_scale(samples: NDArray[Any]) -> NDArray[Any]:
    """Return samples of full scale ±1: integers of up to 32 bits are divided by theirs."""
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
