"""The figures of a report, each a pure function from numbers to an SVG element.

Nothing is shown by colour alone: systems differ in marker and dash, normal and anomalous clips lie
on either side of a base line.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from dgmix.evaluate.report import svg
from dgmix.evaluate.report.roc import Roc
from dgmix.evaluate.report.svg import Plot, Point, Scale

Floats = NDArray[np.float64]

LOOKS = 7
BINS = 24
CHANCE = 50.0
LABEL_ROOM = 20.0
MAP_PERCENTILES = (2, 98)
MAP_AIR = 1.2
MAP_DOMAINS = ("source", "target")
MAP_MARKS = {
    ("source", "normal"): "h0",
    ("target", "normal"): "m-3-3h5v5h-5z",
    ("source", "anomaly"): "m-3-3l6 6m0-6l-6 6",
    ("target", "anomaly"): "m-4 0h8m-4-4v8",
}


@dataclass(frozen=True)
class Look:
    """How a system or a seed is drawn: a class of the style sheet, and a marker."""

    class_: str
    marker: str


MANY = Look("many", "circle")


@dataclass(frozen=True)
class Row:
    """A value with its interval, all in per cent; an interval of NaN is not drawn."""

    name: str
    look: Look
    value: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class Group:
    """Scores (clip,) of the test clips of one domain and label of a section."""

    domain: str
    label: str
    scores: Floats


def looks(names: Sequence[str]) -> dict[str, Look]:
    """Return a look for each name; they repeat after the seventh."""
    markers = svg.MARKERS
    return {
        name: Look(f"s{index % LOOKS}", markers[index % len(markers)])
        for index, name in enumerate(names)
    }


def key(look: Look) -> Element:
    """Return the sample of a line and a marker that stands beside a name in a legend."""
    line = svg.node("path", d="M1 8H31", class_=f"line {look.class_}")
    marker = svg.dot(16, 8, look.class_, look.marker)
    return svg.node("svg", line, marker, viewBox="0 0 32 16", class_="key", aria_hidden="true")


def estimates(groups: Mapping[str, Sequence[Row]], label: str) -> Element:
    """Return a dot with its interval for each estimate, one below the other.

    Each group's name stands at its left; a group of one takes its estimate's name. The dotted
    line is chance, 50 %, wherever the values lie.
    """
    step, gap, top, left, width = 15.0, 10.0, 22.0, 132.0, 380.0
    rows = sum(len(group) for group in groups.values())
    bottom = top + rows * step + len(groups) * gap
    x = _percent_scale([e for group in groups.values() for e in group], left, width - 14)
    marks = _percent_grid(x, top - 12, bottom)
    y = top
    for name, group in groups.items():
        middle = y + (len(group) - 1) * step / 2
        marks.append(_cut(left - 10, middle + 4, name, 18))
        for estimate in group:
            marks += _estimate(x, y, estimate)
            y += step
        y += gap
        if len(groups) < rows and y < bottom:
            between = f"M0 {y - (step + gap) / 2:g}H{width - 14:g}"
            marks.append(svg.node("path", d=between, class_="grid"))
    return svg.figure(width, bottom + 24, label, *marks, class_="chart wide")


def roc_curves(curves: Mapping[str, tuple[Look, Roc]], label: str) -> Element:
    """Return ROC curves in one square; the band at its left is what the pAUC looks at."""
    plot = Plot(Scale(0, 1, 38, 278), Scale(0, 1, 260, 20))
    band = svg.node("rect", x="38", y="20", width="24", height="240", class_="band")
    chance = svg.node("path", d="M38 260L278 20", class_="chance")
    marks = [band, *svg.axes(plot, "false alarms", 5, 5), chance]
    marks.append(svg.words(38, 11, "anomalies detected", "label"))
    for name, (look, curve) in reversed(list(curves.items())):
        points = list(zip(curve.false_alarms.tolist(), curve.detections.tolist(), strict=True))
        title = f"{name}: area {100 * curve.area:.1f} %"
        marks += svg.line(plot, _without_repeats(points), look.class_, title)
    return svg.figure(
        290, 296, label, *marks, class_="chart", **_pointer_attributes(plot, "false alarms")
    )


def distributions(groups: Sequence[Group], label: str) -> Element:
    """Return histograms of the scores of one section: a base line for each domain.

    Normal clips (and those whose label is unknown) stand above it, anomalies hang below; a height
    is the share of the clips of its group, and the tick on the base line is the group's median.
    Scores beyond the 1st and 99th percentile of the section are counted in the outermost bars.
    """
    domains = list(dict.fromkeys(group.domain for group in groups))
    half, gap, left, width = 34.0, 18.0, 8.0, 320.0
    x = _score_scale(groups, left, width - 8)
    edges = np.linspace(x.low, x.high, BINS + 1)
    shares = [_shares(group.scores, edges) for group in groups]
    peak = max(float(share.max()) for share in shares)
    bottom = len(domains) * (2 * half + gap) + 4
    marks: list[Element] = []
    for index, domain in enumerate(domains):
        base = index * (2 * half + gap) + gap + half
        marks.append(svg.words(left, base - half - 4, domain, "label"))
        own = [pair for pair in zip(groups, shares, strict=True) if pair[0].domain == domain]
        for group, share in own:
            marks += _distribution(group, share, x, edges.tolist(), base, half / peak)
        marks.append(svg.node("path", d=f"M{left:g} {base:g}H{width - 8:g}", class_="axis"))
    marks += _score_axis(x, bottom)
    return svg.figure(width, bottom + 22, label, *marks, class_="chart")


def scatter(groups: Mapping[tuple[str, str], Floats], label: str) -> tuple[Element, int]:
    """Return points (clip, 2) of groups by domain and label, and how many lie outside.

    Both axes have the same unit and hold 96 % of the points; those outside are drawn at the edge.
    Each group has a colour for its domain and a shape for both, so that none is known by its colour
    alone.
    """
    side, edge = 260.0, 8.0
    every = np.concatenate(list(groups.values()))
    low, high = np.percentile(every, MAP_PERCENTILES, axis=0)
    middle = (low + high) / 2
    reach = MAP_AIR * float((high - low).max()) / 2 or 1.0
    x, y = (
        Scale(at - reach, at + reach, start, side - start)
        for at, start in zip(middle.tolist(), (edge, side - edge), strict=True)
    )
    marks = [svg.node("rect", width=f"{side:g}", height=f"{side:g}", class_="grid")]
    for (domain, kind), points in groups.items():
        places = [(x(first), y(second)) for first, second in points.tolist()]
        title = f"{domain}, {kind}: {len(points)} clips"
        marks.append(scattered(places, domain, kind, title))
    figure = svg.figure(side, side, label, *marks, class_="chart")
    return figure, int((np.abs(every - middle) > reach).any(axis=1).sum())


def scattered(places: Sequence[Point], domain: str, kind: str, title: str = "") -> Element:
    """Return a mark at each of `places`, all in one path, in the look of a domain and label."""
    mark = MAP_MARKS.get((domain, kind), "m-2 0h4")
    path = "".join(f"M{x:.0f} {y:.0f}{mark}" for x, y in places)
    class_ = domain if domain in MAP_DOMAINS else "neither"
    dot = " dot" if mark == "h0" else ""
    return svg.node("path", d=path, class_=f"points {class_}{dot}", title=title)


def training_curves(
    curves: Mapping[str, tuple[Look, Sequence[Point]]], label: str, log: bool = False
) -> Element:
    """Return one value over the epochs, a line for each training.

    The scale starts at 0, unless `log` asks for decades and all values are positive.
    """
    points = [point for _, line in curves.values() for point in line]
    x = svg.spanning((epoch for epoch, _ in points), 46, 310)
    y = svg.spanning((value for _, value in points), 138, 10, log)
    plot = Plot(x, y if y.log else svg.from_zero(y))
    marks = svg.axes(plot, "epoch", 5, 4)
    for name, (look, line) in reversed(list(curves.items())):
        title = f"{name}: {svg.short(line[0][1])} at first, {svg.short(line[-1][1])} at last"
        marks += svg.line(plot, line, look.class_, title)
    return svg.figure(320, 174, label, *marks, class_="chart", **_pointer_attributes(plot, "epoch"))


def _percent_scale(values: Sequence[Row], start: float, end: float) -> Scale:
    """Return a scale that holds every interval, and chance, with a little room."""
    ends = [v for e in values for v in (e.value, e.low, e.high) if math.isfinite(v)]
    low, high = min([CHANCE, *ends]), max([CHANCE + 1, *ends])
    room = 0.05 * (high - low)
    return Scale(max(low - room, 0), min(high + room, 100), start, end)


def _percent_grid(x: Scale, top: float, bottom: float) -> list[Element]:
    marks = []
    for value in sorted({*x.ticks(5), CHANCE}):
        at = svg.number(x(value))
        class_ = "chance" if value == CHANCE else "grid"
        marks.append(svg.node("path", d=f"M{at} {top:g}V{bottom:g}", class_=class_))
        if value == CHANCE or abs(x(value) - x(CHANCE)) >= LABEL_ROOM:
            marks.append(svg.words(x(value), bottom + 15, f"{value:g}", "tick", "middle"))
    return marks


def _estimate(x: Scale, y: float, row: Row) -> list[Element]:
    if not math.isfinite(row.value):
        return []
    title = f"{row.name}: {row.value:.1f} %"
    marks = []
    if math.isfinite(row.low) and math.isfinite(row.high):
        title += f", {row.low:.1f} to {row.high:.1f}"
        marks.append(svg.interval(x, row.low, row.high, y, row.look.class_))
    return [*marks, svg.dot(x(row.value), y, row.look.class_, row.look.marker, title)]


def _cut(x: float, y: float, text: str, most: int) -> Element:
    """Return text that ends at x; one too long is cut, with the whole as its title."""
    if len(text) <= most:
        return svg.words(x, y, text, "label", "end")
    cut = svg.words(x, y, f"{text[: most - 1]}…", "label", "end")
    cut.append(svg.node("title", text=text))
    return cut


def _without_repeats(points: Sequence[Point]) -> list[Point]:
    """Leave out points that lie on the straight line, level or upright, between neighbours."""
    kept = [
        point
        for before, point, after in zip(points, points[1:], points[2:], strict=False)
        if not any(before[axis] == point[axis] == after[axis] for axis in (0, 1))
    ]
    return [points[0], *kept, points[-1]]


def _pointer_attributes(plot: Plot, x_name: str) -> dict[str, str]:
    """Return the attributes from which the page's script reads values under the pointer."""
    sides = {"data_x": plot.x, "data_y": plot.y}
    return {"data_x_name": x_name} | {
        name: " ".join(f"{v:.6g}" for v in (side.start, side.end, side.low, side.high))
        + (" log" if side.log else "")
        for name, side in sides.items()
    }


