"""The report of a comparison: a heat map of paired differences, the table, the notes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

from dgmix.evaluate.comparison import ALL, Comparison
from dgmix.evaluate.formats import percent, signed
from dgmix.evaluate.intervals import Estimate
from dgmix.evaluate.report import svg
from dgmix.evaluate.report.parts import Block, Column, Panel, Row, Table, drawn
from dgmix.files import write_text

CELL, HEIGHT, NAMES, TOP = 110.0, 30.0, 150.0, 34.0
MOST_OPAQUE = 0.6
"""Of the strongest cell, so that its number can be read on it."""
LONGEST_NAME = 18


def write_comparison(comparison: Comparison, output: Path) -> Path:
    """Write a comparison as one HTML file and return its path."""
    from dgmix.evaluate.report.page import render

    write_text(output, render(contents(comparison), "compare.html.j2"))
    return output


def contents(comparison: Comparison) -> dict[str, Any]:
    """Return what the page shows, by the names that its template uses."""
    year = f", DCASE {comparison.year}" if comparison.year else ""
    return {
        "title": f"{comparison.systems[0]} and {', '.join(comparison.systems[1:])}",
        "facts": [
            f"{comparison.convention} metric{year}",
            f"{len(comparison.omegas) - 1} machines",
        ],
        "heat": heat_map(comparison),
        "table": table(comparison),
        "notes": comparison.notes,
    }


def heat_map(comparison: Comparison) -> Panel:
    """Return how much each system's Ω is above that of the first, a cell for each machine."""
    first, *others = comparison.systems
    cells = [
        (row, column, machine, system, comparison.differences[machine][system])
        for row, machine in enumerate(comparison.differences)
        for column, system in enumerate(others)
    ]
    most = max(
        (abs(each.value) for *_, each in cells if each and each.value == each.value), default=0
    )
    marks = [_name(0, TOP + HEIGHT * (row + 0.65), m) for row, m in enumerate(comparison.omegas)]
    marks += [
        _name(NAMES + CELL * (column + 0.5), TOP - 10, system, "middle")
        for column, system in enumerate(others)
    ]
    for row, column, machine, system, estimate in cells:
        if estimate is not None:
            place = NAMES + CELL * column, TOP + HEIGHT * row
            marks += _cell(*place, estimate, most, f"{machine}, {system} − {first}")
    label = f"Ω of each system less that of {first}, by machine; the numbers are in the table"
    width, height = NAMES + CELL * len(others), TOP + HEIGHT * len(comparison.omegas)
    note = f"blue: better than {first}; orange: worse; bold: the interval leaves 0 out"
    drawing = svg.figure(width, height, label, *marks, style=f"max-width: {1.4 * width:.0f}px")
    return Panel(f"Ω − Ω of {first}, %", drawn(drawing), note)


def table(comparison: Comparison) -> Table:
    """Return Ω of every system and the paired differences with their intervals, in %."""
    first, *others = comparison.systems
    columns = [Column("Machine", False), *(Column(f"Ω {name}") for name in comparison.systems)]
    columns += [Column(f"{name} − {first}") for name in others]
    rows = []
    for machine, omegas in comparison.omegas.items():
        differences = comparison.differences[machine]
        cells = [machine, *(_percent(omegas[name]) for name in comparison.systems)]
        cells += [signed(differences[name] or Estimate(math.nan)) for name in others]
        rows.append(Row(cells, "total" if machine == ALL else ""))
    return Table("In %. Differences are paired by clips, seeds and splits.", columns, [Block(rows)])


def clear(estimate: Estimate) -> bool:
    """Return whether a difference is further from 0 than its interval, or two standard errors."""
    if not math.isnan(estimate.low):
        return estimate.low > 0 or estimate.high < 0
    return abs(estimate.value) > 2 * estimate.error


def _cell(x: float, y: float, estimate: Estimate, most: float, what: str) -> list[Element]:
    known = not math.isnan(estimate.value)
    share = abs(estimate.value) / most if known and most else 0.0
    area = svg.node(
        "rect",
        x=svg.number(x + 1),
        y=svg.number(y + 1),
        width=svg.number(CELL - 2),
        height=svg.number(HEIGHT - 2),
        fill_opacity=f"{MOST_OPAQUE * share:.2f}",
        class_=f"heat {'better' if known and estimate.value > 0 else 'worse'}",
        title=f"{what}: {signed(estimate)}",
    )
    text = percent(estimate.value, "+") if known else "–"
    class_ = "clear" if known and clear(estimate) else ""
    return [area, svg.words(x + CELL / 2, y + HEIGHT * 0.65, text, class_, "middle")]


def _name(x: float, y: float, name: str, anchor: str = "") -> Element:
    short = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
    return svg.words(x, y, short, "", anchor)


def _percent(estimate: Estimate | None) -> str:
    return percent(estimate.value if estimate else math.nan)
