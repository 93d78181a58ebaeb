import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dgmix.data.simulate import signals
from dgmix.data.simulate.signals import RATE, Modes

SAMPLES = 4 * RATE


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def peak_frequency(samples: np.ndarray) -> float:
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(np.argmax(spectrum)) * RATE / len(samples)


def test_turning_integrates_speed():
    speed = np.full(SAMPLES, 7.5, np.float32)
    assert signals.turning(speed, SAMPLES)[-1] == pytest.approx(7.5 * 4)
    assert signals.turning(7.5, SAMPLES, start=1.0)[0] == 1.0


@given(order=st.integers(1, 40), speed=st.floats(2.0, 60.0))
@settings(max_examples=20, deadline=None)
def test_harmonics_lie_at_order_times_speed(order, speed):
    sound = signals.harmonics(signals.turning(speed, SAMPLES), [(order, 1.0)], generator())
    assert peak_frequency(sound) == pytest.approx(order * speed, abs=0.3)
    assert sound.std() == pytest.approx(np.sqrt(0.5), rel=0.02)


def test_harmonics_that_would_alias_are_left_out():
    turns = signals.turning(100.0, SAMPLES)
    assert not signals.harmonics(turns, [(80, 1.0)], generator()).any()


def test_crossings_come_at_even_angles_and_jitter_adds_up():
    turns = signals.turning(5.0, 100 * RATE)
    even = np.diff(signals.crossings(turns, 3.5, 0.0, generator()))
    np.testing.assert_allclose(even, 1 / (3.5 * 5.0), rtol=1e-4)
    slipping = np.diff(signals.crossings(turns, 3.5, 0.02, generator())) * 3.5 * 5.0
    assert slipping.std() == pytest.approx(0.02, rel=0.1)
    assert slipping.mean() == pytest.approx(1.0, abs=0.002)


@given(time=st.floats(0.0, 3.99))
def test_a_strike_keeps_its_strength_and_its_time(time):
    train = signals.strikes(np.array([time]), np.array([2.0]), SAMPLES)
    assert train.sum() == pytest.approx(2.0)
    assert (train * np.arange(SAMPLES)).sum() / 2.0 == pytest.approx(time * RATE, abs=0.1)


def test_ring_is_the_decaying_sine():
    modes = Modes((1234.0,), (0.01,), (1.0,))
    train = signals.strikes(np.array([1.0]), np.array([1.0]), SAMPLES)
    time = np.arange(RATE // 4) / RATE
    expected = np.exp(-time / 0.01) * np.sin(2 * np.pi * 1234.0 * time)
    np.testing.assert_allclose(signals.ring(train, modes)[RATE:][: len(time)], expected, atol=1e-4)


def test_rushing_has_unit_power_and_the_slope_asked_for():
    sound = signals.rushing(60 * RATE, ((100.0, 0.0), (6400.0, -36.0)), generator())
    assert sound.dtype == np.float32
    assert sound.std() == pytest.approx(1.0, rel=0.05)
    power = np.abs(np.fft.rfft(sound)) ** 2
    octave = [10 * np.log10(power[f * 54 : f * 66].mean()) for f in (200, 400, 800, 1600, 3200)]
    np.testing.assert_allclose(np.diff(octave), -6.0, atol=0.5)


def test_curve_passes_through_its_knots():
    knots = ((50.0, -3.0), (1000.0, 6.0), (8000.0, -12.0))
    levels = 20 * np.log10(signals.curve(knots, 10 * RATE))
    np.testing.assert_allclose(levels[[500, 10_000, 80_000]], [-3, 6, -12], atol=0.1)


def test_swell_keeps_the_mean_level():
    once = np.sin(2 * np.pi * np.arange(1000, dtype=np.float32) / 1000)
    gain = 20 * np.log10(signals.swell(once, 4.0))
    assert gain.mean() == pytest.approx(0.0, abs=1e-4)
    assert gain.max() == pytest.approx(4.0, abs=1e-3)


def test_drift_and_bursts_stay_in_their_ranges():
    assert np.std([signals.drift(SAMPLES, 0.1, generator(s)) for s in range(50)]) == (
        pytest.approx(0.1, rel=0.15)
    )
    gate = signals.bursts(30 * RATE, 0.5, 0.5, generator())
    assert len(gate) == 30 * RATE
    assert 0 <= gate.min() < 0.01
    assert 0.9 < gate.max() <= 1.001
    assert 0.05 < gate.mean() < 0.6
