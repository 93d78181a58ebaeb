import numpy as np
import pytest

from dgmix.data.simulate import reciprocating
from dgmix.data.simulate.conditions import Condition
from dgmix.data.simulate.machines import DATA_SHEET
from dgmix.data.simulate.reciprocating import PATTERNS
from dgmix.data.simulate.signals import RATE

SAMPLES = 10 * RATE


def wear(machine: str, **severity: float) -> dict[str, float]:
    named = {name.replace("_", " "): level for name, level in severity.items()}
    return dict.fromkeys(DATA_SHEET[machine].faults, 0.0) | named


def onsets(samples: np.ndarray, part: float, apart: float) -> np.ndarray:
    """Times (s) at which `samples` first pass `part` of their peak after `apart` s of less."""
    loud = np.flatnonzero(np.abs(samples) > part * np.abs(samples).max()) / RATE
    return loud[np.diff(loud, prepend=-1.0) > apart]


def slider_change(**severity: float) -> np.ndarray:
    slider = reciprocating.draw_slider(np.random.default_rng(4))
    condition = Condition((("vel", "250"), ("ac", "0.05")))
    faulty, sound = (
        reciprocating.slider_sound(slider, condition, state, SAMPLES, np.random.default_rng(9))
        for state in (wear("slider", **severity), wear("slider"))
    )
    return faulty - sound


def test_a_stroke_is_as_long_as_the_slider_and_as_fast_as_told():
    slider = reciprocating.draw_slider(np.random.default_rng(4))
    travelled, speed, ends, passes = reciprocating._journey(
        slider, 200.0, 0.1, 0.0, SAMPLES, np.random.default_rng(0)
    )
    assert speed.max() == pytest.approx(200.0)
    between = np.interp(ends, np.arange(SAMPLES) / RATE, travelled)
    np.testing.assert_allclose(np.diff(between), slider.stroke, rtol=1e-3)
    assert np.abs(np.diff(speed)).max() * RATE == pytest.approx(200.0 / 0.1, rel=0.02)
    assert abs(len(passes) - len(ends)) <= 1


def test_a_weak_drive_skips_strokes():
    slider = reciprocating.draw_slider(np.random.default_rng(4))
    counts = [
        sum(
            len(
                reciprocating._journey(
                    slider, 300.0, 0.1, weakness, SAMPLES, np.random.default_rng(seed)
                )[2]
            )
            for seed in range(10)
        )
        for weakness in (0.0, 1.0)
    ]
    assert 0.45 * counts[0] < counts[1] < 0.75 * counts[0]


def test_a_pitted_rail_knocks_once_a_stroke():
    slider = reciprocating.draw_slider(np.random.default_rng(4))
    knocks = onsets(slider_change(pitted_rail=1.0), 0.3, 0.15)
    stroke = slider.stroke / 250 + 0.05 + slider.dwell
    assert len(knocks) == pytest.approx(10 / stroke, abs=1.5)


def test_a_loose_stop_knocks_again_after_each_end():
    change = slider_change(loose_stop=1.0)
    first = onsets(change, 0.25, 0.25)
    assert len(first) > 5
    later = [np.abs(change[round((t + 0.035) * RATE) :][: RATE // 50]).max() for t in first[:-1]]
    assert np.median(later) > 0.4 * np.abs(change).max()


@pytest.mark.parametrize("pattern", PATTERNS)
def test_valves_click_in_their_pattern(pattern):
    opens, shuts = reciprocating._strokes(pattern, wear("valve"), SAMPLES, np.random.default_rng(0))
    assert len(opens) == pytest.approx(5 * len(PATTERNS[pattern]), abs=len(PATTERNS[pattern]))
    gaps = np.diff(np.array(PATTERNS[pattern]), axis=1).ravel()
    assert np.abs((shuts - opens)[:, None] - gaps).min(axis=1).max() < 0.03


def test_valve_faults_do_what_they_say():
    def strokes(**severity: float):
        return reciprocating._strokes(
            "04", wear("valve", **severity), SAMPLES, np.random.default_rng(5)
        )

    opens, shuts = strokes()
    missed, _ = strokes(missed_strokes=1.0)
    assert len(missed) < len(opens)
    _, late = strokes(sluggish=1.0)
    assert 0.03 < np.mean(late - shuts[: len(late)]) < 0.2


def test_a_worn_seat_bounces_after_closing():
    valves = reciprocating.draw_valves(np.random.default_rng(6))
    condition = Condition((("pat", "00"),))
    faulty, sound = (
        reciprocating.valve_sound(valves, condition, state, SAMPLES, np.random.default_rng(2))
        for state in (wear("valve", worn_seat=1.0), wear("valve"))
    )
    bounces = onsets(faulty - sound, 0.3, 0.1)
    np.testing.assert_allclose(np.diff(bounces), 1.0, atol=0.05)


def test_two_valves_sound_together():
    valves = reciprocating.draw_valves(np.random.default_rng(6))

    def power(*tags):
        sound = reciprocating.valve_sound(
            valves, Condition(tags), wear("valve"), SAMPLES, np.random.default_rng(2)
        )
        return float(np.mean(sound**2))

    both = power(("v1pat", "04"), ("v2pat", "05"))
    assert both > 1.2 * max(power(("v1pat", "04")), power(("v2pat", "05")))
