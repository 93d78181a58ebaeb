"""The table of years."""

from __future__ import annotations

import pytest

from dgmix.data.years import PARTS, YEARS, year_of
from dgmix.errors import InputError

FIRST_SHOT = [2023, 2024, 2025, 2026]


def test_first_shot_years_have_one_section_and_other_machines_to_evaluate() -> None:
    assert [year.number for year in YEARS.values() if year.first_shot] == FIRST_SHOT
    for number in FIRST_SHOT:
        year = YEARS[number]
        assert {*year.dev.values(), *year.eval.values()} == {("00",)}
        assert set(year.hidden) <= set(year.machines)


def test_machines_have_archives_in_the_parts_that_they_are_in() -> None:
    assert YEARS[2023].parts_of("bandsaw") == ("train", "eval")
    assert YEARS[2023].parts_of("fan") == ("dev",)
    assert YEARS[2021].parts_of("pump") == PARTS
    assert YEARS[2021].parts_of("bearing") == ()


def test_places_are_machines_with_their_sections() -> None:
    places = YEARS[2020].places
    assert len(places["dev"]) == 4 * 4 + 4 + 3
    assert len(places["eval"]) == 6 * 3
    assert not places["dev"] & places["eval"]
    assert ("ToyConveyor", "id_04") in places["eval"]


def test_a_year_is_known_by_its_name() -> None:
    assert all(year_of(f"dcase{number}") is year for number, year in YEARS.items())
    with pytest.raises(InputError, match=r"dcase2019: unknown .*; choose from dcase2020, "):
        year_of("dcase2019")