def _score_scale(groups: Sequence[Group], start: float, end: float) -> Scale:
    scores = np.concatenate([group.scores for group in groups])
    low, high = np.percentile(scores, [1, 99]).tolist()
    return svg.spanning([low, high], start, end)


def _shares(scores: Floats, edges: Floats) -> Floats:
    counts, _ = np.histogram(np.clip(scores, edges[0], edges[-1]), edges)
    return counts / len(scores)


def _distribution(
    group: Group, shares: Floats, x: Scale, edges: Sequence[float], base: float, height: float
) -> list[Element]:
    up = -1 if group.label != "anomaly" else 1
    y = Scale(0, 1, base, base + up * height)
    quarter, median, three = (svg.short(v) for v in np.percentile(group.scores, [25, 50, 75]))
    title = (
        f"{group.domain}, {group.label}: {len(group.scores)} clips, "
        f"median {median}, middle half {quarter} to {three}"
    )
    at = svg.number(x(float(np.median(group.scores))))
    tick = svg.node("path", d=f"M{at} {base:g}v{up * 10}", class_="median")
    return [svg.histogram(x, y, edges, shares.tolist(), group.label, title), tick]


def _score_axis(x: Scale, y: float) -> list[Element]:
    marks = []
    for value in x.ticks(5):
        at = svg.number(x(value))
        marks.append(svg.node("path", d=f"M{at} {y:g}v4", class_="grid"))
        marks.append(svg.words(x(value), y + 16, svg.short(value), "tick", "middle"))
    return marks
