"""Bands and frames at other sample rates: the same seconds, the same bands, more above."""

from __future__ import annotations

import numpy as np
import pytest
import soxr

from dgmix.audio.features import MelSpectrogram
from dgmix.audio.mel_scale import features_at, mel_edges
from dgmix.config import FeatureSettings

REFERENCE = FeatureSettings()
AUTO = FeatureSettings(f_max="auto")
RATES = [1000, 2000, 8000, 12_800, 22_050, 25_600, 44_100, 48_000, 51_200, 96_000, 384_000]


def test_at_16_khz_features_are_what_they_always_were() -> None:
    assert features_at(AUTO, 16_000) == REFERENCE


def test_features_with_a_highest_frequency_stay_as_they_are() -> None:
    assert features_at(REFERENCE, 48_000) is REFERENCE


@pytest.mark.parametrize("rate", RATES)
def test_bands_up_to_8_khz_are_the_same_and_others_follow_up_to_half_of_the_rate(rate: int) -> None:
    edges, reference = mel_edges(features_at(AUTO, rate)), mel_edges(REFERENCE)
    shared = min(len(edges), len(reference))
    np.testing.assert_allclose(edges[:shared], reference[:shared], rtol=1e-6, atol=1e-3)
    mel = 2595 * np.log10(1 + edges / 700)
    np.testing.assert_allclose(np.diff(mel), mel[1], rtol=1e-6)
    assert edges[-1] <= rate / 2 < 700 * (10 ** ((mel[-1] + mel[1]) / 2595) - 1) + 1e-3


@pytest.mark.parametrize("rate", RATES)
def test_a_frame_lasts_as_long_and_its_fourier_transform_is_fast(rate: int) -> None:
    settings = features_at(AUTO, rate)
    assert settings.n_fft / rate == pytest.approx(0.064, rel=0.015)
    assert settings.hop_length / rate == pytest.approx(0.032, rel=0.01)
    rest = settings.n_fft
    for prime in (2, 3, 5, 7):
        while rest % prime == 0:
            rest //= prime
    assert rest == 1
    assert settings.n_fft % 2 == 0


def test_48_khz_have_181_bands_and_no_rate_has_more_than_512() -> None:
    assert features_at(AUTO, 48_000).n_mels == 181
    assert features_at(AUTO, 100_000_000).n_mels == 512


def test_a_window_that_is_shorter_than_its_transform_stays_so() -> None:
    settings = features_at(AUTO.model_copy(update={"win_length": 400}), 44_100)
    assert settings.win_length / 44_100 == pytest.approx(0.025, rel=0.01)
    assert settings.win_length % 2 == 0


@pytest.mark.parametrize("rate", [22_050, 44_100, 48_000])
def test_a_sound_has_the_same_levels_up_to_8_khz_at_any_rate(rate: int) -> None:
    sound = np.random.default_rng(0).standard_normal(96_000)
    levels = []
    for each in (16_000, rate):
        signal = soxr.resample(sound, 48_000, each, quality="VHQ")
        mel = MelSpectrogram(features_at(AUTO, each), each)(signal)
        levels.append(20 * np.log10(mel.mean(-1)[:120]))
    apart = levels[1] - levels[0]
    assert apart.mean() == pytest.approx(10 * np.log10(rate / 16_000), abs=0.3)
    assert np.abs(apart - apart.mean()).max() < 1.5
