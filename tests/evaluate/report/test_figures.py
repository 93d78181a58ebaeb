import math
import re

import numpy as np
import pytest

from dgmix.evaluate.report import figures, svg
from dgmix.evaluate.report.figures import Group, Row
from dgmix.evaluate.report.roc import roc

NAMES = ["dgmix", "untrained", "logmel-mean", "logmel-max"]


def marks(figure, class_):
    return [mark for mark in figure.iter() if class_ in mark.get("class", "").split()]


def points(mark):
    return [tuple(map(float, pair.split(","))) for pair in mark.attrib["points"].split()]


def assert_inside(figure):
    """Every position lies in the view box; of a path, that of each absolute command."""
    _, _, width, height = map(float, figure.attrib["viewBox"].split())
    for mark in figure.iter():
        if "points" in mark.attrib:
            xs, ys = zip(*points(mark), strict=True)
        elif "d" in mark.attrib:
            pairs = re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", mark.attrib["d"])
            xs = [float(x) for x, _ in pairs] + path_values(mark, "H")
            ys = [float(y) for _, y in pairs] + path_values(mark, "V")
        else:
            xs = [float(mark.attrib[name]) for name in ("x", "cx") if name in mark.attrib]
            ys = [float(mark.attrib[name]) for name in ("y", "cy") if name in mark.attrib]
        assert all(0 <= x <= width for x in xs), mark.attrib
        assert all(0 <= y <= height for y in ys), mark.attrib


def path_values(mark, command):
    return [float(value) for value in re.findall(rf"{command}(-?[\d.]+)", mark.attrib["d"])]


def groups(seed=0, domains=("source", "target"), labels=("normal", "anomaly"), clips=40):
    rng = np.random.default_rng(seed)
    return [
        Group(domain, label, rng.normal(2 * (label == "anomaly"), 1, clips))
        for domain in domains
        for label in labels
    ]


def test_looks_differ_in_marker_as_well_as_colour():
    looks = figures.looks(NAMES)
    assert len({look.class_ for look in looks.values()}) == len(NAMES)
    assert len({look.marker for look in looks.values()}) == len(NAMES)


def test_estimates_draw_a_dot_and_an_interval_each():
    looks = figures.looks(NAMES)
    rows = [Row(n, looks[n], 55.0 + i, 50.0 + i, 58.0 + i) for i, n in enumerate(NAMES)]
    figure = figures.estimates({"fan": rows, "valve": rows}, "label")
    assert len(marks(figure, "dot")) == 8
    assert len(marks(figure, "interval")) == 8
    assert len(marks(figure, "chance")) == 1
    assert_inside(figure)


@pytest.mark.parametrize("values", [(28, 81), (50, 96), (12, 47), (88, 99), (50, 50), (49, 51)])
def test_estimates_show_chance_wherever_the_values_lie(values):
    look = figures.looks(["a"])["a"]
    rows = {str(n): [Row(str(n), look, v, v - 1, v + 1)] for n, v in enumerate(values)}
    figure = figures.estimates(rows, "label")
    [chance] = marks(figure, "chance")
    at, top = chance.attrib["d"][1:].split("V")[0].split()
    words = [each for each in figure.iter() if each.text == "50"]
    assert [each.attrib["x"] for each in words] == [at]
    first, *_ = marks(figure, "dot")
    assert float(first.attrib["cy"]) - float(first.attrib["r"]) > float(top)
    assert_inside(figure)


def test_estimates_order_of_dots_is_that_of_the_values():
    look = figures.looks(["a"])["a"]
    values = [72.0, 51.0, 60.0]
    rows = {str(v): [Row(str(v), look, v, v - 2, v + 2)] for v in values}
    dots = [float(dot.attrib["cx"]) for dot in marks(figures.estimates(rows, "label"), "dot")]
    assert np.argsort(dots).tolist() == np.argsort(values).tolist()


