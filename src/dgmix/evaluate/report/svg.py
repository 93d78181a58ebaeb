"""Plain SVG: elements, scales, axes and the marks that the figures of a report are made of.

Everything here returns `xml.etree` elements, so that text is escaped where it is written and a
figure is well-formed by construction. Lengths and positions are in units of the view box, y down.
Colours and widths are left to the page's style sheet, which knows the classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element, tostring

Point = tuple[float, float]

MARKERS = ("circle", "square", "triangle", "diamond")


def node(
    tag: str, *children: Element, text: str = "", title: str = "", **attributes: str
) -> Element:
    """Return an element; `class_` stands for `class`, and `_` elsewhere in a name for `-`.

    `title` becomes a `<title>` child, which browsers show on hover and screen readers read.
    """
    made = Element(tag, {_attribute(name): value for name, value in attributes.items() if value})
    made.text = text or None
    if title:
        made.append(node("title", text=title))
    made.extend(children)
    return made


def render(element: Element) -> str:
    """Return the element as text that is both XML and HTML."""
    return tostring(element, encoding="unicode")


def number(value: float) -> str:
    """Return a position as text: a tenth of a unit is finer than anyone sees."""
    return f"{round(value, 1) + 0.0:g}"


@dataclass(frozen=True)
class Scale:
    """Maps values from `low` to `high` onto positions from `start` to `end`."""

    low: float
    high: float
    start: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        """Return the position of a value; one outside the range lands on the nearer end."""
        low, high, value = (self._linear(v) for v in (self.low, self.high, value))
        share = (value - low) / (high - low)
        return self.start + (self.end - self.start) * min(max(share, 0.0), 1.0)

    def ticks(self, count: int = 5) -> list[float]:
        """Return about `count` round values within the range: decades, where it is logarithmic."""
        return _decades(self.low, self.high, count) if self.log else _round_values(self, count)

    def _linear(self, value: float) -> float:
        if not self.log:
            return value
        return math.log10(value) if value > 0 else -math.inf


def spanning(values: Iterable[float], start: float, end: float, log: bool = False) -> Scale:
    """Return a scale over the finite ones of `values`, widened where they are all the same.

    A logarithmic scale is given only where all of them are positive.
    """
    finite = [value for value in values if math.isfinite(value)] or [0.0, 1.0]
    low, high = min(finite), max(finite)
    log = log and low > 0
    if high - low <= 1e-9 * max(abs(low), abs(high)):
        low, high = (low / 2, high * 2) if log else _around(low)
    return Scale(low, high, start, end, log)


def from_zero(scale: Scale, count: int = 4) -> Scale:
    """Return the scale widened to hold 0, and to end on round values."""
    low, high = min(scale.low, 0.0), max(scale.high, 0.0)
    step = _step(low, high, count)
    low, high = math.floor(low / step + 1e-9) * step, math.ceil(high / step - 1e-9) * step
    return Scale(low, high, scale.start, scale.end)


@dataclass(frozen=True)
class Plot:
    """The area of a figure that holds the marks, and its two scales."""

    x: Scale
    y: Scale

    def at(self, point: Point) -> Point:
        """Return where a point of data lies in the view box."""
        return self.x(point[0]), self.y(point[1])


def figure(
    width: float, height: float, label: str, *children: Element, **attributes: str
) -> Element:
    """Return a whole `<svg>`, one image to a screen reader, described by `label`."""
    return node(
        "svg",
        *children,
        viewBox=f"0 0 {number(width)} {number(height)}",
        role="img",
        aria_label=label,
        **attributes,
    )


def words(x: float, y: float, text: str, class_: str = "", anchor: str = "") -> Element:
    """Return a line of text; `anchor` is "middle" or "end" where it does not start at x."""
    return node("text", text=text, x=number(x), y=number(y), class_=class_, text_anchor=anchor)


def axes(plot: Plot, x_label: str = "", x_ticks: int = 5, y_ticks: int = 4) -> list[Element]:
    """Return grid lines with their values below and to the left of the plot."""
    x, y = plot.x, plot.y
    marks = [_rule(x.start, y(v), x.end, y(v)) for v in y.ticks(y_ticks)]
    marks += [_rule(x(v), y.start, x(v), y.start + 4) for v in x.ticks(x_ticks)]
    marks.append(_rule(x.start, y.start, x.end, y.start, "axis"))
    marks += [words(x.start - 5, y(v) + 4, short(v), "tick", "end") for v in y.ticks(y_ticks)]
    marks += [words(x(v), y.start + 16, short(v), "tick", "middle") for v in x.ticks(x_ticks)]
    if x_label:
        marks.append(words((x.start + x.end) / 2, y.start + 31, x_label, "label", "middle"))
    return marks


def line(plot: Plot, points: Sequence[Point], class_: str, title: str = "") -> list[Element]:
    """Return the curve through `points`, in as many pieces as values that are not finite leave."""
    pieces = [[plot.at(point) for point in piece] for piece in _finite_pieces(points)]
    return [
        dot(*piece[0], class_, title=title, size=2)
        if len(piece) == 1
        else node("polyline", points=_coordinates(piece), class_=f"line {class_}", title=title)
        for piece in pieces
    ]


def dot(
    x: float, y: float, class_: str, shape: str = "circle", title: str = "", size: float = 5
) -> Element:
    """Return a marker of one of the `MARKERS` shapes, of the same area whichever it is."""
    if shape == "circle":
        return node(
            "circle",
            cx=number(x),
            cy=number(y),
            r=number(size),
            class_=f"dot {class_}",
            title=title,
        )
    return node(
        "polygon",
        points=_coordinates([(x + size * dx, y + size * dy) for dx, dy in _OUTLINES[shape]]),
        class_=f"dot {class_}",
        title=title,
    )


def interval(x: Scale, low: float, high: float, y: float, class_: str) -> Element:
    """Return a horizontal bar with end caps from `low` to `high`, at height `y`."""
    left, right = number(x(low)), number(x(high))
    top, middle, bottom = number(y - 4), number(y), number(y + 4)
    path = f"M{left} {top}V{bottom}M{left} {middle}H{right}M{right} {top}V{bottom}"
    return node("path", d=path, class_=f"interval {class_}")


def histogram(
    x: Scale, y: Scale, edges: Sequence[float], heights: Sequence[float], class_: str, title: str
) -> Element:
    """Return one outline over all bars: `heights[i]` from `edges[i]` to `edges[i + 1]`."""
    steps = "".join(
        f"V{number(y(height))}H{number(x(edge))}"
        for height, edge in zip(heights, edges[1:], strict=True)
    )
    path = f"M{number(x(edges[0]))} {number(y(0))}{steps}V{number(y(0))}Z"
    return node("path", d=path, class_=f"bars {class_}", title=title)


def short(value: float) -> str:
    """Return a value in at most four figures, the way people write it."""
    if not math.isfinite(value):
        return "not finite"
    text = f"{value:.4g}"
    return with_minus(text.replace("e-0", "e-").replace("e+0", "e").replace("e+", "e"))


def with_minus(text: str) -> str:
    """Return a text of numbers with minus signs in place of hyphens."""
    return text.replace("-", "−")


_OUTLINES: dict[str, list[Point]] = {
    "square": [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
    "triangle": [(0.0, -1.3), (1.2, 0.8), (-1.2, 0.8)],
    "diamond": [(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)],
}


def _attribute(name: str) -> str:
    return name.rstrip("_").replace("_", "-")


def _rule(x1: float, y1: float, x2: float, y2: float, class_: str = "grid") -> Element:
    path = f"M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}"
    return node("path", d=path, class_=class_)


def _coordinates(points: Iterable[Point]) -> str:
    return " ".join(f"{number(x)},{number(y)}" for x, y in points)


def _finite_pieces(points: Sequence[Point]) -> list[list[Point]]:
    pieces: list[list[Point]] = [[]]
    for point in points:
        if all(math.isfinite(value) for value in point):
            pieces[-1].append(point)
        elif pieces[-1]:
            pieces.append([])
    return [piece for piece in pieces if piece]


def _around(value: float) -> tuple[float, float]:
    reach = abs(value) / 2 or 0.5
    return value - reach, value + reach


def _step(low: float, high: float, count: int) -> float:
    """Return 1, 2 or 5 times a power of ten, about `count` of which lie between the two."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    return next(step * power for step in (1, 2, 5, 10) if step * power >= rough * (1 - 1e-9))


def _round_values(scale: Scale, count: int) -> list[float]:
    step = _step(scale.low, scale.high, count)
    first, last = math.ceil(scale.low / step - 1e-9), math.floor(scale.high / step + 1e-9)
    digits = 12 - math.floor(math.log10(step))
    return [round(index * step, digits) for index in range(first, last + 1)]


def _decades(low: float, high: float, count: int) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    factors = (1.0, 2.0, 5.0) if last - first < count / 2 else (1.0,)
    every = max(1, math.ceil((last - first) / count))
    values = [f * 10.0**power for power in range(first, last + 1, every) for f in factors]
    return [value for value in values if low <= value * (1 + 1e-9) and value <= high * (1 + 1e-9)]
