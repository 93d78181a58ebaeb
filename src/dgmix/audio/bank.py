"""Mel spectrograms of many clips, to be read whole or in crops."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from dgmix.config import AudioSettings, FeatureSettings

if TYPE_CHECKING:
    from dgmix.audio.features import MelSpectrogram

FLOAT16_MAX = 65504.0
Half = NDArray[np.float16]


class MelBank:
    """Mel spectrograms of a list of clips, in memory or mapped from disk.

    `clips` are linear magnitudes, float16 (frame, mel) each; `frames` is int64 (clip,), the number
    of frames of each clip. `maps` are the files that they are mapped from.
    """

    def __init__(self, clips: Sequence[Half], n_mels: int, maps: Sequence[mmap.mmap] = ()) -> None:
        self.n_mels = n_mels
        self._maps = maps
        self.frames = np.array([len(clip) for clip in clips], dtype=np.int64)
        self._clips = clips

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, index: int) -> NDArray[np.float32]:
        """Return all linear magnitudes of a clip, float32 (frame, mel)."""
        return np.asarray(self._clips[index], dtype=np.float32)

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
    """Return the spectrograms of signals (sample,) at the settings' rate, in memory."""
    from dgmix.audio.features import MelSpectrogram

    mel = MelSpectrogram(features, audio.sample_rate)
    return MelBank([half_mel(signal, mel) for signal in signals], features.n_mels)


def half_mel(signal: NDArray[np.float32], mel: MelSpectrogram) -> Half:
    """Return the linear mel magnitudes of a signal (sample,), float16 (frame, mel).

    Clipped to float16's largest number; the error is that of `FeatureStore`. Computed in float64,
    so that a value is rounded to the same float16 whatever computes the Fourier transform.
    """
    import torch

    with torch.inference_mode():
        blocks = mel.blocks(torch.from_numpy(signal).double())
        parts = [block.clamp(max=FLOAT16_MAX).half().T for block in blocks]
        return torch.cat(parts).numpy()
