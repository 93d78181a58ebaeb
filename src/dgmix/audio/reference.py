"""What a reference microphone picks up too is taken out of other channels.

All are cut into overlapping frames. At each frequency one complex factor H, the same for the whole
recording, says best in the sense of least squares what a channel has of the reference:
H = Σ C·F* / (Σ |F|² + ε) over the frames, with C the channel's and F the reference's spectrum. What
it cannot say, Y = C − H·F, is the result (Widrow et al. 1975, doi 10.1109/PROC.1975.10036, in the
frequency domain). The frames are longer than those of the features, since a room rings longer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Spectra = NDArray[np.complex64]

FRAME_SECONDS = 0.256
FRAMES_AT_ONCE = 32  # what fits in a core's cache
LEAST_PART = 1e-9  # of the reference's mean power, which stands for ε


class Cancellation:
    """Takes what a reference picks up out of `channels` channels, at a sample rate in Hz.

    `add` takes up the whole recording, in parts (sample, channel + 1) of which the last column is
    the reference; then `cancel` gives the channels, in parts too. However long the recording,
    little of it is in memory.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._hop = 1 << max(round(np.log2(FRAME_SECONDS * sample_rate / 2)), 1)
        size = 2 * self._hop
        self._window = np.sin(np.pi * (np.arange(size) + 0.5) / size).astype(np.float32)
        self._cross = np.zeros((channels, self._hop + 1), np.complex128)
        self._power = np.zeros(self._hop + 1)
        self._samples = 0

    def add(self, parts: Iterable[Samples]) -> None:
        """Take up a recording (sample, channel + 1) in parts."""
        for samples in self._pieces(self._counted(parts)):
            *channels, reference = self._spectra(samples.T)
            conjugate = reference.conj()
            for cross, channel in zip(self._cross, channels, strict=True):
                cross += np.einsum("tf,tf->f", channel, conjugate)
            self._power += np.einsum("tf,tf->f", reference, conjugate).real

    @property
    def factors(self) -> Spectra:
        """What each channel has of the reference, complex64 (channel, frequency)."""
        floor = LEAST_PART * self._power.mean() + np.finfo(np.float32).tiny
        return np.asarray(self._cross / (self._power + floor), np.complex64)

    def cancel(self, parts: Iterable[Samples]) -> Iterator[Samples]:
        """Yield channels as they are, and without what the reference picks up too.

        Parts are float32 (sample, 2 · channel), together as long as the recording. The squares of
        overlapping windows sum to 1, so that only H·F has to go back to samples.
        """
        factors = self.factors
        before = np.zeros((len(factors), self._hop), np.float32)
        first = -self._hop
        for samples in self._pieces(parts):
            [reference] = self._spectra(samples[:, -1:].T)
            channels = samples[: -self._hop, :-1]
            block = np.concatenate([channels, channels], axis=1)
            for k, factor in enumerate(factors):
                frames = self._back(factor * reference)
                frames[:, 0] += np.concatenate([before[k : k + 1], frames[:-1, 1]])
                before[k] = frames[-1, 1]
                block[:, len(factors) + k] -= frames[:, 0].ravel()
            block = block[max(-first, 0) : self._samples - first]
            first = max(first, 0) + len(block)
            if len(block):
                yield block

    def _counted(self, parts: Iterable[Samples]) -> Iterator[Samples]:
        for part in parts:
            self._samples += len(part)
            yield part

    def _spectra(self, columns: Samples) -> Spectra:
        """Return the spectra (column, frame, frequency) of whole frames (column, sample)."""
        from scipy.fft import rfft  # type: ignore[import-untyped]

        columns = np.ascontiguousarray(columns)
        frames = sliding_window_view(columns, 2 * self._hop, axis=1)[:, :: self._hop]
        return np.asarray(rfft(frames * self._window, axis=-1, overwrite_x=True))

    def _pieces(self, parts: Iterable[Samples]) -> Iterator[Samples]:
        """Yield a recording in pieces of whole frames, half a frame of silence at either end.

        Neighbouring pieces share half a frame.
        """
        step, hop = FRAMES_AT_ONCE * self._hop, self._hop
        silence = np.zeros((hop, len(self._cross) + 1), np.float32)
        waiting = silence
        for part in parts:
            waiting = np.concatenate([waiting, part])
            while len(waiting) > step + hop:
                yield waiting[: step + hop]
                waiting = waiting[step:]
        missing = -len(waiting) % hop
        yield np.concatenate([waiting, silence[:missing], silence])

    def _back(self, spectra: Spectra) -> Samples:
        """Return windowed frames (frame, half, sample) of spectra (frame, frequency)."""
        from scipy.fft import irfft

        frames = irfft(spectra, 2 * self._hop, axis=-1) * self._window
        return np.asarray(frames, np.float32).reshape(len(frames), 2, self._hop)


def without_reference(columns: Samples, sample_rate: int) -> Samples:
    """Return channels as they are, and without what the last column picks up too.

    `columns` (sample, channel + 1), the result (sample, 2 · channel), both float32.
    """
    cancellation = Cancellation(sample_rate, columns.shape[1] - 1)
    cancellation.add([columns])
    return np.concatenate(list(cancellation.cancel([columns])))
