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

from dgmix.audio.channels import SINGLE, Channels, Meter
from dgmix.audio.quality import Quality, QualityMeter, loudest
from dgmix.audio.reference import Cancellation, without_reference
from dgmix.audio.signals import Selection
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
MEASURED_SECONDS = 60.0  # of a recording, where channels are chosen by what they are like
WHOLE_SAMPLES = 1 << 22  # signals up to this length are decoded once, longer ones twice


@dataclass(frozen=True, slots=True)
class Recording:
    """A decoded recording: samples of full scale ±1, and their rate in Hz.

    `samples` are float32 (sample,), or (sample, channel) of several channels.
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


def read_audio(source: Source, channel: int | None = None) -> Recording:
    """Decode a path or an open binary file, at its own rate: one channel, or the mean of all.

    All that is there is decoded, whatever the header says. Channels are numbered from 1. Raises
    `InputError` when the file is missing, not audio, empty, has no such channel, or holds samples
    that are not finite.
    """
    settings = AudioSettings(channels=[channel] if channel else "mean")
    with open_sound(source) as sound:
        selection = Selection(settings, sound.channels, name_of(source))
        samples = _joined(list(_selected_blocks(name_of(source), sound, selection)))
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


@dataclass(frozen=True, slots=True)
class Form:
    """The sample rate of a recording in Hz, its channels, its length as far as it is known.

    `seconds` is 0 where only decoding tells.
    """

    sample_rate: int
    channels: int
    seconds: float


def form_of(source: Source) -> Form:
    """Return the form of a path or an open binary file; nothing is decoded.

    Raises `InputError` when the file is missing, not audio, or empty.
    """
    with open_sound(source) as sound:
        return Form(sound.sample_rate, sound.channels, sound.seconds)


def measured_channels(source: Source, seconds: float = MEASURED_SECONDS) -> Channels | None:
    """Return what the channels of a recording are like in its first seconds.

    Of a single channel nothing is decoded or measured; None where there are no samples. Raises
    `InputError` when the file is missing, not audio, or empty.
    """
    with open_sound(source) as sound:
        if sound.channels == 1:
            return SINGLE
        meter, left = Meter(sound.sample_rate), round(seconds * sound.sample_rate)
        for block in sound.blocks():
            meter.add(block[:left])
            left -= len(block)
            if left <= 0:
                break
        return meter.result()


class SignalReader:
    """Decodes a file into the signal that settings ask for, a block at a time.

    `note` is that of a `Recording`, once all blocks were read; `quality` and `channels` say what
    was decoded is like. However long the file is, little of it is in memory: a long one is decoded
    twice, first for its mean, and where there is a reference once more for what that picks up.
    """

    def __init__(self, source: Source, settings: AudioSettings) -> None:
        self._source = source
        self._settings = settings
        self.note = ""
        self.quality: Quality | None = None
        self.channels: Channels | None = None

    def blocks(self) -> Iterator[Samples]:
        """Yield the signal, float32 (sample,) at the rate of the settings.

        Of several signals, float32 (sample, signal); see `dgmix.audio.signals`. Raises `InputError`
        as `read_audio` does, when it is too short for a single sample, and when it has too few
        channels.
        """
        with open_sound(self._source) as sound:
            rate, name = sound.sample_rate, name_of(self._source)
            selection = Selection(self._settings, sound.channels, name)
            meter = Meter(rate) if sound.channels > 1 else None
            blocks = _selected_blocks(name, sound, selection, meter)
            most = WHOLE_SAMPLES / max(self._settings.rate / rate, 1)
            start = list(_up_to(most, blocks))
            if sum(map(len, start)) <= most:
                start = list(self._measured(start, rate))
                self._end(sound, meter)
                yield _prepared(_joined(start), rate, self._settings, name)
                return
            mean = self._mean(chain(_emptied(start), blocks), rate)
        if self._settings.reference_channel:
            cancellation = Cancellation(self._settings.rate, selection.count - 1)
            cancellation.add(self._centred(selection, mean))
            yield from cancellation.cancel(self._centred(selection, mean))
        else:
            yield from self._centred(selection, mean)

    def _centred(self, selection: Selection, mean: Samples) -> Iterator[Samples]:
        """Decode once more, and yield the columns without their mean."""
        with open_sound(self._source) as sound:
            rate = sound.sample_rate
            meter = Meter(rate) if sound.channels > 1 else None
            blocks = _selected_blocks(name_of(self._source), sound, selection, meter)
            for block in self._resampled(self._measured(blocks, rate), rate):
                yield block - mean
            self._end(sound, meter)

    def _measured(self, blocks: Iterable[Samples], rate: int) -> Iterator[Samples]:
        """Yield blocks at a rate; after the last one `quality` is that of the loudest column."""
        meters: list[QualityMeter] = []
        for block in blocks:
            columns = block.reshape(len(block), -1).T
            meters = meters or [QualityMeter(rate) for _ in columns]
            for meter, column in zip(meters, columns, strict=True):
                meter.add(column)
            yield block
        self.quality = loudest(meter.quality() for meter in meters)

    def _end(self, sound: Sound, meter: Meter | None) -> None:
        self.note = sound.note
        self.channels = meter.result() if meter else SINGLE

    def _mean(self, blocks: Iterator[Samples], rate: int) -> Samples:
        """Return what is to be taken from every sample of each column, float32 () or (column,)."""
        if not self._settings.remove_mean:
            return np.zeros((), np.float32)
        count: int = 0
        total: NDArray[np.float64] | float = 0.0
        for block in self._resampled(blocks, rate):
            count += len(block)
            total = total + block.sum(axis=0, dtype=np.float64)
        return np.asarray(total / count, np.float32)

    def _resampled(self, blocks: Iterator[Samples], rate: int) -> Iterator[Samples]:
        """Yield signals one after the other as the parts of one, at the rate of the settings."""
        if rate == self._settings.rate:
            yield from blocks
            return
        import soxr

        wanted, stream = self._settings.rate, None
        step = max(WHOLE_SAMPLES * rate // (4 * wanted), 1)
        last = np.empty(0, np.float32)
        for block in blocks:
            columns = 1 if block.ndim == 1 else block.shape[1]
            stream = stream or soxr.ResampleStream(rate, wanted, columns, "float32", quality="HQ")
            last = block[:0]
            for first in range(0, len(block), step):
                yield stream.resample_chunk(np.ascontiguousarray(block[first : first + step]))
        if stream:
            yield stream.resample_chunk(np.ascontiguousarray(last), last=True)


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
    """Return the signal that `settings` ask for of samples (sample,) or (sample, channel).

    Float32 (sample,), of several signals (sample, signal), at the rate of the settings. Resampling
    is soxr's HQ (a linear-phase filter, 20 bit). Raises `InputError`, naming `name`, when too
    little is there for one sample at the new rate, and when there are too few channels.
    """
    signal = np.asarray(samples, dtype=np.float32)
    channels = signal if signal.ndim == 2 else signal[:, None]
    selection = Selection(settings, channels.shape[1], name)
    return _prepared(selection.of(channels), sample_rate, settings, name)


def _prepared(columns: Samples, sample_rate: int, settings: AudioSettings, name: str) -> Samples:
    """Return what becomes of columns (sample,) or (sample, column) that were selected."""
    if sample_rate != settings.rate:
        import soxr

        columns = soxr.resample(columns, sample_rate, settings.rate, quality="HQ")
    if not len(columns):
        raise InputError(f"{name}: too short to be a recording; leave it out or record it again")
    if settings.remove_mean:
        columns = columns - columns.mean(axis=0, dtype=np.float64).astype(np.float32)
    if settings.reference_channel:
        return without_reference(columns, settings.rate)
    return columns


def _joined(blocks: list[Samples]) -> Samples:
    return np.concatenate(blocks) if len(blocks) != 1 else blocks[0]


def _selected_blocks(
    name: str, sound: Sound, selection: Selection, meter: Meter | None = None
) -> Iterator[Samples]:
    """Yield selected columns, block by block; raise where one is not finite."""
    before = 0
    for block in sound.blocks():
        if meter:
            meter.add(block)
        with np.errstate(invalid="ignore", over="ignore"):
            columns = selection.of(block)
        finite = np.isfinite(columns)
        if not finite.all():
            whole = finite if finite.ndim == 1 else finite.all(1)
            raise InputError(
                f"{name}: sample {before + int(np.argmin(whole))} is not a finite number; export "
                "it again"
            )
        before += len(block)
        yield columns
    if not before:
        raise _nothing(name)


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
