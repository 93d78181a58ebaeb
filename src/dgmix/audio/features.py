"""Signals to mel spectrograms (DESIGN §1.1), in PyTorch alone."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dgmix.audio.mel_scale import SCALES, mel_edges
from dgmix.config import FeatureSettings
from dgmix.errors import InputError

FLOOR = 1e-5
BLOCK_FRAMES = 1024
BANDS_AT_ONCE = 16


class MelSpectrogram(torch.nn.Module):
    """Signal (..., sample) to linear mel magnitudes (..., mel, frame), in the signal's dtype.

    The STFT is centred with reflect padding and, by itself, has a periodic Hann window; its
    magnitude (power 1) goes through the mel filterbank. Frame t is centred on sample
    t · hop_length, so `samples` give 1 + samples // hop_length frames. A signal too short to be
    reflected (up to half a frame) is first repeated to half a frame and a sample.

    Raises `InputError` when the bands do not fit below half of `sample_rate` (Hz), or the frame
    into the Fourier transform.
    """

    window: Tensor
    filters: Tensor

    def __init__(self, features: FeatureSettings, sample_rate: int) -> None:
        super().__init__()
        self.features = features
        self.hop_length = features.hop_length
        self.frame_length = features.win_length or features.n_fft
        window = frame_window(features, self.frame_length)
        filters = torch.from_numpy(mel_filters(features, sample_rate))
        self.parts = _parts(filters)
        self.register_buffer("window", window.float(), persistent=False)
        self.register_buffer("filters", filters.float(), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the mel spectrogram of `waveform` (..., sample), (..., mel, frame)."""
        return self.spectrogram(self.pad(waveform))

    def pad(self, waveform: Tensor) -> Tensor:
        """Return `waveform` (..., sample) with half a frame of reflected samples at each end."""
        half = self.frame_length // 2
        missing = half + 1 - waveform.shape[-1]
        if missing > 0:
            times = math.ceil((half + 1) / waveform.shape[-1])
            waveform = waveform.repeat(*[1] * (waveform.ndim - 1), times)[..., : half + 1]
        flat = waveform.reshape(1, -1, waveform.shape[-1])
        padded = torch.nn.functional.pad(flat, (half, half), mode="reflect")
        return padded.reshape(*waveform.shape[:-1], -1)

    def blocks(self, parts: Iterable[Tensor]) -> Iterator[Tensor]:
        """Yield the mel spectrogram of a signal in blocks (mel, up to BLOCK_FRAMES).

        The signal comes in parts (sample,) too, so that one of any length takes bounded memory; the
        blocks together are `forward`'s frames, whatever the parts.
        """
        half = self.frame_length // 2
        step = BLOCK_FRAMES * self.hop_length
        block = step - self.hop_length + self.frame_length
        waiting, started = torch.empty(0), False
        for part in parts:
            waiting = torch.cat([waiting.to(part), part]) if len(waiting) else part
            while len(waiting) > max(block, step) + 2 * half:
                if not started:
                    waiting, started = torch.cat([waiting[1 : half + 1].flip(0), waiting]), True
                yield self.spectrogram(waiting[:block])
                waiting = waiting[step:]
        if started:
            padded = torch.cat([waiting, waiting[-half - 1 : -1].flip(0)])
        else:
            padded = self.pad(waiting)
        frames = 1 + (len(padded) - self.frame_length) // self.hop_length
        for first in range(0, frames, BLOCK_FRAMES):
            last = min(first + BLOCK_FRAMES, frames) - 1
            part = padded[first * self.hop_length : last * self.hop_length + self.frame_length]
            yield self.spectrogram(part)

    def spectrogram(self, padded: Tensor) -> Tensor:
        """Return mel magnitudes (..., mel, frame) of the whole frames in `padded` (..., sample)."""
        frames = self._frames(padded) * self.window.to(padded.dtype)
        spectrum = torch.fft.rfft(frames, self.features.n_fft)
        heard = torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag)
        if self.features.power == 1:
            heard = heard.sqrt()
        filters = self.filters.to(padded.dtype)
        mels = [heard[..., bins] @ filters[bands, bins].T for bands, bins in self.parts]
        mel = torch.cat(mels, -1).transpose(-1, -2)
        return mel.sqrt() if self.features.power == 2 else mel

    def _frames(self, padded: Tensor) -> Tensor:
        """Return the whole frames in `padded` (..., sample), (..., frame, sample)."""
        frames = padded.unfold(-1, self.frame_length, self.hop_length)
        if self.features.remove_frame_mean:
            frames = frames - frames.mean(-1, keepdim=True)
        if self.features.preemphasis:
            before = torch.cat([frames[..., :1], frames[..., :-1]], -1)
            frames = frames - self.features.preemphasis * before
        return frames


def frame_window(features: FeatureSettings, samples: int) -> Tensor:
    """Return the window of a frame, float64 (sample,).

    Povey's is a symmetric Hann window to the power of 0.85 (Kaldi, feature-window.cc). Raises
    `InputError` when the frame is longer than the Fourier transform.
    """
    if samples > features.n_fft:
        raise InputError(
            f"setting 'features.win_length': {samples} samples are more than 'features.n_fft' "
            f"({features.n_fft}); lower it"
        )
    periodic = features.window == "hann"
    window = torch.hann_window(samples, periodic=periodic, dtype=torch.float64)
    if features.window == "povey":
        window = window**0.85
    return window / window.square().sum().sqrt() if features.window_norm else window


def _parts(filters: Tensor) -> list[tuple[slice, slice]]:
    """Return neighbouring bands and the bins that they hear: all that is not zero in `filters`."""
    parts = []
    for first in range(0, len(filters), BANDS_AT_ONCE):
        bands = slice(first, first + BANDS_AT_ONCE)
        heard = filters[bands].any(0).nonzero().flatten().tolist() or [0]
        parts.append((bands, slice(heard[0], heard[-1] + 1)))
    return parts


def decibels(mel: Tensor) -> Tensor:
    """Return linear magnitudes in dB re 1, floored at -100: 20 · log10(max(mel, 1e-5))."""
    return 20 * torch.log10(mel.clamp(min=FLOOR))


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
