"""Rows as frames and HTML."""

from __future__ import annotations

import pandas
import polars
import pytest

from dgmix.errors import InputError
from dgmix.tables import MOST_ROWS, html_table, pandas_frame, polars_frame

ROWS = [{"path": "a.wav", "score": 1.5, "error": None}, {"path": "b", "score": None, "error": "x"}]


def test_rows_are_frames() -> None:
    assert polars_frame(ROWS).to_dicts() == ROWS
    assert polars_frame(ROWS).schema["score"] == polars.Float64
    pandas.testing.assert_frame_equal(
        pandas_frame(ROWS)[["path"]], pandas.DataFrame({"path": ["a.wav", "b"]})
    )
    assert polars_frame([]).is_empty()


def test_without_pandas_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(InputError, match="pip install pandas"):
        pandas_frame(ROWS)


def test_an_html_table_is_escaped_and_bounded() -> None:
    assert html_table(["a"], [["<b>"], [1.23456], [None]], "2 & 3") == (
        "<table><caption>2 &amp; 3</caption><thead><tr><th>a</th></tr></thead><tbody>"
        "<tr><td>&lt;b&gt;</td></tr><tr><td>1.235</td></tr><tr><td></td></tr></tbody></table>"
    )
    long = html_table(["a"], [[n] for n in range(MOST_ROWS + 5)], "rows")
    assert long.count("<td>") == MOST_ROWS
    assert "rows; 5 more rows" in long
