"""The figures of recordings: spectrogram with the surprise around it, overview, standing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from dgmix.evaluate.report import svg
from dgmix.evaluate.report.listening.excerpt import Excerpt
from dgmix.evaluate.report.listening.png import picture
from dgmix.evaluate.report.listening.unusual import Region, extent_in_words
from dgmix.evaluate.report.svg import Plot, Point, Scale

Floats = NDArray[np.float64]

WIDTH, HEIGHT = 480.0, 316.0
LEFT, RIGHT, TOP, BOTTOM = 42.0, 398.0, 20.0, 208.0
BESIDE = (408.0, 470.0)
UNDER = (218.0, 274.0)
KILOHERTZ = (0.125, 0.25, 0.5, 1, 2, 4, 8, 16, 32)
LEAST_GAP = 20.0
NEARLY = 1.05
USUAL = 1.0
USUAL_NAME = "as far as healthy recordings usually go"
AIR = 4.0
BINS = 32
WIDE = 20.0


@dataclass(frozen=True)
class Ranges:
    """What the pictures of a card have in common.

    `quiet` and `loud`: the levels in dB of the darkest and the lightest colour; `surprise` and
    `bands`: the ends of the scales of the curves under and beside the picture.
    """

    quiet: float
    loud: float
    surprise: float
    bands: float


def sound_picture(
    excerpt: Excerpt, region: Region, ranges: Ranges, label: str, framed: bool
) -> Element:
    """Return the spectrogram of an excerpt, with the surprise over time under it and over bands
    beside it; `framed` draws a frame around the region.
    """
    time = Scale(excerpt.begin, excerpt.end, LEFT, RIGHT)
    image = svg.node(
        "image",
        href=picture(excerpt.level.T[::-1], ranges.quiet, ranges.loud),
        x=f"{LEFT:g}",
        y=f"{TOP:g}",
        width=f"{RIGHT - LEFT:g}",
        height=f"{BOTTOM - TOP:g}",
        preserveAspectRatio="none",
    )
    marks = [image, *_frequencies(excerpt.hertz)]
    marks += _over_time(excerpt, time, ranges.surprise)
    marks += _over_bands(region, ranges.bands)
    if framed:
        marks += _frame(time, region, len(excerpt.hertz))
    now = svg.node("path", d=f"M{LEFT:g} {TOP:g}V{UNDER[1]:g}", class_="now")
    return svg.figure(
        WIDTH,
        HEIGHT,
        label,
        *marks,
        now,
        class_="chart sound",
        data_time=f"{LEFT:g} {RIGHT:g} {excerpt.end - excerpt.begin:.4f}",
    )


def overview(recording: Excerpt, excerpt: Excerpt) -> Element:
    """Return the surprise over all of a recording, with the excerpt marked."""
    time = Scale(recording.begin, recording.end, LEFT, RIGHT)
    surprise = svg.from_zero(svg.spanning([0.0, float(recording.surprise.max())], 74, 10), 2)
    left, right = time(excerpt.begin), time(excerpt.end)
    marked = _box(left, 6, right, 74, "band")
    marks = [marked, *svg.axes(Plot(time, surprise), "seconds of the whole recording", 6, 2)]
    marks += svg.line(Plot(time, surprise), _points(recording, 400), "s0", "how unusual")
    label = (
        f"How unusual all of the recording is; the excerpt from {excerpt.begin:.1f} to "
        f"{excerpt.end:.1f} s is marked"
    )
    return svg.figure(WIDTH, 110, label, *marks, class_="chart sound")


def standing(healthy: Floats, scored: Floats, threshold: float, label: str) -> Element:
    """Return histograms of the healthy recordings' scores, upwards, and of others', downwards.

    The upright line is the threshold, a short tick one scored recording. The scale is logarithmic
    where the scores are far apart.
    """
    left, right, base, half = 8.0, 352.0, 62.0, 44.0
    values = [v for v in (*healthy, *scored, threshold) if math.isfinite(v)]
    x = svg.spanning(values, left, right, log=max(values) > WIDE * min(values))
    edges = (np.geomspace if x.log else np.linspace)(x.low, x.high, BINS + 1)
    above, below = (_share_in(scores, edges) for scores in (healthy, scored))
    peak = max(float(above.max()), float(below.max())) or 1.0
    up, down = (Scale(0, peak, base, base + side * half) for side in (-1, 1))
    ticks = dict.fromkeys(svg.number(x(score)) for score in scored)
    marks = [
        svg.histogram(x, up, edges.tolist(), above.tolist(), "normal", "healthy"),
        svg.histogram(x, down, edges.tolist(), below.tolist(), "anomaly", "scored here"),
        svg.node("path", d="".join(f"M{at} {base:g}v8" for at in ticks), class_="interval anomaly"),
        svg.node("path", d=f"M{left:g} {base:g}H{right:g}", class_="axis"),
    ]
    if math.isfinite(threshold):
        limit = f"M{svg.number(x(threshold))} 8V110"
        marks.append(svg.node("path", d=limit, class_="limit", title="threshold"))
    for tick in x.ticks(6):
        marks.append(svg.node("path", d=f"M{svg.number(x(tick))} 112v4", class_="grid"))
        marks.append(svg.words(x(tick), 128, svg.short(tick), "tick", "middle"))
    return svg.figure(360, 134, label, *marks, class_="chart wide")


def _frequencies(hertz: Floats) -> list[Element]:
    """Return ticks at round frequencies, where they lie between the bands' centres."""
    marks = [svg.words(LEFT, TOP - 6, "kHz", "tick")]
    last = math.inf
    for kilo in KILOHERTZ:
        if not hertz[0] <= 1000 * kilo <= hertz[-1] * NEARLY:
            continue
        y = _band_height(float(np.interp(1000 * kilo, hertz, np.arange(len(hertz)))), len(hertz))
        if last - y >= LEAST_GAP:
            last = y
            marks.append(svg.node("path", d=f"M{LEFT - 4:g} {svg.number(y)}h4", class_="axis"))
            marks.append(svg.words(LEFT - 7, y + 4, f"{kilo:g}", "tick", "end"))
    return marks


