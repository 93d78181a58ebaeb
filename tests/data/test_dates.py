"""Folders named by the day."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgmix.data.dates import dated


@given(
    st.datetimes(datetime.datetime(1980, 1, 1), datetime.datetime(2099, 12, 31)),
    st.sampled_from(
        [
            *("%Y-%m-%d", "%Y_%m_%d", "%Y%m%d", "%d.%m.%Y", "%Y-%m-%d_%H%M", "%Y%m%dT%H%M%S"),
            *("%Y-%m-%d %H-%M-%S", "%Y-%m", "%Y-W%V", "KW%V", "%A", "%B"),
        ]
    ),
)
def test_every_usual_way_to_write_a_date(day: datetime.datetime, form: str) -> None:
    assert dated([day.strftime(form)]) == [True]


@pytest.mark.parametrize(
    "name",
    ["", "pump 3", "id_00", "12", "2000", "1950", "123456", "W18", "CW18", "20269999", "v1.2"],
)
def test_what_is_no_date(name: str) -> None:
    assert dated([name]) == [False]


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        (["2026", "05", "01"], [True, True, True]),
        (["hall", "2026", "5", "1", "pump"], [False, True, True, True, False]),
        (["2026", "05", "pump"], [True, True, False]),
        (["2000", "1500"], [False, False]),
    ],
)
def test_years_months_and_days_one_in_another(folders: list[str], expected: list[bool]) -> None:
    assert dated(folders) == expected
