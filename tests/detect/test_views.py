"""The raw views against the same in plain numpy."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy.fft import dct
from scipy.signal import welch

from dgmix.audio.bank import MelBank
from dgmix.config import Recipe
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.views import (
    LEARNED,
    RAW_VIEWS,
    Vectors,
    in_words,
    logmel,
    parts_of,
    represent,
    view_size,
)
from dgmix.detect.views.rhythm import modulation_bands
from dgmix.model.network import decibels

Bank = Callable[..., MelBank]


@pytest.fixture(scope="module")
def banks(make_bank: Bank, tiny: Recipe) -> tuple[MelBank, MelBank]:
    return make_bank(tiny, [1.0, 0.4, 1.5, 0.7], seed=1), make_bank(tiny, [0.9, 0.3], seed=2)


def levels(bank: MelBank) -> list[np.ndarray]:
    return [20 * np.log10(np.maximum(bank[i].astype(np.float64), 1e-5)) for i in range(len(bank))]


def test_the_mean_level_is_that_over_all_frames(banks: tuple[MelBank, MelBank]) -> None:
    for vector, bank in zip(RAW_VIEWS["logmel-mean"](*banks), banks, strict=True):
        assert vector.dtype == np.float64
        np.testing.assert_allclose(vector, [level.mean(0) for level in levels(bank)], atol=1e-4)


def test_the_highest_level_is_standardised_by_the_training_clips(
    banks: tuple[MelBank, MelBank],
) -> None:
    training, test = (np.array([level.max(0) for level in levels(bank)]) for bank in banks)
    values = RAW_VIEWS["logmel-max"](*banks)
    mean, std = training.mean(0), training.std(0)
    np.testing.assert_allclose(values[0], (training - mean) / std, atol=1e-4)
    np.testing.assert_allclose(values[1], (test - mean) / std, atol=1e-4)
    np.testing.assert_allclose(values[0].mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(values[0].std(0), 1, atol=1e-9)


@pytest.mark.parametrize("name", [name for name in RAW_VIEWS if name.startswith("logmel")])
def test_a_band_that_never_changes_says_nothing(name: str, make_bank: Bank, tiny: Recipe) -> None:
    features = tiny.features.model_copy(update={"n_mels": 256, "n_fft": 512})
    bank = make_bank(tiny.model_copy(update={"features": features}), [0.5, 0.5, 0.5])
    empty = np.array([(bank[i] == 0).all(0) for i in range(3)]).all(0)
    assert empty.any()
    training, test = RAW_VIEWS[name](bank, bank)
    assert np.isfinite(training).all()
    assert np.ptp(test[:, empty], axis=0).max() == 0


def test_levels_are_those_of_the_features() -> None:
    mel = np.array([[0.0, 1e-7, 1e-5, 0.5], [1.0, 10.0, 65504.0, 3e-5]], np.float32)
    np.testing.assert_allclose(logmel(mel), decibels(torch.from_numpy(mel)).numpy(), atol=1e-5)


def test_other_views_are_the_lowest_level_and_its_change(banks: tuple[MelBank, MelBank]) -> None:
    for name, expected in (
        ("logmel-min", lambda level: level.min(0)),
        ("logmel-change", lambda level: 20 * np.log10(np.diff(level, axis=0).std(0))),
    ):
        for vector, bank in zip(RAW_VIEWS[name](*banks), banks, strict=True):
            np.testing.assert_allclose(vector, [expected(x) for x in levels(bank)], atol=1e-3)


@pytest.mark.parametrize("frames", [1, 2, 11, 32, 313])
def test_q90_is_numpy_s_lower_quantile(frames: int) -> None:
    levels = np.random.default_rng(0).normal(-40, 5, (frames, 32)).astype(np.float32)
    expected = np.quantile(levels, 0.9, axis=0, method="lower")
    assert np.array_equal(RAW_VIEWS["logmel-q90"].describe(levels), expected)


def test_nothing_changes_in_a_single_frame() -> None:
    level = np.full((1, 32), -30, np.float32)
    for name in ("logmel-change", "logmel-rhythm"):
        np.testing.assert_allclose(RAW_VIEWS[name].describe(level), -40, atol=1e-4)


@pytest.mark.parametrize("frames", [128, 313, 1000])
def test_the_rhythm_is_the_power_of_each_modulation(frames: int) -> None:
    time = np.arange(frames)
    levels = np.zeros((frames, 32), np.float32)
    levels[:, 10:12] = 3 * np.sin(2 * np.pi * 10 / 128 * time)[:, None]
    values = RAW_VIEWS["logmel-rhythm"].describe(levels).reshape(-1, 16)
    bands = modulation_bands()
    [strongest] = np.flatnonzero(bands[:, 9])
    spread = bands[strongest, [8, 9, 10]] @ [1 / 4, 1, 1 / 4]  # Hann: half as high next to it
    assert values[strongest, 5] == pytest.approx(10 * np.log10(9 * spread), abs=0.3)
    assert values[:, [0, 15]] == pytest.approx(-40)


def test_rhythm_is_that_of_scipy() -> None:
    levels = np.random.default_rng(0).normal(-40, 5, (700, 64)).astype(np.float32)
    groups = levels.astype(np.float64).reshape(700, 16, 4).mean(2)[: 128 + 64 * 8]
    power = welch(groups, nperseg=128, scaling="spectrum", axis=0)[1][1:]
    power[:-1] *= 2  # of amplitude, not of the mean square; the last is its own mirror
    power[-1] *= 4
    expected = 10 * np.log10(modulation_bands() @ power + 1e-4)
    values = RAW_VIEWS["logmel-rhythm"].describe(levels[: 128 + 64 * 8])
    np.testing.assert_allclose(values.reshape(-1, 16), expected, atol=1e-3)


def test_a_clip_is_described_in_every_view_that_the_recipe_names(
    make_fitted: Callable[..., FittedDetector], banks: tuple[MelBank, MelBank]
) -> None:
    fitted = make_fitted(views=["logmel-min", "dgmix", "logmel-mean"], pool="mean-distance")
    described = represent(fitted.recipe, fitted.network, banks[0])
    assert list(described) == ["logmel-min", "dgmix", "logmel-mean"]
    assert described["dgmix"].clips.tolist() != [0, 1, 2, 3]
    for name in ("logmel-min", "logmel-mean"):
        assert described[name].clips.tolist() == [0, 1, 2, 3]
        vectors = RAW_VIEWS[name](*banks)[0]
        expected = vectors * RAW_VIEWS[name].scale(vectors.shape[1])
        assert np.array_equal(described[name].values, expected.astype(np.float32))


@pytest.mark.parametrize("frames", [1, 2, 11, 313])
def test_cepstral_statistics_are_those_of_the_cosine_transform(frames: int) -> None:
    levels = np.random.default_rng(0).normal(-40, 5, (frames, 32)).astype(np.float32)
    coefficients = dct(levels.astype(np.float64), axis=1, norm="ortho")[:, :20]
    steps = np.diff(coefficients, axis=0) if frames > 1 else np.zeros((1, 20))
    expected = np.concatenate([coefficients.mean(0), coefficients.std(0), steps.std(0)])
    np.testing.assert_allclose(RAW_VIEWS["cepstrum"].describe(levels), expected, atol=1e-3)


@pytest.mark.parametrize("name", RAW_VIEWS)
def test_a_view_has_its_size_and_factors_for_each_number(name: str) -> None:
    for bands in (32, 128):
        levels = np.random.default_rng(0).normal(-40, 5, (50, bands)).astype(np.float32)
        vector = RAW_VIEWS[name].scaled(RAW_VIEWS[name].describe(levels))
        assert vector.shape == RAW_VIEWS[name].scale(len(vector)).shape
        assert len(vector) == view_size(RAW_VIEWS[name], bands)
        assert (RAW_VIEWS[name].scale(len(vector)) > 0).all()
    assert in_words(name) != in_words(LEARNED)


@pytest.mark.parametrize("name", [*RAW_VIEWS, LEARNED])
def test_the_parts_of_a_view_are_all_of_it(name: str) -> None:
    vectors = Vectors(np.arange(3 * 128, dtype=np.float32).reshape(3, 128), np.arange(3))
    parts = parts_of(name, vectors)
    assert len(parts) == (RAW_VIEWS[name].parts if name in RAW_VIEWS else 1)
    assert np.array_equal(np.concatenate([part.values for part in parts], 1), vectors.values)
