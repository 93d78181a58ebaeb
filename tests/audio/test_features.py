"""Mel spectrograms against librosa, and at the edges of what they accept."""

from __future__ import annotations

from itertools import product

import kaldi_native_fbank
import librosa
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import DTypeLike, NDArray

from dgmix.audio import features as audio_features
from dgmix.audio.features import (
    MelSpectrogram,
    mel_filters,
)
from dgmix.audio.mel_scale import SCALES
from dgmix.config import FeatureSettings, load_recipe
from dgmix.errors import InputError

RATE = 16_000
ESSENTIA = {  # every eighth band of two frames of `chirp`, log10(1 + 10⁴ · power); Essentia 2.1b6
    1: [1.00361, 6.64364, 0.02187, 0.00022, 1e-5, 0, 0, 0.17214, 0, 4.07671, 0, 0],
    50: [0.00681, 0.01872, 0.57263, 3.53377, 0.0074, 7e-5, 0, 0.17211, 0, 0, 0, 0],
}
VARIANTS = list(product(["htk", "slaney"], ["none", "slaney"], [True, False]))


def noise(samples: int, dtype: DTypeLike = np.float32) -> NDArray[np.floating]:
    return (0.1 * np.random.default_rng(0).standard_normal(samples)).astype(dtype)


def librosa_mel(signal: np.ndarray, s: FeatureSettings) -> np.ndarray:
    """Return librosa's mel magnitudes, or powers where `s` adds up those, (mel, frame), float64."""
    mel = librosa.feature.melspectrogram(
        y=signal,
        sr=RATE,
        n_fft=s.n_fft,
        hop_length=s.hop_length,
        pad_mode="reflect",
        power=float(s.power),
        n_mels=s.n_mels,
        fmin=s.f_min,
        fmax=s.f_max,
        htk=s.mel_scale == "htk",
        norm=None if s.mel_norm == "none" else "slaney",
        dtype=np.float64,
    )
    window = librosa.filters.get_window("hann", s.n_fft)
    return mel / np.sqrt(np.sum(window**2)) if s.window_norm else mel


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("scale", "norm", "window_norm"), VARIANTS)
def test_equals_librosa_in_decibels(
    scale: str, norm: str, window_norm: bool, dtype: DTypeLike
) -> None:
    s = FeatureSettings(mel_scale=scale, mel_norm=norm, window_norm=window_norm)
    signal = noise(RATE * 2, dtype)
    ours = MelSpectrogram(s, RATE)(signal)
    expected = librosa_mel(signal.astype(np.float64), s)
    assert ours.dtype == dtype
    levels = 20 * np.log10(np.maximum(ours, 1e-5))
    np.testing.assert_allclose(levels, 20 * np.log10(np.maximum(expected, 1e-5)), atol=1e-4)


@pytest.mark.parametrize("changed", [{"n_fft": 1000, "hop_length": 300}, {"f_min": 200.0}])
def test_equals_librosa_at_other_settings(changed: dict[str, float]) -> None:
    s = FeatureSettings(n_mels=40, f_max=6000.0, **changed)
    signal = noise(9000, np.float64)
    np.testing.assert_allclose(MelSpectrogram(s, RATE)(signal), librosa_mel(signal, s), rtol=1e-5)


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


@pytest.mark.parametrize("changed", [{"power": 2}, {"power": 2, "mel_norm": "slaney"}])
def test_bands_that_add_powers_equal_librosa(changed: dict[str, object]) -> None:
    s = FeatureSettings(window_norm=False, **changed)
    signal = noise(RATE, np.float64)
    expected = librosa_mel(signal, s)
    np.testing.assert_allclose(MelSpectrogram(s, RATE)(signal) ** 2, expected, rtol=1e-5)


