from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dgmix.detect.localize import Localization
from dgmix.evaluate.report import svg
from dgmix.evaluate.report.listening import figures
from dgmix.evaluate.report.listening.excerpt import Excerpt
from dgmix.evaluate.report.listening.figures import Ranges
from dgmix.evaluate.report.listening.unusual import most_unusual

RATE, HOP, BANDS = 16_000, 0.032, 32
HERTZ = np.geomspace(50, 7800, BANDS)
finite = arrays(np.float64, st.integers(1, 30), elements=st.floats(-1e3, 1e3))


def scene(seconds=10.0, first=100, last=120, low=8, high=11):
    """An excerpt from 5 s on, with an unusual region."""
    frames = round(seconds / HOP)
    surprise = np.full((frames, BANDS), 0.5, np.float32)
    surprise[first:last, low:high] = 6.0
    level = np.random.default_rng(0).normal(-40, 5, (frames, BANDS)).astype(np.float32)
    over = surprise.max(1)
    region = most_unusual(
        Localization(5 + np.arange(frames) * HOP, HERTZ, surprise, over, surprise.max(0))
    )
    samples = np.zeros(round(seconds * RATE), np.float32)
    return Excerpt(samples, RATE, level, over, HERTZ, HOP, round(5 / HOP)), region


def drawing(framed=True, **place):
    excerpt, region = scene(**place)
    figure = figures.sound_picture(excerpt, region, Ranges(-60, -20, 6, 6), "label", framed)
    return excerpt, region, fromstring(svg.render(figure))


def of_class(figure, name):
    return [node for node in figure.iter() if name in node.get("class", "").split()]


def test_the_frame_is_where_the_region_is():
    excerpt, region, figure = drawing()
    frame = of_class(figure, "frame")[-1]
    left, top, width, height = (float(frame.get(name)) for name in ("x", "y", "width", "height"))
    share = (np.array(region.seconds) - excerpt.begin) / (excerpt.end - excerpt.begin)
    across = figures.LEFT + share * (figures.RIGHT - figures.LEFT)
    assert (left + figures.AIR, left + width - figures.AIR) == pytest.approx(across, abs=0.2)
    rows = (figures.BOTTOM - figures.TOP) / BANDS
    assert figures.BOTTOM - (top + height - figures.AIR) == pytest.approx(8 * rows, abs=0.2)
    assert height - 2 * figures.AIR == pytest.approx(3 * rows, abs=0.2)


def test_only_a_framed_picture_has_a_frame():
    assert not of_class(drawing(framed=False)[2], "frame")


def test_a_frame_beyond_the_excerpt_ends_at_the_picture():
    _, _, figure = drawing(first=0, last=312, low=0, high=BANDS)
    frame = of_class(figure, "frame")[-1]
    assert float(frame.get("x")) == figures.LEFT
    assert float(frame.get("width")) == figures.RIGHT - figures.LEFT
    assert float(frame.get("height")) == figures.BOTTOM - figures.TOP


def test_the_axes_are_in_seconds_of_the_recording_and_kilohertz():
    _, _, figure = drawing()
    texts = [node.text for node in figure.iter() if node.tag == "text"]
    assert {"6", "14", "seconds", "kHz", "0.5", "1", "8"} <= set(texts)
    beside = [
        (float(node.text), float(node.get("y")))
        for node in figure.iter()
        if node.get("text-anchor") == "end" and float(node.get("y")) < figures.BOTTOM
    ]
    assert [kilohertz for kilohertz, _ in sorted(beside, key=lambda tick: -tick[1])] == [
        kilohertz for kilohertz, _ in sorted(beside)
    ]
    assert len(beside) >= 4


def test_the_script_learns_where_time_runs():
    excerpt, _, figure = drawing()
    start, end, seconds = (float(value) for value in figure.get("data-time").split())
    assert (start, end) == (figures.LEFT, figures.RIGHT)
    assert seconds == pytest.approx(excerpt.end - excerpt.begin)


def test_overview_marks_the_excerpt():
    everything, _ = scene(60.0)
    excerpt = everything.cut(500, 312)
    figure = fromstring(svg.render(figures.overview(everything, excerpt)))
    (mark,) = of_class(figure, "band")
    share = (excerpt.begin - everything.begin) / (everything.end - everything.begin)
    expected = figures.LEFT + share * (figures.RIGHT - figures.LEFT)
    assert float(mark.get("x")) == pytest.approx(expected, abs=0.1)
    (line,) = of_class(figure, "line")
    assert len(line.get("points").split()) <= 400


@given(finite, finite, st.floats(-1e3, 1e3) | st.just(float("inf")))
def test_standing_draws_any_scores(healthy, scored, threshold):
    figure = fromstring(svg.render(figures.standing(healthy, scored, threshold, "label")))
    assert len(of_class(figure, "bars")) == 2
    assert len(of_class(figure, "limit")) == np.isfinite(threshold)
    ticks = of_class(figure, "interval")[0].get("d").count("M")
    assert 1 <= ticks <= len(set(scored.tolist()))


def test_scores_far_apart_have_a_logarithmic_scale():
    near = svg.render(figures.standing(np.array([1.0, 2.0]), np.array([3.0]), 2.5, "label"))
    far = svg.render(figures.standing(np.array([1.0, 2.0]), np.array([900.0]), 2.5, "label"))
    assert ">100<" not in near
    assert all(f">{decade}<" in far for decade in (1, 10, 100))
