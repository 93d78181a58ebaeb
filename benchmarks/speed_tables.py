"""The Markdown page of `benchmarks/speed.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from measuring import Curve

from dgmix.evaluate.formats import markdown_table

HEADING = """# Speed

Written by `benchmarks/speed.py` (`make bench-speed`). What is compared took turns in one process on
one machine, which others used too: read the ratios, not the rates. Ratios are the median over
rounds with the least and greatest; "CPU" counts the seconds of all processors that the work used,
child processes included. The yardstick is `benchmarks/yardstick.py`; docs/decisions/0010 says what
the figures mean.
"""


def page(results: Mapping[str, Any]) -> str:
    return "\n".join([HEADING, *(section(part, each) for part, each in results.items())])


def section(part: str, recorded: Mapping[str, Any]) -> str:
    """Return a part's results as Markdown: what was found, then how."""
    result = recorded["result"]
    versions = ", ".join(f"{name} {value}" for name, value in recorded["versions"].items())
    body = curves(result) if part == "curves" else blocks(result)
    return f"## {part}\n\n{body}\n`{recorded['command']}`, on {recorded['machine']}; {versions}.\n"


def curves(points: list[dict[str, Any]]) -> str:
    fitted = [Curve(**curve) for curve in points]
    rows = [
        [
            curve.name,
            f"{curve.sizes[0]:g}-{curve.sizes[-1]:g}",
            f"{curve.seconds[0]:.3g}-{curve.seconds[-1]:.3g}",
            f"{curve.exponent:.2f}",
        ]
        for curve in fitted
    ]
    table = markdown_table(["seconds over", "sizes", "seconds", "exponent"], rows)
    return f"{table}\n\n![Cost curves](speed.svg)\n"


def blocks(result: Mapping[str, Any], name: str = "") -> str:
    """Return nested results: comparisons as tables, numbers as a list, the rest in order."""
    plain = {key: value for key, value in result.items() if not isinstance(value, Mapping)}
    compared = {k: v for k, v in result.items() if isinstance(v, Mapping) and "faster_cpu" in v}
    others = {k: v for k, v in result.items() if isinstance(v, Mapping) and k not in compared}
    parts = [f"{name}:\n"] if name else []
    if compared:
        parts.append(comparison(compared) + "\n")
    if plain:
        parts.append("".join(f"- {key}: {shown(value)}\n" for key, value in plain.items()))
    return "\n".join(parts + [blocks(each, key) for key, each in others.items()])


def comparison(compared: Mapping[str, Any]) -> str:
    columns = ["", "per second", "CPU ms each", "times as fast, wall clock", "times as fast, CPU"]
    rows = [
        [
            name,
            f"{1 / times['wall']:.3g}",
            f"{1e3 * times['cpu']:.3g}",
            spread(times["faster_wall"]),
            spread(times["faster_cpu"]),
        ]
        for name, times in compared.items()
    ]
    return markdown_table(columns, rows)


def spread(ratios: list[float]) -> str:
    middle, low, high = ratios
    return f"{middle:.2f} ({low:.2f}-{high:.2f})"


def shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
