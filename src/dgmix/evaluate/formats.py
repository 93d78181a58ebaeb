"""Numbers and tables as text."""

from __future__ import annotations

import math
from collections.abc import Sequence

from dgmix.evaluate.intervals import Estimate

MACHINES = ("bearing", "fan", "gearbox", "valve", "slider", "ToyCar", "ToyTrain")


def shown(estimate: Estimate, spread: bool = True) -> str:
    """Return a number in %, with its interval or standard error if `spread`; or "undefined"."""
    text = percent(estimate.value)
    if not math.isnan(estimate.error):
        return f"{text} ± {percent(estimate.error)}"
    if spread and not math.isnan(estimate.low):
        return f"{text} [{percent(estimate.low)}, {percent(estimate.high)}]"
    return text


def percent(fraction: float, sign: str = "") -> str:
    """Return a fraction in % with two decimals, or "undefined" for NaN."""
    return "undefined" if math.isnan(fraction) else f"{100 * fraction:{sign}.2f}"


def signed(estimate: Estimate) -> str:
    """Return a difference in % with its sign and its interval or standard error."""
    text = percent(estimate.value, "+")
    if not math.isnan(estimate.error):
        return f"{text} ± {percent(estimate.error)}"
    if not math.isnan(estimate.low):
        return f"{text} [{percent(estimate.low, '+')}, {percent(estimate.high, '+')}]"
    return text


def in_order(machines: set[str]) -> list[str]:
    """Return machine names: those of DCASE 2022 as its tables have them, then the others."""
    return [m for m in MACHINES if m in machines] + sorted(machines - set(MACHINES))


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table; the first column is on the left, the others on the right."""
    header, *rows = ([cell.replace("|", "\\|") for cell in row] for row in (header, *rows))
    widths = _widths(header, rows)
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in _aligned(header, rows, widths, rule))


def text_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table for the terminal, columns two spaces apart, the first one on the left."""
    widths = _widths(header, rows)
    return "\n".join("  ".join(line).rstrip() for line in _aligned(header, rows, widths))


def _widths(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(3, *map(len, column)) for column in zip(header, *rows, strict=True)]


def _aligned(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    widths: Sequence[int],
    rule: Sequence[str] | None = None,
) -> list[list[str]]:
    lines = [
        [cell.rjust(width) if i else cell.ljust(width) for i, (cell, width) in enumerate(pairs)]
        for pairs in (zip(line, widths, strict=True) for line in (header, *rows))
    ]
    return [lines[0], list(rule), *lines[1:]] if rule else lines
