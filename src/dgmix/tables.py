"""Rows as data frames and as HTML tables, for programs and notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from dgmix.errors import InputError

if TYPE_CHECKING:
    import pandas
    import polars

MOST_ROWS = 40
Row = Mapping[str, Any]


def polars_frame(rows: Sequence[Row]) -> polars.DataFrame:
    """Return rows as a polars data frame, a column for each key of the first."""
    import polars

    columns = list(rows[0]) if rows else []
    return polars.DataFrame({name: [row[name] for row in rows] for name in columns}, strict=False)


def pandas_frame(rows: Sequence[Row]) -> pandas.DataFrame:
    """Return rows as a pandas data frame; raises `InputError` where pandas is not installed."""
    try:
        import pandas
    except ImportError as error:
        raise InputError("to_pandas needs pandas: pip install pandas") from error
    return pandas.DataFrame(rows)


def html_table(headings: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """Return an HTML table of texts, numbers in four digits; of many rows only the first 40."""
    rows = list(rows)
    more = len(rows) - MOST_ROWS
    caption = f"{caption}; {more} more rows" if more > 0 else caption
    head = "".join(f"<th>{escape(each)}</th>" for each in headings)
    cells = ["".join(f"<td>{_shown(each)}</td>" for each in row) for row in rows[:MOST_ROWS]]
    body = "".join(f"<tr>{each}</tr>" for each in cells)
    top = f"<caption>{escape(caption)}</caption>" if caption else ""
    return f"<table>{top}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _shown(value: object) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)
    return escape(text)
