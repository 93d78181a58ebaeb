"""The charts of a machine's page as SVG: p-values, coverage and events, over time."""

from __future__ import annotations

import math
import time
from typing import Any
from xml.etree.ElementTree import Element
from zoneinfo import ZoneInfo

from markupsafe import Markup

from dgmix.evaluate.report import svg

WIDTH, LEFT, RIGHT = 720.0, 46.0, 712.0
TOP, MIDDLE, COVER_TOP, COVER_BOTTOM, BOTTOM = 12.0, 150.0, 168.0, 200.0, 222.0
LEAST_P = 1e-3
HOUR, DAY = 3600.0, 86_400.0


def history_chart(history: dict[str, Any], rate: float | None, zone: ZoneInfo | None) -> Markup:
    """Return the chart of what `views.history` returns.

    Above: the smallest p-value of each part on a logarithmic scale, small on top, with a line at
    the false-alarm rate and a mark for each event. Below: how much of each part was judged.
    """
    begin, end = history["begin"], history["end"]

    def x(at: float) -> float:
        share = (min(max(at, begin), end) - begin) / (end - begin)
        return float(LEFT + share * (RIGHT - LEFT))

    marks = [*_scale(rate), *_times(begin, end, x, zone)]
    for part in history["parts"]:
        marks += _part(part, history["part"], x)
    for event in history["events"]:
        marks += _event(event, x, end)
    covered = sum(part["covered"] for part in history["parts"]) / (end - begin)
    label = f"{len(history['events'])} events; judged {covered:.0%} of the time"
    figure = svg.figure(WIDTH, BOTTOM + 4, label, *marks, class_="chart history")
    return Markup(svg.render(figure))


def _y(p_value: float) -> float:
    """Return where a p-value stands: 1 at the bottom, a thousandth and less on top."""
    share = math.log(max(min(p_value, 1.0), LEAST_P)) / math.log(LEAST_P)
    return MIDDLE - share * (MIDDLE - TOP)


def _scale(rate: float | None) -> list[Element]:
    marks = []
    for value in (1.0, 0.1, 0.01, 0.001):
        y = _y(value)
        marks.append(svg.node("path", d=f"M{LEFT:g} {y:.1f}H{RIGHT:g}", class_="grid"))
        marks.append(_text(LEFT - 6, y + 4, f"{value:g}", "tick end"))
    if rate is not None:
        marks.append(svg.node("path", d=f"M{LEFT:g} {_y(rate):.1f}H{RIGHT:g}", class_="limit"))
    marks.append(_text(LEFT - 6, COVER_BOTTOM - 10, "judged", "tick end"))
    marks.append(svg.node("path", d=f"M{LEFT:g} {COVER_BOTTOM:g}H{RIGHT:g}", class_="axis"))
    return marks


def _times(begin: float, end: float, x: Any, zone: ZoneInfo | None) -> list[Element]:
    from datetime import UTC, datetime

    step, form = (3 * HOUR, "%H:%M") if end - begin < 2 * DAY else (5 * DAY, "%d %b")
    marks, at = [], math.ceil(begin / step) * step
    while at < end:
        moment = datetime.fromtimestamp(at, zone or UTC)
        if LEFT + 20 < x(at) < RIGHT - 20:
            marks.append(_text(x(at), BOTTOM, moment.strftime(form), "tick middle"))
        at += step
    return marks


def _part(part: dict[str, Any], seconds: float, x: Any) -> list[Element]:
    left, right = x(part["start"]), x(part["start"] + seconds)
    marks = []
    if part["covered"]:
        height = min(1.0, part["covered"] / seconds) * (COVER_BOTTOM - COVER_TOP)
        marks.append(
            svg.node(
                "path",
                d=f"M{left:.1f} {COVER_BOTTOM:g}v{-height:.1f}H{right:.1f}v{height:.1f}Z",
                class_="cover",
            )
        )
    if part.get("p_value") is not None:
        y = _y(part["p_value"])
        marks.append(svg.node("path", d=f"M{left:.1f} {y:.1f}H{right:.1f}", class_="level"))
    return marks


def _event(event: dict[str, Any], x: Any, end: float) -> list[Element]:
    left, right = x(event["raised"]), x(event["cleared"] or end)
    band = f"M{left:.1f} {TOP:g}H{max(right, left + 2):.1f}V{MIDDLE:g}H{left:.1f}Z"
    tip = f"M{left:.1f} {TOP:g}l-5 -9h10Z"
    at = time.strftime("%d %b %H:%M", time.gmtime(event["raised"]))
    mark = svg.node("path", d=tip, class_="eventmark", title=f"{event['kind']}, {at} UTC")
    return [svg.node("path", d=band, class_="eventband"), mark]


def _text(x: float, y: float, text: str, kind: str) -> Element:
    return svg.node("text", text=text, x=f"{x:.1f}", y=f"{y:.1f}", class_=kind)
