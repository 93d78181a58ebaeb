"""Mel spectrograms against librosa, and at the edges of what they accept."""

from __future__ import annotations

from itertools import product

import librosa
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dgmix.audio import features as audio_features
from dgmix.audio.features import (
    SCALES,
    MelSpectrogram,
    decibels,
    mel_filters,
)
from dgmix.config import FeatureSettings
from dgmix.errors import InputError

RATE = 16_000
VARIANTS = list(product(["htk", "slaney"], ["none", "slaney"], [True, False]))


def noise(samples: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return 0.1 * torch.randn(samples, generator=generator, dtype=torch.float64).to(dtype)


def librosa_mel(signal: np.ndarray, s: FeatureSettings) -> np.ndarray:
    """Return librosa's mel magnitudes (mel, frame), float64."""
    mel = librosa.feature.melspectrogram(
        y=signal,
        sr=RATE,
        n_fft=s.n_fft,
        hop_length=s.hop_length,
        pad_mode="reflect",
        power=1.0,
        n_mels=s.n_mels,
        fmin=s.f_min,
        fmax=s.f_max,
        htk=s.mel_scale == "htk",
        norm=None if s.mel_norm == "none" else "slaney",
        dtype=np.float64,
    )
    window = librosa.filters.get_window("hann", s.n_fft)
    return mel / np.sqrt(np.sum(window**2)) if s.window_norm else mel


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("scale", "norm", "window_norm"), VARIANTS)
def test_equals_librosa_in_decibels(
    scale: str, norm: str, window_norm: bool, dtype: torch.dtype
) -> None:
    s = FeatureSettings(mel_scale=scale, mel_norm=norm, window_norm=window_norm)
    signal = noise(RATE * 2, dtype)
    ours = decibels(MelSpectrogram(s, RATE)(signal))
    expected = librosa_mel(signal.double().numpy(), s)
    assert ours.dtype == dtype
    np.testing.assert_allclose(ours, 20 * np.log10(np.maximum(expected, 1e-5)), atol=1e-4)


@pytest.mark.parametrize("changed", [{"n_fft": 1000, "hop_length": 300}, {"f_min": 200.0}])
def test_equals_librosa_at_other_settings(changed: dict[str, float]) -> None:
    s = FeatureSettings(n_mels=40, f_max=6000.0, **changed)
    signal = noise(9000, torch.float64)
    np.testing.assert_allclose(
        MelSpectrogram(s, RATE)(signal), librosa_mel(signal.numpy(), s), rtol=1e-5
    )


@pytest.mark.parametrize(("scale", "norm"), list(product(["htk", "slaney"], ["none", "slaney"])))
def test_filters_equal_librosa(scale: str, norm: str) -> None:
    s = FeatureSettings(mel_scale=scale, mel_norm=norm, f_min=50.0, f_max=7000.0)
    expected = librosa.filters.mel(
        sr=RATE,
        n_fft=s.n_fft,
        n_mels=s.n_mels,
        fmin=s.f_min,
        fmax=s.f_max,
        htk=scale == "htk",
        norm=None if norm == "none" else norm,
        dtype=np.float64,
    )
    np.testing.assert_allclose(mel_filters(s, RATE), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("scale", ["htk", "slaney"])
@given(st.floats(0, 24000))
def test_scales_are_librosas_and_invertible(scale: str, hz: float) -> None:
    to_mel, to_hz = SCALES[scale]
    mel = to_mel(np.array([hz]))
    np.testing.assert_allclose(mel, librosa.hz_to_mel([hz], htk=scale == "htk"), atol=1e-9)
    np.testing.assert_allclose(to_hz(mel), [hz], rtol=1e-9, atol=1e-9)


def test_a_crop_of_two_seconds_has_63_frames() -> None:
    mel = MelSpectrogram(FeatureSettings(), RATE)
    assert mel(noise(2 * RATE)).shape == (128, 63)
    assert mel(noise(2 * RATE).reshape(1, 2, -1)).shape == (1, 2, 128, 1 + RATE // 512)


def test_a_batch_is_its_signals() -> None:
    mel = MelSpectrogram(FeatureSettings(), RATE)
    batch = noise(3 * 8000, torch.float64).reshape(3, 8000)
    torch.testing.assert_close(mel(batch), torch.stack([mel(signal) for signal in batch]))


@given(st.integers(1, 1600))
@settings(max_examples=40, deadline=None)
def test_short_signals_are_repeated(samples: int) -> None:
    mel = MelSpectrogram(FeatureSettings(), RATE)
    signal = noise(samples)
    repeated = signal.repeat(513)[: max(samples, 513)]
    assert mel(signal).shape[-1] == 1 + len(repeated) // 512
    torch.testing.assert_close(mel(signal), mel(repeated))


@pytest.mark.parametrize("samples", [40, 5119, 5120, 5121, 30_000])
def test_blocks_are_the_whole(monkeypatch: pytest.MonkeyPatch, samples: int) -> None:
    mel = MelSpectrogram(FeatureSettings(), RATE)
    signal = noise(samples, torch.float64)
    monkeypatch.setattr(audio_features, "BLOCK_FRAMES", 10)
    parts = list(mel.blocks(signal))
    assert max(part.shape[-1] for part in parts) <= 10
    torch.testing.assert_close(torch.cat(parts, dim=-1), mel(signal))


def test_silence_is_the_floor() -> None:
    levels = decibels(MelSpectrogram(FeatureSettings(), RATE)(torch.zeros(RATE)))
    torch.testing.assert_close(levels, torch.full_like(levels, -100.0))


@pytest.mark.parametrize(
    ("changed", "rate", "named"),
    [
        ({}, 8000, "features.f_max"),
        ({"f_max": 8000.1}, 16000, "features.f_max"),
        ({"f_min": 8000.0}, 16000, "features.f_min"),
    ],
)
def test_bands_that_do_not_fit_are_refused(
    changed: dict[str, float], rate: int, named: str
) -> None:
    with pytest.raises(InputError, match=named):
        MelSpectrogram(FeatureSettings(**changed), rate)
