import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from dgmix.detect.localize import Localization
from dgmix.evaluate.report.listening.unusual import (
    excess,
    extent_in_words,
    frequency,
    in_words,
    most_unusual,
)

HOP = 0.032
surprises = arrays(
    np.float32,
    array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=30),
    elements=st.floats(0, 100, width=32),
)


def localization(surprise):
    frames, bands = surprise.shape
    hertz = np.geomspace(50, 7800, bands) if bands > 1 else np.array([1000.0])
    time, over = surprise.max(1), surprise.max(0)
    return Localization(np.arange(frames) * HOP, hertz, surprise, time, over)


def quiet(frames=100, bands=40):
    return np.full((frames, bands), 0.5, np.float32)


def test_a_click_is_short_and_of_all_bands():
    surprise = quiet()
    surprise[60:63] = 8.0
    region = most_unusual(localization(surprise))
    assert region.frames == (60, 62)
    assert region.bands == (0, 39)
    assert region.seconds == pytest.approx((59.5 * HOP, 62.5 * HOP))
    assert not region.throughout


def test_a_tone_is_long_and_of_few_bands():
    surprise = quiet()
    surprise[:, 20:22] = 8.0
    region = most_unusual(localization(surprise))
    assert region.frames == (0, 99)
    assert region.bands == (20, 21)
    assert region.throughout
    assert region.hertz[0] < region.where < region.hertz[1]


def test_bands_are_those_of_the_moment():
    surprise = quiet()
    surprise[10:20, 5:8] = 6.0
    surprise[70:80, 30:33] = 9.0
    region = most_unusual(localization(surprise))
    assert (region.frames, region.bands) == ((70, 79), (30, 32))
    assert region.profile == pytest.approx(surprise[75])


@given(surprises)
def test_the_region_holds_its_peak_and_ends_where_the_surprise_has_halved(surprise):
    place = localization(surprise)
    region = most_unusual(place)
    for (first, last), values in ((region.frames, place.over_time), (region.bands, region.profile)):
        assert values[first : last + 1].max() >= 0.99 * values.max()
        assert (values[first : last + 1] >= 0.5 * values.max()).all()
        outside = [values[i] for i in (first - 1, last + 1) if 0 <= i < len(values)]
        assert all(value < 0.5 * values.max() for value in outside)
    assert region.seconds[0] <= region.when <= region.seconds[1]
    assert region.hertz[0] <= region.where <= region.hertz[1]


def test_excess_is_the_mean_level_above_the_usual_one():
    surprise = quiet()
    surprise[10:20, 5:8] = 6.0
    region = most_unusual(localization(surprise))
    usual = np.linspace(-60, -20, 40)
    level = np.tile(usual, (100, 1))
    level[10:20, 5:8] += 7
    assert excess(level, region, usual) == pytest.approx(7)
    assert excess(-level, region, -usual) == pytest.approx(-7)


@pytest.mark.parametrize(
    ("hertz", "words"),
    [
        (44.2, "44 Hz"),
        (994.0, "990 Hz"),
        (996.0, "1 kHz"),
        (2449.0, "2.4 kHz"),
        (12345.0, "12 kHz"),
    ],
)
def test_frequencies_have_two_figures(hertz, words):
    assert frequency(hertz) == words


def test_words():
    surprise = quiet()
    surprise[60:63, 20] = 8.0
    region = most_unusual(localization(surprise))
    assert in_words(region) == f"at 2.0 s, around {frequency(region.where)}"
    low, high = (frequency(edge).split()[0] for edge in region.hertz)
    assert extent_in_words(region) == f"1.9 to 2.0 s, {low} to {high} Hz"
    always = most_unusual(localization(quiet()))
    assert in_words(always) == f"throughout, around {frequency(always.where)}"
    assert always.when == pytest.approx(50 * HOP)