@pytest.mark.parametrize("window", ["hann", "hann-symmetric"])
def test_a_short_window_equals_librosa_s(window: str) -> None:
    s = FeatureSettings(win_length=600, window=window, window_norm=False)
    given = np.hanning(600) if window == "hann-symmetric" else "hann"
    signal = noise(RATE, np.float64)
    padded = np.pad(signal, 300, mode="reflect")
    padded = np.pad(padded, (1024 - 600) // 2)  # librosa's frame is as long as its transform
    expected = librosa.feature.melspectrogram(
        y=padded, sr=RATE, n_fft=1024, win_length=600, hop_length=512, window=given, center=False,
        power=1.0, fmax=s.f_max, htk=True, norm=None, dtype=np.float64,
    )  # fmt: skip
    np.testing.assert_allclose(MelSpectrogram(s, RATE)(signal), expected, rtol=1e-5)


def test_frames_equal_kaldi_s() -> None:
    """The features of the recipe `beats`; of 80 bands, since Kaldi refuses a band without a bin."""
    s = load_recipe("beats").features.model_copy(update={"n_mels": 80})
    signal = noise(RATE) + 0.02
    signal[:2000] = 0
    options = kaldi_native_fbank.FbankOptions()
    options.frame_opts.dither = 0.0
    options.mel_opts.num_bins = 80
    kaldi = kaldi_native_fbank.OnlineFbank(options)
    kaldi.accept_waveform(RATE, (2**15 * signal).tolist())
    kaldi.input_finished()
    expected = np.stack([kaldi.get_frame(i) for i in range(kaldi.num_frames_ready)])
    mel = MelSpectrogram(s, RATE).spectrogram(signal.astype(np.float64)).T
    levels = np.log(np.maximum((2**15 * mel) ** 2, np.finfo(np.float32).eps))
    np.testing.assert_allclose(levels, expected, atol=5e-3)
    assert np.abs(levels - expected).mean() < 1e-4


def test_frames_equal_essentia_s() -> None:
    """The features of the recipe `aisfx`, away from the ends, where Essentia pads with silence."""
    t = np.arange(round(2.5 * 44_100)) / 44_100
    rising = 0.3 * np.sin(2 * np.pi * (200 + 300 * t) * t)
    high = 0.01 * np.sin(2 * np.pi * (9000 + 2000 * t) * t)
    chirp = (rising + 0.05 * np.sin(2 * np.pi * 5000 * t) + high).astype(np.float32)
    mel = MelSpectrogram(load_recipe("aisfx").features, 44_100)(chirp.astype(np.float64))
    for frame, expected in ESSENTIA.items():
        levels = np.log10(1e4 * mel[::8, frame] ** 2 + 1)
        np.testing.assert_allclose(levels, expected, atol=2e-5)


@pytest.mark.parametrize("triangles", ["hz", "mel"])
def test_weights_that_sum_to_one(triangles: str) -> None:
    s = FeatureSettings(mel_norm="sum", mel_triangles=triangles)
    plain = mel_filters(s.model_copy(update={"mel_norm": "none"}), RATE)
    filters = mel_filters(s, RATE)
    used = plain.any(1)
    np.testing.assert_allclose(filters[used].sum(1), 1)
    assert not filters[~used].any()
    np.testing.assert_allclose(filters * plain.sum(1, keepdims=True), plain, atol=1e-12)


def test_triangles_straight_in_mel() -> None:
    """One at a time: halfway between two edges in mel is half the weight."""
    s = FeatureSettings(mel_triangles="mel", n_fft=4096)
    to_mel, _ = SCALES["htk"]
    edges = np.linspace(0, to_mel(np.array([8000.0]))[0], s.n_mels + 2)
    bins = to_mel(np.arange(2049) * RATE / 4096)
    for band, weights in enumerate(mel_filters(s, RATE)):
        expected = np.interp(bins, edges[band : band + 3], [0, 1, 0])
        np.testing.assert_allclose(weights, expected, atol=1e-9)


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
    batch = noise(3 * 8000, np.float64).reshape(3, 8000)
    np.testing.assert_allclose(mel(batch), np.stack([mel(signal) for signal in batch]))


@given(st.integers(1, 1600))
@settings(max_examples=40, deadline=None)
def test_short_signals_are_repeated(samples: int) -> None:
    mel = MelSpectrogram(FeatureSettings(), RATE)
    signal = noise(samples)
    repeated = np.tile(signal, 513)[: max(samples, 513)]
    assert mel(signal).shape[-1] == 1 + len(repeated) // 512
    np.testing.assert_array_equal(mel(signal), mel(repeated))


@pytest.mark.parametrize("samples", [40, 5119, 5120, 5121, 30_000])
def test_blocks_are_the_whole(monkeypatch: pytest.MonkeyPatch, samples: int) -> None:
    mel = MelSpectrogram(FeatureSettings(), RATE)
    signal = noise(samples, np.float64)
    monkeypatch.setattr(audio_features, "BLOCK_FRAMES", 10)
    whole = list(mel.blocks([signal]))
    assert max(block.shape[-1] for block in whole) <= 10
    np.testing.assert_allclose(np.concatenate(whole, -1), mel(signal))
    for size in (1, 300, 7000) if samples < 6000 else (999, 7000):
        blocks = list(mel.blocks(np.array_split(signal, -(-len(signal) // size))))
        assert [block.shape for block in blocks] == [block.shape for block in whole]
        np.testing.assert_allclose(np.concatenate(blocks, -1), mel(signal))


@pytest.mark.parametrize("settings", [{"hop_length": 2000}, {"n_fft": 256, "hop_length": 1000}])
def test_blocks_with_hops_longer_than_frames(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, int]
) -> None:
    mel = MelSpectrogram(FeatureSettings(**settings, n_mels=32), RATE)
    signal = noise(60_000, np.float64)
    monkeypatch.setattr(audio_features, "BLOCK_FRAMES", 3)
    for size in (500, 60_000):
        blocks = np.concatenate(
            list(mel.blocks(np.array_split(signal, -(-len(signal) // size)))), axis=-1
        )
        np.testing.assert_allclose(blocks, mel(signal))


def test_silence_is_zero() -> None:
    mel = MelSpectrogram(FeatureSettings(), RATE)(np.zeros(RATE, np.float32))
    assert not mel.any()


@pytest.mark.parametrize(
    ("changed", "rate", "named"),
    [
        ({}, 8000, "features.f_max"),
        ({"f_max": 8000.1}, 16000, "features.f_max"),
        ({"f_min": 8000.0}, 16000, "features.f_min"),
        ({"win_length": 1026}, 16000, "features.win_length"),
    ],
)
def test_what_does_not_fit_is_refused(changed: dict[str, float], rate: int, named: str) -> None:
    with pytest.raises(InputError, match=named):
        MelSpectrogram(FeatureSettings(**changed), rate)
