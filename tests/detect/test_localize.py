"""Planted clicks, tones and gaps are found where they were planted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank, bank_of_signals
from dgmix.audio.mel_scale import mel_edges
from dgmix.config import Recipe
from dgmix.detect.localize import BandStatistics, localize

RATE = 16_000
Signal = NDArray[np.float32]


@pytest.fixture(scope="module")
def recipe(tiny: Recipe) -> Recipe:
    return tiny.model_copy(update={"features": tiny.features.model_copy(update={"n_mels": 64})})


def noise(seed: int, seconds: float = 4.0) -> Signal:
    """Return noise, less of it at high frequencies, and a hum; levels differ a little."""
    rng = np.random.default_rng(seed)
    white = rng.standard_normal(round(seconds * RATE))
    hum = np.sin(2 * np.pi * 300 * np.arange(len(white)) / RATE)
    sound = 0.05 * np.convolve(white, [1, 0.5, 0.2], "same") + 0.02 * hum
    return (10 ** (rng.normal(0, 1) / 20) * sound).astype(np.float32)


def bank_of(signals: list[Signal], recipe: Recipe) -> MelBank:
    return bank_of_signals(signals, recipe.audio, recipe.features)


@pytest.fixture(scope="module")
def healthy(recipe: Recipe) -> BandStatistics:
    return BandStatistics.of(bank_of([noise(seed) for seed in range(12)], recipe), recipe)


def click(hertz: float) -> Signal:
    time = np.arange(400, dtype=np.float32) / RATE
    return np.exp(-time / 0.004) * np.sin(2 * np.pi * np.float32(hertz) * time)


def tone(hertz: float) -> Signal:
    time = np.arange(RATE // 2, dtype=np.float32) / RATE
    return 0.05 * np.sin(2 * np.pi * np.float32(hertz) * time)


def band_of(hertz: float, recipe: Recipe) -> int:
    return int(np.abs(mel_edges(recipe.features)[1:-1] - hertz).argmin())


@pytest.mark.parametrize("event", [click, tone])
def test_what_was_planted_is_found(
    event: Callable[[float], Signal], healthy: BandStatistics, recipe: Recipe
) -> None:
    rng = np.random.default_rng(5)
    right = 0
    for trial in range(20):
        sound, start = noise(100 + trial), rng.integers(RATE // 2, 3 * RATE)
        hertz = float(rng.uniform(800, 6000))
        planted = event(hertz)
        sound[start : start + len(planted)] += planted
        places = localize(bank_of([sound], recipe)[0], healthy, recipe)
        in_time = start / RATE - 0.1 <= places.when <= (start + len(planted)) / RATE + 0.1
        in_band = abs(band_of(places.where, recipe) - band_of(hertz, recipe)) <= 2
        right += in_time and in_band
    assert right >= 18


def test_a_gap_is_found_too(healthy: BandStatistics, recipe: Recipe) -> None:
    sound = noise(200)
    sound[2 * RATE : 2 * RATE + 4000] *= 0.03
    places = localize(bank_of([sound], recipe)[0], healthy, recipe)
    assert 2.0 <= places.when <= 2.3


def test_what_is_there_all_the_time_is_found_in_its_band(
    healthy: BandStatistics, recipe: Recipe
) -> None:
    sound = noise(201)
    sound += 0.05 * np.sin(2 * np.pi * 2000 * np.arange(len(sound), dtype=np.float32) / RATE)
    places = localize(bank_of([sound], recipe)[0], healthy, recipe)
    assert abs(band_of(places.where, recipe) - band_of(2000, recipe)) <= 1
    band = places.over_bands.argmax()
    assert places.surprise[:, band].min() > 1.5


def test_one_is_as_far_as_healthy_recordings_go(healthy: BandStatistics, recipe: Recipe) -> None:
    peaks = [
        localize(bank_of([noise(seed)], recipe)[0], healthy, recipe).surprise.max()
        for seed in range(300, 312)
    ]
    assert 0.9 < np.mean(peaks) < 1.1


def test_all_parts_agree(healthy: BandStatistics, recipe: Recipe) -> None:
    mel = bank_of([noise(7, 2.0)], recipe)[0]
    places = localize(mel, healthy, recipe)
    hop = recipe.features.hop_length / RATE
    np.testing.assert_allclose(places.seconds, np.arange(len(mel)) * hop)
    np.testing.assert_allclose(places.hertz, mel_edges(recipe.features)[1:-1])
    assert places.surprise.shape == mel.shape
    assert places.surprise.dtype == np.float32
    np.testing.assert_array_equal(places.over_time, places.surprise.max(1))
    np.testing.assert_array_equal(places.over_bands, places.surprise.max(0))
    assert places.over_time[round(places.when / hop)] == places.surprise.max()
    assert (places.surprise >= 0).all()


def test_louder_recordings_are_no_more_uneven(healthy: BandStatistics, recipe: Recipe) -> None:
    mel = bank_of([noise(8)], recipe)[0]
    lasting = np.abs(np.log10(np.float32(100))) * 20
    louder = localize(100 * mel, healthy, recipe)
    assert louder.surprise.min() > 0.5 * lasting / (3 * max(healthy.std.max(), 1))
    same = BandStatistics(
        healthy.mean + lasting, healthy.std, healthy.rise, healthy.fall, healthy.peak, 12
    )
    before = localize(mel, healthy, recipe).surprise
    np.testing.assert_allclose(localize(100 * mel, same, recipe).surprise, before, atol=1e-4)


def test_statistics_are_those_of_the_recordings_joined(recipe: Recipe) -> None:
    signals = [noise(seed, 1 + seed % 3) for seed in range(7)]
    parts = [BandStatistics.of(bank_of(p, recipe), recipe) for p in (signals[:2], signals[2:])]
    joined, whole = parts[0].merged(parts[1]), BandStatistics.of(bank_of(signals, recipe), recipe)
    assert joined.count == whole.count == 7
    for name in ("mean", "std", "rise", "fall"):
        np.testing.assert_allclose(getattr(joined, name), getattr(whole, name), atol=1e-3)
    assert joined.peak == pytest.approx(whole.peak, rel=0.3)


def test_one_recording_and_silence_have_statistics(recipe: Recipe) -> None:
    silence = np.zeros(RATE, np.float32)
    alone = BandStatistics.of(bank_of([silence], recipe), recipe)
    places = localize(bank_of([silence], recipe)[0], alone, recipe)
    assert (places.surprise == 0).all()
    loud = localize(bank_of([noise(1)], recipe)[0], alone, recipe)
    assert np.isfinite(loud.surprise).all()


def test_many_recordings_are_sampled_evenly(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dgmix.detect.localize.MOST_RECORDINGS", 3)
    signals = [noise(seed, 0.5) for seed in range(9)]
    few = BandStatistics.of(bank_of(signals, recipe), recipe)
    expected = BandStatistics.of(bank_of([signals[i] for i in (0, 4, 8)], recipe), recipe)
    np.testing.assert_array_equal(few.mean, expected.mean)
    assert few.count == 9
