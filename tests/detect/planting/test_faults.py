"""Planted faults are what their strengths say."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import welch

from dgmix.detect.planting.faults import FAULTS, NOTHING, Fault, faults_with

RATE = 16_000
OTHERS = [np.sin(np.arange(RATE, dtype=np.float32))]
ALL = faults_with(OTHERS, "another machine's sound")
NAMED = {fault.name: fault for fault in ALL}


def machine(seconds: float = 1.0, seed: int = 0) -> np.ndarray:
    """Return noise with two loud strokes."""
    rng = np.random.default_rng(seed)
    sound = 0.01 * rng.standard_normal(int(seconds * RATE))
    for start in (0.3, 0.7):
        first = int(start * len(sound))
        sound[first : first + len(sound) // 20] *= 20
    return sound.astype(np.float32)


def planted(fault: Fault, strength: float, seed: int = 1, signal: np.ndarray | None = None):
    signal = machine() if signal is None else signal
    return fault.plant(signal, strength, RATE, np.random.default_rng(seed))


def rms(signal: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(signal, dtype=np.float64))))


@pytest.mark.parametrize("fault", ALL, ids=lambda fault: fault.name)
@pytest.mark.parametrize("samples", [RATE, 997])
def test_a_fault_grows_with_its_strength_and_a_seed_gives_it_again(
    fault: Fault, samples: int
) -> None:
    signal = machine(samples / RATE)
    before = signal.copy()
    apart = []
    for strength in fault.strengths:
        faulty = planted(fault, strength, signal=signal)
        assert faulty.shape == signal.shape
        assert faulty.dtype == np.float32
        assert np.isfinite(faulty).all()
        np.testing.assert_array_equal(planted(fault, strength, signal=signal), faulty)
        apart.append(rms(faulty - signal))
    np.testing.assert_array_equal(signal, before)
    if fault.name != "running slower":  # soon unlike itself, sample by sample
        assert (np.diff(apart) >= -1e-9).all()
    assert apart[-1] > 0.1 * rms(signal)


def test_strengths_ascend_and_nothing_is_nothing() -> None:
    for fault in FAULTS:
        assert list(fault.strengths) == sorted(set(fault.strengths))
    np.testing.assert_array_equal(planted(NOTHING, 0), machine())


@pytest.mark.parametrize("name", ["a steady tone", "a hiss"])
def test_the_level_of_what_is_steady_is_beside_the_machine(name: str) -> None:
    signal = machine()
    added = planted(NAMED[name], -6) - signal
    assert 20 * np.log10(rms(added) / rms(signal)) == pytest.approx(-6, abs=0.1)


def test_the_level_of_a_knock_is_that_of_its_loudest_moment() -> None:
    signal = machine()
    added = (planted(NAMED["a single knock"], 6, seed=3) - signal).astype(np.float64)
    frame = RATE // 50
    loudest = np.sqrt(np.convolve(added**2, np.ones(frame) / frame, "valid").max())
    assert 20 * np.log10(loudest / rms(signal)) == pytest.approx(6, abs=0.1)
    assert (np.abs(added) > 1e-6).mean() < 0.2


@pytest.mark.parametrize(("name", "gain"), [("an octave louder", 6), ("an octave quieter", -6)])
def test_an_octave_changes_by_as_much_as_is_said(name: str, gain: float) -> None:
    signal = np.random.default_rng(0).standard_normal(4 * RATE).astype(np.float32)
    faulty = planted(NAMED[name], 6, signal=signal)
    hertz, before = welch(signal, RATE, nperseg=1024)
    ratio = 10 * np.log10(welch(faulty, RATE, nperseg=1024)[1] / before)
    changed = np.abs(ratio) > 3
    octaves = np.log2(hertz[changed][-1] / hertz[changed][0])
    assert ratio[np.abs(ratio).argmax()] == pytest.approx(gain, abs=0.3)
    assert 0.8 < octaves < 1.6
    assert np.median(np.abs(ratio)) < 0.1


def test_all_of_it_is_louder_or_quieter_by_as_much() -> None:
    signal = machine()
    for name, gain in (("everything louder", 3), ("everything quieter", -3)):
        ratio = rms(planted(NAMED[name], 3)) / rms(signal)
        assert 20 * np.log10(ratio) == pytest.approx(gain, abs=1e-3)


def test_high_tones_lose_most() -> None:
    signal = np.random.default_rng(0).standard_normal(4 * RATE).astype(np.float32)
    faulty = planted(NAMED["high tones quieter"], 12, signal=signal)
    hertz, before = welch(signal, RATE, nperseg=1024)
    ratio = 10 * np.log10(welch(faulty, RATE, nperseg=1024)[1] / before)
    assert ratio[-4] == pytest.approx(-12, abs=0.5)
    assert np.abs(ratio[hertz < 70]).max() < 0.5


def test_the_loudest_stroke_is_missing_for_as_long_as_is_said() -> None:
    signal = machine(2.0)
    faulty = planted(NAMED["loudest moments missing"], 10, signal=signal)
    changed = np.flatnonzero(np.abs(faulty - signal) > 1e-6)
    assert (changed[-1] - changed[0]) / len(signal) == pytest.approx(0.1, abs=0.03)
    assert rms(faulty) < 0.85 * rms(signal)


def test_a_slower_machine_is_lower_in_pitch() -> None:
    time = np.arange(2 * RATE) / RATE
    whistle = np.sin(2 * np.pi * 1000 * time).astype(np.float32)
    spectrum = np.abs(np.fft.rfft(planted(NAMED["running slower"], 25, signal=whistle)))
    assert spectrum.argmax() / 2 == pytest.approx(800, abs=1)


def test_all_of_a_sound_may_be_another_ones() -> None:
    faulty = planted(NAMED["another machine's sound"], 100)
    spectrum = np.abs(np.fft.rfft(faulty))
    assert spectrum.argmax() == pytest.approx(RATE / (2 * np.pi), abs=1)
    assert rms(faulty) == pytest.approx(rms(machine()), rel=1e-3)
