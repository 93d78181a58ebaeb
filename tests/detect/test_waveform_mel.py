"""The spectrogram that is exported against the one that decides."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from dgmix.audio.features import MelSpectrogram
from dgmix.config import PRETRAINED, FeatureSettings, load_recipe
from dgmix.detect.waveform_mel import WaveformMel, reflected

RATE = 16_000
SETTINGS = {name: load_recipe(name).features for name in ("published", *PRETRAINED)}
VARIANTS = {
    "powers": {"power": 2, "mel_norm": "slaney", "remove_frame_mean": True},
    "frames": {"window": "povey", "win_length": 400, "hop_length": 160, "preemphasis": 0.97},
}
SETTINGS |= {name: FeatureSettings(**values) for name, values in VARIANTS.items()}


@pytest.mark.parametrize("name", SETTINGS)
@pytest.mark.parametrize(
    ("dtype", "error"), [(np.float64, 1e-12), (np.float32, 1e-6)], ids=["64", "32"]
)
def test_torch_and_numpy_are_equal(name: str, dtype: type[np.floating], error: float) -> None:
    features = SETTINGS[name]
    mel = MelSpectrogram(features, round(2 * features.highest))
    rng = np.random.default_rng(0)
    for samples in (300, 20_000):
        signal = (0.1 * rng.standard_normal(samples)).astype(dtype)
        expected = mel(signal)
        assert expected.dtype == dtype
        exported = WaveformMel(mel)(torch.from_numpy(signal)).numpy()
        assert exported.dtype == dtype
        np.testing.assert_allclose(exported, expected, rtol=error, atol=error * expected.max())


@settings(deadline=None)
@given(st.integers(1, 300), st.integers(2, 40).map(lambda half: 2 * half))
def test_reflects_as_the_spectrogram_does(samples: int, n_fft: int) -> None:
    mel = MelSpectrogram(FeatureSettings(n_fft=n_fft, n_mels=32), RATE)
    signal = np.arange(samples, dtype=np.float32)
    exported = reflected(torch.from_numpy(signal), n_fft // 2)
    np.testing.assert_array_equal(exported.numpy(), mel.pad(signal))
