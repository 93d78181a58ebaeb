"""Mel spectrograms of many clips, to be read whole or in crops."""

from __future__ import annotations

import ctypes
import mmap
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.channels import Channels
from dgmix.audio.features import MelSpectrogram
from dgmix.audio.quality import Quality
from dgmix.config import AudioSettings, FeatureSettings
from dgmix.errors import InputError
from dgmix.files import explained

BLOCK_FRAMES = 1024
LONG_FRAMES = 1 << 14  # 9 minutes at 512 samples of 16 kHz; 4 MB of 128 bands
M_MMAP_THRESHOLD = -3  # of glibc's malloc.h
FLOAT16_MAX = 65504.0
Half = NDArray[np.float16]
Signal = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """What is kept of a recording: `mel`, its linear magnitudes, float16 (frame, mel).

    `note` is that of a `dgmix.audio.io.Recording`; `quality` and `channels` say what the recording
    and its channels are like, and are None where that was not measured.
    """

    mel: Half
    note: str = ""
    quality: Quality | None = None
    channels: Channels | None = None


class MelBank:
    """Mel spectrograms of a list of clips, in memory or mapped from disk.

    Of several signals of a clip, the bands stand side by side: `n_mels` counts those of all.
    `clips` are linear magnitudes, float16 (frame, mel) each; `frames` is int64 (clip,), the number
    of frames of each clip; `notes` (clip,) say what is missing of each, empty where nothing is;
    `qualities` and `channels` (clip,) are their measures, None where there are none. `maps` are the
    files that they are mapped from.
    """

    def __init__(
        self,
        clips: Sequence[Half],
        n_mels: int,
        maps: Sequence[mmap.mmap] = (),
        notes: Sequence[str] | None = None,
        qualities: Sequence[Quality | None] | None = None,
        channels: Sequence[Channels | None] | None = None,
    ) -> None:
        self.n_mels = n_mels
        self.qualities = tuple(qualities) if qualities is not None else (None,) * len(clips)
        self.notes = tuple(notes) if notes is not None else ("",) * len(clips)
        self.channels = tuple(channels) if channels is not None else (None,) * len(clips)
        bases: list[object] = [clip.base for clip in clips]
        self._maps = [*maps, *(base for base in bases if isinstance(base, mmap.mmap))]
        self.frames = np.array([len(clip) for clip in clips], dtype=np.int64)
        self._clips = clips
        self._signals: Callable[[int], Signal] | None = None

    def with_signals(self, signals: Callable[[int], Signal]) -> MelBank:
        """Return this bank, which from now on can give signals (sample,) by their numbers."""
        self._signals = signals
        return self

    def signal(self, index: int) -> Signal:
        """Return the signal (sample,) of a clip at the settings' rate, decoded anew.

        Of several signals of a clip, (sample, signal). Raises `InputError` where only spectrograms
        are at hand.
        """
        if self._signals is None:
            raise InputError("of these recordings only the spectrograms are at hand, no waveforms")
        return self._signals(index)

    @classmethod
    def of(
        cls, features: Sequence[Features], n_mels: int, maps: Sequence[mmap.mmap] = ()
    ) -> MelBank:
        """Return the features of some recordings as a bank; of none, one of `n_mels` bands."""
        columns = [(each.mel, each.note, each.quality, each.channels) for each in features]
        mels, notes, qualities, channels = zip(*columns, strict=True) if columns else ((),) * 4
        bands = mels[0].shape[1] if mels else n_mels
        return cls(mels, bands, maps, notes, qualities, channels)

    def __len__(self) -> int:
        return len(self._clips)

    def signals(
        self, clips: NDArray[np.int64], starts: NDArray[np.int64], length: int
    ) -> NDArray[np.float32]:
        """Return `length` samples from sample `starts` (crop,) on of `clips` (crop,).

        Float32 (crop, sample): the last ones of a clip where it ends before; a clip that is shorter
        than `length` is repeated. Each clip is decoded once.
        """
        out = np.empty((len(clips), length), np.float32)
        for clip in np.unique(clips).tolist():
            signal = self.signal(clip)
            for crop in np.flatnonzero(clips == clip):
                first = max(0, min(int(starts[crop]), len(signal) - length))
                out[crop] = np.take(signal, np.arange(first, first + length), mode="wrap")
        return out

    def select(self, chosen: Iterable[int]) -> MelBank:
        """Return the clips of these numbers, in memory."""
        numbers = list(chosen)
        features = [
            Features(np.array(self._clips[index]), self.notes[index], self.qualities[index])
            for index in numbers
        ]
        bank = MelBank.of(features, self.n_mels)
        return bank.with_signals(lambda index: self.signal(numbers[index]))

    def __getitem__(self, index: int) -> NDArray[np.float32]:
        """Return all linear magnitudes of a clip, float32 (frame, mel)."""
        return np.asarray(self._clips[index], dtype=np.float32)

    def blocks(self, index: int, frames: int = BLOCK_FRAMES) -> Iterator[NDArray[np.float32]]:
        """Yield the linear magnitudes of a clip in parts, float32 (up to `frames`, mel).

        However long the clip, little of it is in memory.
        """
        clip = self._clips[index]
        for first in range(0, len(clip), frames):
            yield np.asarray(clip[first : first + frames], dtype=np.float32)
            if len(clip) > frames:
                self.release()

    def split(self, signals: int) -> list[MelBank]:
        """Return the spectrograms of each of so many signals, on the same memory."""
        if signals == 1:
            return [self]
        return [self._one_signal(number, self.n_mels // signals) for number in range(signals)]

    def _one_signal(self, number: int, bands: int) -> MelBank:
        clips = [clip[:, number * bands : (number + 1) * bands] for clip in self._clips]
        bank = MelBank(clips, bands, self._maps, self.notes)
        return bank.with_signals(lambda index: self.signal(index)[:, number])

    @classmethod
    def joined(cls, banks: Sequence[MelBank]) -> MelBank:
        """Return the clips of some banks one after the other, on the same memory."""
        if len(banks) == 1:
            return banks[0]
        clips = [clip for bank in banks for clip in bank._clips]
        maps = dict.fromkeys(each for bank in banks for each in bank._maps)
        places = [(bank, index) for bank in banks for index in range(len(bank))]
        joined = cls(clips, banks[0].n_mels, list(maps))
        return joined.with_signals(lambda index: places[index][0].signal(places[index][1]))

    def crops(
        self, clips: NDArray[np.int64], starts: NDArray[np.int64], length: int
    ) -> NDArray[np.float32]:
        """Return `length` frames from frame `starts` (crop,) on of `clips` (crop,).

        Float32 (crop, frame, mel), linear magnitudes. Past its end a clip begins again, so that a
        clip shorter than `length` is repeated.
        """
        out = np.empty((len(clips), length, self.n_mels), dtype=np.float16)
        for crop, clip, start in zip(out, clips, starts, strict=True):
            frames = self._clips[clip]
            if start + length <= len(frames):
                crop[:] = frames[start : start + length]
            else:
                crop[:] = frames[np.arange(start, start + length) % len(frames)]
        return out.astype(np.float32)

    def release(self) -> None:
        """Give back the memory that mapped files were read into; what is needed is mapped again."""
        for each in self._maps:
            if hasattr(mmap, "MADV_DONTNEED"):
                each.madvise(mmap.MADV_DONTNEED)


def bank_of_signals(
    signals: Iterable[NDArray[np.float32]], audio: AudioSettings, features: FeatureSettings
) -> MelBank:
    """Return the spectrograms of signals, each (sample,) or (sample, signal), in memory.

    They are at the rate of the settings.
    """
    mel = MelSpectrogram(features, audio.rate)
    clips = [half_mel(signal, mel) for signal in signals]
    return MelBank(clips, clips[0].shape[1] if clips else features.n_mels)


def half_mel(signal: NDArray[np.float32], mel: MelSpectrogram) -> Half:
    """Return the linear mel magnitudes of a signal (sample,), float16 (frame, mel).

    Of signals (sample, signal), float16 (frame, signal * mel), side by side.
    Clipped to float16's largest number; the error is that of `FeatureStore`. Computed in float64,
    so that a value is rounded to the same float16 whatever computes the Fourier transform.
    """
    return half_mel_of([signal], mel)


def half_mel_of(parts: Iterable[NDArray[np.float32]], mel: MelSpectrogram) -> Half:
    """Return what `half_mel` does of a signal that comes in parts.

    However long the signal, little is in memory: what is more than `LONG_FRAMES` is mapped from an
    unnamed temporary file.
    """
    kept: list[Half] = []
    with ExitStack() as stack:
        file, width = None, 0
        for block in mel.blocks((part.T for part in parts), np.float64):
            half = np.minimum(block, FLOAT16_MAX).astype(np.float32).astype(np.float16)
            kept.append(half.reshape(-1, half.shape[-1]).T)
            width = kept[-1].shape[1]
            if file is None and sum(map(len, kept)) > LONG_FRAMES:
                _return_memory_at_once()
                file = stack.enter_context(tempfile.TemporaryFile())
            if file is not None:
                with explained(tempfile.gettempdir()):
                    file.writelines(np.ascontiguousarray(each).data for each in kept)
                kept = []
        if file is None:
            return np.concatenate(kept)
        with explained(tempfile.gettempdir()):
            file.flush()
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return np.ndarray((len(mapped) // (2 * width), width), np.float16, mapped)


@cache
def _return_memory_at_once() -> None:
    """Let glibc give back blocks of 256 kB and more when they are freed, from now on.

    By itself it keeps those of each thread that decodes, 90 MB of a recording of any length.
    """
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 1 << 18)