def test_estimates_leave_out_what_is_not_defined():
    look = figures.looks(["a"])["a"]
    figure = figures.estimates(
        {"a": [Row("a", look, math.nan)], "b": [Row("b", look, 60)]}, "label"
    )
    assert len(marks(figure, "dot")) == 1
    assert not marks(figure, "interval")


def test_estimates_cut_long_names_and_keep_them_as_title():
    look = figures.looks(["a"])["a"]
    name = "a machine with a very long name"
    text = svg.render(figures.estimates({name: [Row(name, look, 60)]}, "label"))
    assert "a machine with a …" in text
    assert f"<title>{name}</title>" in text


def test_roc_curves_run_from_corner_to_corner():
    curve = roc(np.array([0.0, 1.0, 2.0]), np.array([1.5, 3.0]))
    look = figures.looks(["a"])["a"]
    figure = figures.roc_curves({"a": (look, curve)}, "label")
    (line,) = marks(figure, "line")
    assert points(line)[0] == (38, 260)
    assert points(line)[-1] == (278, 20)
    assert "area 83.3 %" in svg.render(line)
    assert_inside(figure)


def test_distributions_put_anomalies_below_and_the_rest_above_their_line():
    figure = figures.distributions(groups(labels=("normal", "unknown", "anomaly")), "label")
    for class_, up in (("normal", True), ("unknown", True), ("anomaly", False)):
        for bars in marks(figure, class_):
            heights = path_values(bars, "V")
            base = heights[-1]
            assert all(y <= base if up else y >= base for y in heights)
            assert any(y != base for y in heights)
    assert_inside(figure)


def test_distributions_heights_are_shares_of_the_group():
    scores = np.repeat([0.0, 1.0], [3, 1])
    figure = figures.distributions([Group("source", "normal", scores)], "label")
    (bars,) = marks(figure, "bars")
    base, *heights = [
        float(re.match(r"M\S+ (\S+?)V", bars.attrib["d"])[1]),
        *path_values(bars, "V"),
    ]
    risen = sorted(base - y for y in heights if y != base)
    assert len(heights) == figures.BINS + 1
    assert risen[-1] / risen[0] == pytest.approx(3, rel=0.02)


@pytest.mark.parametrize(
    "scores",
    [[1.0], [2.0, 2.0, 2.0], [0.0, 1e9], [-1e-12, 1e-12], [*range(100), 1e6]],
    ids=["one clip", "all the same", "far apart", "tiny", "an outlier"],
)
def test_distributions_of_awkward_scores(scores):
    figure = figures.distributions([Group("source", "normal", np.array(scores, float))], "label")
    assert_inside(figure)
    assert len(marks(figure, "bars")) == 1


def test_distributions_tell_their_numbers():
    group = Group("target", "anomaly", np.array([1.0, 2.0, 3.0, 4.0]))
    text = svg.render(figures.distributions([group], "label"))
    assert "target, anomaly: 4 clips, median 2.5, middle half 1.75 to 3.25" in text


def test_training_curves_start_at_zero_and_read_back():
    look = figures.looks(["seed 0"])["seed 0"]
    line = [(1, 4.0), (2, 3.0), (3, 1.0)]
    figure = figures.training_curves({"seed 0": (look, line)}, "label")
    start, end, low, high = map(float, figure.attrib["data-y"].split())
    assert low == 0
    left, right, first, last = map(float, figure.attrib["data-x"].split())
    (drawn,) = marks(figure, "line")
    read = [
        (
            first + (x - left) / (right - left) * (last - first),
            low + (y - start) / (end - start) * (high - low),
        )
        for x, y in points(drawn)
    ]
    np.testing.assert_allclose(read, line, atol=0.01)
    assert_inside(figure)


def test_training_curves_survive_values_that_are_not_finite():
    look = figures.looks(["seed 0"])["seed 0"]
    figure = figures.training_curves({"seed 0": (look, [(1, math.nan), (2, math.inf)])}, "label")
    assert not marks(figure, "line")
    assert_inside(figure)
