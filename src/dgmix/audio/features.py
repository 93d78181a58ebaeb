"""Signals to mel spectrograms (DESIGN §1.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from dgmix.audio.mel_scale import SCALES, mel_edges
from dgmix.config import FeatureSettings
from dgmix.errors import InputError

FLOOR = 1e-5
BLOCK_FRAMES, BLOCK_SAMPLES = 32, 1 << 17  # small parts stay in a core's cache
BANDS_AT_ONCE = 16
Floats = NDArray[np.floating]


class MelSpectrogram:
    """Signal (..., sample) to linear mel magnitudes (..., mel, frame), in the signal's dtype.

    The STFT is centred with reflect padding and, by itself, has a periodic Hann window; its
    magnitude (power 1) goes through the mel filterbank. Frame t is centred on sample
    t · hop_length, so `samples` give 1 + samples // hop_length frames. A signal too short to be
    reflected (up to half a frame) is first repeated to half a frame and a sample.

    `window` float32 (sample,) and `filters` float32 (mel, bin) are what frames and magnitudes are
    multiplied by, and `parts` the bands and bins where there is something to multiply. Raises
    `InputError` when the bands do not fit below half of `sample_rate` (Hz), or the frame into the
    Fourier transform.
    """

    def __init__(self, features: FeatureSettings, sample_rate: int) -> None:
        self.features = features
        self.hop_length = features.hop_length
        self.frame_length = features.win_length or features.n_fft
        self.window = frame_window(features, self.frame_length).astype(np.float32)
        self.filters = mel_filters(features, sample_rate).astype(np.float32)
        self.parts = _parts(self.filters)
        self._weights = {
            np.dtype(kind): (
                self.window.astype(kind),
                [self.filters[bands, part].T.astype(kind, order="C") for bands, part in self.parts],
            )
            for kind in (np.float32, np.float64)
        }

    def __call__(self, waveform: Floats) -> Floats:
        """Return the mel spectrogram of `waveform` (..., sample), (..., mel, frame)."""
        return self.spectrogram(self.pad(waveform))

    @property
    def block_frames(self) -> int:
        """How many frames are computed at once: fewer where they are long, to bound the memory."""
        return max(min(BLOCK_FRAMES, BLOCK_SAMPLES // self.hop_length), 1)

    def pad(self, waveform: Floats) -> Floats:
        """Return `waveform` (..., sample) with half a frame of reflected samples at each end."""
        half = self.frame_length // 2
        samples = waveform.shape[-1]
        if samples <= half:
            waveform = waveform[..., np.arange(half + 1) % samples]
        return np.pad(waveform, [(0, 0)] * (waveform.ndim - 1) + [(half, half)], "reflect")

    def blocks(
        self, parts: Iterable[Floats], dtype: type[np.floating] | None = None
    ) -> Iterator[Floats]:
        """Yield the mel spectrogram of a signal in blocks (..., mel, up to `block_frames`).

        The signal comes in parts (..., sample), so that one of any length takes bounded memory; the
        blocks together are the frames of the whole, whatever the parts. They are computed in
        `dtype`, in the signal's by default.
        """
        half = self.frame_length // 2
        step = self.block_frames * self.hop_length
        block = step - self.hop_length + self.frame_length
        waiting, started = np.empty(0, np.float32), False
        for part in parts:
            waiting = np.concatenate([waiting, part], -1) if waiting.size else part
            while waiting.shape[-1] > max(block, step) + 2 * half:
                if not started:
                    start = waiting[..., half:0:-1]
                    waiting, started = np.concatenate([start, waiting], -1), True
                yield self.spectrogram(waiting[..., :block], dtype)
                waiting = waiting[..., step:]
        if started:
            padded = np.concatenate([waiting, waiting[..., -half - 1 : -1][..., ::-1]], -1)
        else:
            padded = self.pad(waiting)
        frames = 1 + (padded.shape[-1] - self.frame_length) // self.hop_length
        for first in range(0, frames, self.block_frames):
            last = min(first + self.block_frames, frames) - 1
            end = last * self.hop_length + self.frame_length
            yield self.spectrogram(padded[..., first * self.hop_length : end], dtype)

    def spectrogram(self, padded: Floats, dtype: type[np.floating] | None = None) -> Floats:
        """Return mel magnitudes (..., mel, frame) of the whole frames in `padded` (..., sample).

        They are computed in `dtype`, in that of `padded` by default.
        """
        kind = np.dtype(dtype or padded.dtype)
        window, filters = self._weights[kind]
        frames = self._frames(padded, kind)
        np.multiply(frames, window, out=frames)
        bins = np.abs(np.fft.rfft(frames, self.features.n_fft)).astype(kind, copy=False)
        if self.features.power == 2:
            bins *= bins
        mels = [bins[..., part] @ each for (_, part), each in zip(self.parts, filters, strict=True)]
        mel = np.concatenate(mels, -1).swapaxes(-1, -2)
        return np.sqrt(mel) if self.features.power == 2 else mel

    def _frames(self, padded: Floats, kind: np.dtype[np.floating]) -> Floats:
        """Return a copy of the whole frames in `padded` (..., sample), (..., frame, sample)."""
        frames = sliding_window_view(padded, self.frame_length, -1)[..., :: self.hop_length, :]
        frames = frames.astype(kind)
        if self.features.remove_frame_mean:
            frames -= frames.mean(-1, keepdims=True)
        if self.features.preemphasis:
            before = np.concatenate([frames[..., :1], frames[..., :-1]], -1)
            frames = frames - self.features.preemphasis * before
        return frames


def frame_window(features: FeatureSettings, samples: int) -> NDArray[np.float64]:
    """Return the window of a frame, float64 (sample,).

    Povey's is a symmetric Hann window to the power of 0.85 (Kaldi, feature-window.cc). Raises
    `InputError` when the frame is longer than the Fourier transform.
    """
    if samples > features.n_fft:
        raise InputError(
            f"setting 'features.win_length': {samples} samples are more than 'features.n_fft' "
            f"({features.n_fft}); lower it"
        )
    periodic = features.window == "hann" and samples > 1
    window = np.hanning(samples + 1)[:-1] if periodic else np.hanning(samples)
    if features.window == "povey":
        window = window**0.85
    return window / np.sqrt(np.square(window).sum()) if features.window_norm else window


def _parts(filters: NDArray[np.float32]) -> list[tuple[slice, slice]]:
    """Return neighbouring bands and the bins that they weigh: all that is not zero in `filters`."""
    parts = []
    for first in range(0, len(filters), BANDS_AT_ONCE):
        bands = slice(first, first + BANDS_AT_ONCE)
        bins = np.flatnonzero(filters[bands].any(0)).tolist() or [0]
        parts.append((bands, slice(bins[0], bins[-1] + 1)))
    return parts


def mel_filters(features: FeatureSettings, sample_rate: int) -> NDArray[np.float64]:
    """Return the triangular mel filterbank, float64 (mel, n_fft // 2 + 1).

    The edges are spaced evenly on the mel scale from f_min to f_max, and each triangle rises from
    one edge to 1 at the next and falls to 0 at the one after, straight in Hz or in mel. The norm
    "slaney" gives each triangle area 1 in Hz, "sum" makes its weights sum to 1. Where bands are
    narrower than the spacing of the bins, a low band may hold no bin, and is then all zero.

    Raises `InputError` when f_max lies above sample_rate / 2 or f_min not below f_max.
    """
    if features.highest > sample_rate / 2:
        raise InputError(
            f"setting 'features.f_max': {features.highest:g} Hz is above half of the sample rate "
            f"({sample_rate / 2:g} Hz); lower it or raise 'audio.sample_rate'"
        )
    if features.f_min >= features.highest:
        raise InputError(
            f"setting 'features.f_min': {features.f_min:g} Hz is not below 'features.f_max' "
            f"({features.highest:g} Hz); lower it"
        )
    edges = mel_edges(features)
    bins = np.linspace(0, sample_rate / 2, features.n_fft // 2 + 1)
    if features.mel_triangles == "mel":
        to_mel, _ = SCALES[features.mel_scale]
        triangles = _triangles(to_mel(edges), to_mel(bins))
    else:
        triangles = _triangles(edges, bins)
    if features.mel_norm == "slaney":
        return triangles * (2 / (edges[2:] - edges[:-2]))[:, None]
    if features.mel_norm == "sum":
        triangles /= np.maximum(triangles.sum(1, keepdims=True), np.finfo(float).tiny)
    return triangles


def _triangles(edges: NDArray[np.float64], bins: NDArray[np.float64]) -> NDArray[np.float64]:
    low, centre, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    triangles = np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre))
    return np.asarray(np.maximum(triangles, 0))
