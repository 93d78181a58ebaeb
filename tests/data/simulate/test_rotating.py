from dataclasses import replace

import numpy as np
import pytest

from dgmix.data.simulate import rotating
from dgmix.data.simulate.conditions import Condition
from dgmix.data.simulate.machines import DATA_SHEET
from dgmix.data.simulate.signals import RATE

SAMPLES = 10 * RATE


def healthy(machine: str) -> dict[str, float]:
    return dict.fromkeys(DATA_SHEET[machine].faults, 0.0)


def render(machine: str, unit, tags, **wear: float) -> np.ndarray:
    """A machine's sound with the same random draws whatever the wear."""
    severity = healthy(machine) | {name.replace("_", " "): level for name, level in wear.items()}
    condition = Condition(tuple(tags.items()))
    return DATA_SHEET[machine].sound(unit, condition, severity, SAMPLES, np.random.default_rng(7))


def spectrum(samples: np.ndarray) -> np.ndarray:
    return np.abs(np.fft.rfft(samples * np.hanning(len(samples))))


def envelope_peak(samples: np.ndarray, low: float, high: float) -> float:
    """The strongest rate, in Hz, at which the loudness of `samples` comes and goes."""
    power = spectrum(np.abs(samples) - np.abs(samples).mean())
    bins = np.arange(len(power)) / 10.0
    power[(bins < low) | (bins > high)] = 0
    return float(bins[np.argmax(power)])


def test_bearing_rates_are_those_of_a_known_bearing():
    # SKF 6205: 9 balls of 7.94 mm on 39.04 mm; rates as the Case Western Reserve data give them.
    known = replace(
        rotating.draw_bearing(np.random.default_rng(0)), balls=9, ratio=7.94 / 39.04, angle=0.0
    )
    assert rotating.outer_race_rate(known) == pytest.approx(3.5848, abs=1e-3)
    assert rotating.inner_race_rate(known) == pytest.approx(5.4152, abs=1e-3)
    assert rotating.cage_rate(known) == pytest.approx(0.39828, abs=1e-4)


def test_fan_has_its_blade_pass_tone():
    fan = replace(rotating.draw_fan(np.random.default_rng(3)), speed=6.0)
    sound = render("fan", fan, {"m-n": "W"})
    power = spectrum(sound)[: 400 * 10]
    tones = np.argsort(power)[-1] / 10.0
    # the clip's own speed differs from the rated one by a few percent
    assert tones == pytest.approx(fan.blades * 6.0, rel=0.12)


@pytest.mark.parametrize("fault", ["imbalance", "chipped_blade"])
def test_fan_faults_swing_the_sound_once_a_revolution(fault):
    fan = replace(rotating.draw_fan(np.random.default_rng(3)), speed=6.0)
    sound = render("fan", fan, {"m-n": "W"}, **{fault: 2.0})
    assert envelope_peak(np.diff(sound), 3.0, 12.0) == pytest.approx(6.0, rel=0.12)


def test_clogging_surges_slowly():
    fan = rotating.draw_fan(np.random.default_rng(3))
    change = render("fan", fan, {"m-n": "W"}, clogging=2.0)
    assert 0.5 <= envelope_peak(np.diff(change), 0.5, 4.0) <= 2.2


@pytest.mark.parametrize(
    ("fault", "rate"),
    [("outer_race", rotating.outer_race_rate), ("inner_race", rotating.inner_race_rate)],
)
def test_bearing_defects_strike_at_their_rate(fault, rate):
    bearing = rotating.draw_bearing(np.random.default_rng(1))
    tags = {"vel": "12"}
    change = render("bearing", bearing, tags, **{fault: 1.0}) - render("bearing", bearing, tags)
    expected = rate(bearing) * 6.0
    # the shaft's side bands, 6 Hz off, are an inner race's too
    peak = envelope_peak(change, 0.9 * expected, 1.1 * expected)
    assert peak == pytest.approx(expected, rel=0.03)


def test_inner_race_defects_are_louder_in_the_load_zone():
    bearing = rotating.draw_bearing(np.random.default_rng(1))
    tags = {"vel": "4"}
    change = render("bearing", bearing, tags, inner_race=1.0) - render("bearing", bearing, tags)
    assert envelope_peak(change, 1.0, 3.0) == pytest.approx(2.0, rel=0.1)


def test_bearing_grows_louder_with_speed():
    bearing = rotating.draw_bearing(np.random.default_rng(1))
    slow, fast = (render("bearing", bearing, {"vel": vel}).std() for vel in ("4", "24"))
    assert 1.5 * slow < fast


def test_gearbox_meshes_at_teeth_times_speed_with_side_bands():
    gearbox = replace(
        rotating.draw_gearbox(np.random.default_rng(2)), pinion=19, wheel=57, mesh=(10.0,)
    )
    sound = render("gearbox", gearbox, {"volt": "2.0", "wt": "0"})
    power = spectrum(sound)
    low, high = 150 * 10, 230 * 10
    mesh = (low + np.argmax(power[low:high])) / 10
    shaft = mesh / 19
    assert shaft == pytest.approx(10.0, rel=0.06)
    side = round((mesh + shaft) * 10)
    around = np.median(power[side - 60 : side + 60])
    assert power[side - 15 : side + 15].max() > 5 * around


@pytest.mark.parametrize("fault", ["chipped_tooth", "eccentric_wheel", "pitting"])
def test_gearbox_faults_come_once_a_turn_of_the_wheel(fault):
    gearbox = replace(rotating.draw_gearbox(np.random.default_rng(2)), pinion=20, wheel=60)
    tags = {"volt": "2.0", "wt": "0"}
    sound = render("gearbox", gearbox, tags, **{fault: 3.0})
    assert envelope_peak(sound, 1.5, 5.5) == pytest.approx(10.0 / 3, rel=0.06)
