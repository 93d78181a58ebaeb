import math
import re
from itertools import pairwise
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgmix.evaluate.report import svg
from dgmix.evaluate.report.svg import Plot, Scale

finite = st.floats(-1e6, 1e6, allow_nan=False)
spans = st.tuples(finite, st.floats(1e-3, 1e6)).map(lambda pair: (pair[0], pair[0] + pair[1]))


def numbers(text: str) -> list[float]:
    return [float(number) for number in re.findall(r"-?\d+\.?\d*(?:e[+-]?\d+)?", text)]


def test_node_escapes_text_and_attributes():
    made = svg.node("text", text="a < b & c", title="<script>", class_='"', stroke_width="2")
    text = svg.render(made)
    assert "<script>" not in text
    assert "a &lt; b &amp; c" in text
    read = fromstring(text)
    assert read.attrib == {"class": '"', "stroke-width": "2"}
    assert (read.text, read[0].tag, read[0].text) == ("a < b & c", "title", "<script>")


@given(spans)
def test_scale_maps_its_ends_and_keeps_order(span):
    scale = Scale(*span, 40, 300)
    assert (scale(span[0]), scale(span[1])) == (40, 300)
    middle = (span[0] + span[1]) / 2
    assert 40 < scale(middle) < 300


def test_scale_keeps_what_lies_outside_at_its_ends():
    scale = Scale(0, 1, 100, 0)
    assert (scale(-5), scale(7)) == (100, 0)
    assert Scale(1, 100, 0, 10, log=True)(0) == 0


def test_logarithmic_scale_gives_a_decade_the_same_length_everywhere():
    scale = Scale(0.01, 100, 0, 200, log=True)
    assert [scale(v) for v in (0.01, 0.1, 1, 10, 100)] == pytest.approx([0, 50, 100, 150, 200])


@given(spans, st.integers(2, 8))
def test_ticks_are_few_round_and_inside(span, count):
    ticks = Scale(*span, 0, 1).ticks(count)
    slack = 1e-6 * (span[1] - span[0])
    assert len(ticks) <= count + 1
    assert all(span[0] - slack <= tick <= span[1] + slack for tick in ticks)
    steps = {round(b - a, 9) for a, b in pairwise(ticks)}
    assert all(f"{step:.0e}"[0] in "125" for step in steps if step > 1e-6)


@pytest.mark.parametrize(
    ("low", "high", "count", "expected"),
    [
        (0, 1, 5, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (49.2, 78, 5, [50, 60, 70]),
        (0.0003, 0.001, 4, [0.0004, 0.0006, 0.0008, 0.001]),
    ],
)
def test_ticks_of_known_ranges(low, high, count, expected):
    assert Scale(low, high, 0, 1).ticks(count) == expected


def test_logarithmic_ticks_are_decades_or_their_parts():
    assert Scale(1e-4, 1e3, 0, 1, log=True).ticks(4) == pytest.approx([1e-4, 1e-2, 1, 100])
    assert Scale(1, 12, 0, 1, log=True).ticks(5) == pytest.approx([1, 2, 5, 10])


@pytest.mark.parametrize("values", [[3.0], [0.0, 0.0], [-2.0], [math.nan, math.inf], []])
def test_spanning_has_a_width_for_any_values(values):
    scale = svg.spanning(values, 0, 100)
    assert scale.low < scale.high
    assert all(0 <= scale(value) <= 100 for value in values if math.isfinite(value))


def test_spanning_is_logarithmic_only_where_every_value_is_positive():
    assert svg.spanning([1.0, 10.0], 0, 1, log=True).log
    assert not svg.spanning([0.0, 10.0], 0, 1, log=True).log


@given(spans)
def test_from_zero_holds_zero_and_all_that_was_there(span):
    wide = svg.from_zero(Scale(*span, 0, 1))
    slack = 1e-6 * (wide.high - wide.low)
    assert wide.low <= min(0, span[0]) + slack
    assert wide.high >= max(0, span[1]) - slack


def test_line_breaks_where_a_value_is_not_finite():
    plot = Plot(Scale(0, 4, 0, 40), Scale(0, 1, 10, 0))
    points = [(0, 0.0), (1, 1.0), (2, math.nan), (3, 0.5), (4, math.inf)]
    pieces = svg.line(plot, points, "s0", "name")
    assert [piece.tag for piece in pieces] == ["polyline", "circle"]
    assert pieces[0].attrib["points"] == "0,10 10,0"
    assert (pieces[1].attrib["cx"], pieces[1].attrib["cy"]) == ("30", "5")


def test_histogram_outlines_every_bar_from_its_base():
    x, y = Scale(0, 3, 0, 30), Scale(0, 1, 50, 0)
    path = svg.histogram(x, y, [0, 1, 2, 3], [0.5, 0.0, 1.0], "normal", "").attrib["d"]
    assert path == "M0 50V25H10V50H20V0H30V50Z"


@pytest.mark.parametrize("marker", svg.MARKERS)
def test_markers_surround_their_centre(marker):
    made = svg.dot(50, 60, "s0", marker, size=5)
    if made.tag == "circle":
        assert (made.attrib["cx"], made.attrib["cy"]) == ("50", "60")
    else:
        corners = [tuple(numbers(pair)) for pair in made.attrib["points"].split()]
        assert min(x for x, _ in corners) < 50 < max(x for x, _ in corners)
        assert min(y for _, y in corners) < 60 < max(y for _, y in corners)
        assert all(math.hypot(x - 50, y - 60) < 8 for x, y in corners)


def test_axes_write_each_tick_value_once():
    plot = Plot(Scale(0, 10, 40, 300), Scale(0, 1, 140, 10))
    marks = svg.axes(plot, "epoch", 5, 4)
    texts = [mark.text for mark in marks if mark.tag == "text"]
    assert texts == ["0", "0.5", "1", "0", "2", "4", "6", "8", "10", "epoch"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.5, "0.5"), (1e-5, "1e−5"), (123456.0, "1.235e5"), (-2.0, "−2"), (math.nan, "not finite")],
)
def test_short(value, text):
    assert svg.short(value) == text
