"""Where mel bands lie: the scales, the edges of bands, and how both follow the sample rate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dgmix.config import MOST_BANDS, FeatureSettings

REFERENCE_RATE = 16_000  # Hz; features that follow the sample rate are written down for this one
FAST_PRIMES = (2, 3, 5, 7)  # a Fourier transform of no other factors is fast


def features_at(features: FeatureSettings, sample_rate: int) -> FeatureSettings:
    """Return settings with numbers in place of `auto`, for signals of a sample rate in Hz.

    Where `f_max` is `auto`, the settings are those at 16 kHz: at another rate a frame lasts as long
    (to 1.5 %, so that its Fourier transform is fast), and the bands up to 8 kHz are the same. Above
    them others follow at the same distance on the mel scale up to half of the rate, 512 at most;
    below 16 kHz there are only those that end below it.
    """
    if features.f_max != "auto":
        return features
    scale = sample_rate / REFERENCE_RATE
    n_fft = _fast_length(features.n_fft * scale)
    window = min(2 * round(features.win_length * scale / 2), n_fft)
    to_mel, to_hz = SCALES[features.mel_scale]
    low, reference, high = to_mel(np.array([features.f_min, REFERENCE_RATE / 2, sample_rate / 2]))
    step = (reference - low) / (features.n_mels + 1)
    bands = min(max(int((high - low) / step + 1e-6) - 1, 1), MOST_BANDS)
    f_max = float(to_hz(np.array(low + (bands + 1) * step)))
    changes = {
        "n_fft": n_fft,
        "win_length": window,
        "hop_length": max(round(features.hop_length * scale), 1),
        "n_mels": bands,
        "f_max": min(round(f_max, 6), sample_rate / 2),
    }
    return features.model_copy(update=changes)


def _fast_length(samples: float) -> int:
    """Return the even number nearest to `samples` that a Fourier transform is fast for."""
    middle = max(2 * round(samples / 2), 2)
    return next(
        length
        for apart in range(0, middle, 2)
        for length in (middle - apart, middle + apart)
        if length and _is_fast(length)
    )


def _is_fast(length: int) -> bool:
    for prime in FAST_PRIMES:
        while length % prime == 0:
            length //= prime
    return length == 1


def mel_edges(features: FeatureSettings) -> NDArray[np.float64]:
    """Return the edges of the mel bands in Hz, float64 (mel + 2,); band i peaks at edge i + 1."""
    to_mel, to_hz = SCALES[features.mel_scale]
    ends = to_mel(np.array([features.f_min, features.highest]))
    return to_hz(np.linspace(ends[0], ends[1], features.n_mels + 2))


def hz_to_mel_htk(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return mel of Hz on the scale of HTK: 2595 · log10(1 + f / 700)."""
    return 2595 * np.log10(1 + hz / 700)


def mel_to_hz_htk(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Hz of mel on the scale of HTK."""
    return 700 * (10 ** (mel / 2595) - 1)


def hz_to_mel_slaney(hz: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return mel of Hz on the scale of Slaney's Auditory Toolbox (1998).

    Linear, 200/3 Hz a step, up to 1000 Hz (15 steps); above it 27 steps to a factor of 6.4.
    """
    logarithmic = 15 + 27 * np.log(np.maximum(hz, 1000) / 1000) / np.log(6.4)
    return np.where(hz < 1000, hz * 3 / 200, logarithmic)


def mel_to_hz_slaney(mel: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return Hz of mel on the scale of Slaney's Auditory Toolbox (1998)."""
    return np.where(mel < 15, mel * 200 / 3, 1000 * 6.4 ** ((mel - 15) / 27))


SCALES = {
    "htk": (hz_to_mel_htk, mel_to_hz_htk),
    "slaney": (hz_to_mel_slaney, mel_to_hz_slaney),
}
