from dataclasses import replace

import numpy as np
import pytest

from dgmix.data.simulate import toys
from dgmix.data.simulate.conditions import Condition
from dgmix.data.simulate.machines import DATA_SHEET
from dgmix.data.simulate.signals import RATE

SAMPLES = 10 * RATE
VOLTS = Condition((("car", "F1"), ("spd", "34V")))
STEPS = Condition((("car", "F1"), ("spd", "8")))


def change(machine: str, unit, condition: Condition, **severity: float) -> np.ndarray:
    """What a fault adds to a toy's sound."""
    new = dict.fromkeys(DATA_SHEET[machine].faults, 0.0)
    worn = new | {name.replace("_", " "): level for name, level in severity.items()}
    faulty, sound = (
        DATA_SHEET[machine].sound(unit, condition, wear, SAMPLES, np.random.default_rng(3))
        for wear in (worn, new)
    )
    return faulty - sound


def rate_of(samples: np.ndarray, low: float, high: float) -> float:
    loudness = np.abs(samples) - np.abs(samples).mean()
    power = np.abs(np.fft.rfft(loudness * np.hanning(SAMPLES)))
    bins = np.arange(len(power)) / 10.0
    power[(bins < low) | (bins > high)] = 0
    return float(bins[np.argmax(power)])


def test_a_broken_tooth_knocks_once_a_wheel_turn():
    car = toys.draw_car(np.random.default_rng(0))
    wheel = 34 * 1.6 / car.gearing
    rate = rate_of(change("ToyCar", car, VOLTS, broken_tooth=1.0), 0.7 * wheel, 1.4 * wheel)
    assert rate == pytest.approx(wheel, rel=0.1)


def test_a_flat_wheel_thumps_once_a_wheel_turn():
    train = toys.draw_train(np.random.default_rng(0))
    wheel = 8 * 0.055 / train.wheel
    rate = rate_of(change("ToyTrain", train, STEPS, flat_wheel=1.0), 0.7 * wheel, 1.4 * wheel)
    assert rate == pytest.approx(wheel, rel=0.1)


def test_every_axle_knocks_at_every_joint():
    train = replace(toys.draw_train(np.random.default_rng(0)), piece=0.5, joints=(1.0,) * 12)
    way = np.arange(SAMPLES) / RATE * 0.5
    knocks = toys._joints(train, way, 0.0, SAMPLES, np.random.default_rng(0))
    times = np.flatnonzero(knocks) / RATE
    times = times[np.diff(times, prepend=-1.0) > 0.001]
    assert len(times) == pytest.approx(4 * 10, abs=4)
    axle = np.array(train.axles) / 0.5
    np.testing.assert_allclose(np.diff(times[np.diff(times, prepend=-9) > 0.3]), 1.0, atol=1e-3)
    first = times[times >= 1.0 - 1e-3][:4]
    np.testing.assert_allclose(first - first[0], axle, atol=1e-3)


def test_open_joints_knock_harder_than_the_others():
    train = toys.draw_train(np.random.default_rng(0))
    way = np.arange(SAMPLES) / RATE * 0.44
    good, bad = (
        toys._joints(train, way, opened, SAMPLES, np.random.default_rng(0)) for opened in (0.0, 1.0)
    )
    harder = bad > 1.5 * np.maximum(good, 1e-9)
    assert 0.05 < harder.sum() / np.count_nonzero(good) < 0.35
    np.testing.assert_allclose(bad[~harder], good[~harder], rtol=1e-5)


def test_motors_turn_faster_with_voltage():
    car = toys.draw_car(np.random.default_rng(0))
    slow, fast = (
        DATA_SHEET["ToyCar"].sound(
            replace(car, whine=((3, 1.0),)),
            Condition((("spd", volts),)),
            dict.fromkeys(DATA_SHEET["ToyCar"].faults, 0.0),
            SAMPLES,
            np.random.default_rng(3),
        )
        for volts in ("28V", "40V")
    )
    peaks = [np.argmax(np.abs(np.fft.rfft(sound))[1000:2500]) / 10 + 100 for sound in (slow, fast)]
    assert peaks[1] / peaks[0] == pytest.approx(40 / 28, rel=0.03)