def _over_time(excerpt: Excerpt, time: Scale, most: float) -> list[Element]:
    y = Scale(0, max(most, 1e-9), UNDER[1], UNDER[0])
    marks = svg.axes(Plot(time, y), "seconds", 6, 3)
    limit = f"M{LEFT:g} {svg.number(y(USUAL))}H{RIGHT:g}"
    marks.append(svg.node("path", d=limit, class_="chance", title=USUAL_NAME))
    return marks + _area(Plot(time, y), _points(excerpt, len(excerpt.surprise)), "over time")


def _over_bands(region: Region, most: float) -> list[Element]:
    """Return the profile of the region, upwards over the bands, to the right over the surprise."""
    x = Scale(0, max(most, 1e-9), *BESIDE)
    bands = len(region.profile)
    points = [
        (x(float(value)), _band_height(float(band), bands))
        for band, value in enumerate(region.profile)
    ]
    outline = [(x(0), BOTTOM), *points, (x(0), TOP)]
    marks = [svg.node("path", d=f"M{BESIDE[0]:g} {BOTTOM:g}H{BESIDE[1]:g}", class_="axis")]
    marks += [
        svg.words(x(tick), BOTTOM + 16, svg.short(tick), "tick", "middle") for tick in x.ticks(3)
    ]
    limit = f"M{svg.number(x(USUAL))} {TOP:g}V{BOTTOM:g}"
    marks.append(svg.node("path", d=limit, class_="chance", title=USUAL_NAME))
    return [*marks, _filled(outline, "over bands, in the most unusual stretch")]


def _frame(time: Scale, region: Region, bands: int) -> list[Element]:
    """Return a frame around the region in the picture, and its shadow on the two curves."""
    left, right = (time(second) for second in region.seconds)
    top, bottom = (
        _band_height(region.bands[1] + 0.5, bands),
        _band_height(region.bands[0] - 0.5, bands),
    )
    around = (
        max(left - AIR, LEFT),
        max(top - AIR, TOP),
        min(right + AIR, RIGHT),
        min(bottom + AIR, BOTTOM),
    )
    return [
        _box(left, UNDER[0], right, UNDER[1], "shadow"),
        _box(BESIDE[0], top, BESIDE[1], bottom, "shadow"),
        _box(*around, "frame under"),
        _box(*around, "frame", f"most unusual: {extent_in_words(region)}"),
    ]


def _band_height(band: float, bands: int) -> float:
    """Return where the middle of a band lies; the lowest band is at the bottom."""
    return BOTTOM - (band + 0.5) / bands * (BOTTOM - TOP)


def _box(
    left: float, top: float, right: float, bottom: float, class_: str, title: str = ""
) -> Element:
    return svg.node(
        "rect",
        x=svg.number(left),
        y=svg.number(top),
        width=svg.number(right - left),
        height=svg.number(bottom - top),
        class_=class_,
        title=title,
    )


def _points(excerpt: Excerpt, most: int) -> list[Point]:
    """Return time and surprise: of each of at most `most` stretches, its highest."""
    size = math.ceil(len(excerpt.surprise) / most)
    points = []
    for start in range(0, len(excerpt.surprise), size):
        part = excerpt.surprise[start : start + size]
        frame = start + int(part.argmax())
        points.append((excerpt.begin + frame * excerpt.hop, float(part.max())))
    return points


def _area(plot: Plot, points: Sequence[Point], title: str) -> list[Element]:
    line = [plot.at(point) for point in points]
    floor = plot.y.start
    return [_filled([(line[0][0], floor), *line, (line[-1][0], floor)], title)]


def _filled(outline: Sequence[Point], title: str) -> Element:
    path = "M" + "L".join(f"{svg.number(x)} {svg.number(y)}" for x, y in outline) + "Z"
    return svg.node("path", d=path, class_="bars anomaly", title=title)


def _share_in(scores: Floats, edges: Floats) -> Floats:
    """Return the share of the finite ones of `scores` between one edge and the next."""
    finite = scores[np.isfinite(scores)]
    return np.histogram(np.clip(finite, edges[0], edges[-1]), edges)[0] / max(len(finite), 1)
