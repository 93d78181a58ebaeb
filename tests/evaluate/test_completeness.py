"""Clips that seem to have no score."""

from __future__ import annotations

import polars as pl
import pytest

from dgmix.evaluate.completeness import missing_clips


def table(*names: str) -> pl.DataFrame:
    rows = [{"machine": "fan", "section": "00", "path": name, "split": "test"} for name in names]
    return pl.DataFrame(
        rows, schema=dict.fromkeys(["machine", "section", "path", "split"], pl.String)
    )


def clips(numbers: list[int], label: str = "normal") -> list[str]:
    return [f"section_00_source_test_{label}_{n:04d}_x_1.wav" for n in numbers]


def test_gaps_in_the_numbers_are_told() -> None:
    names = [*clips([0, 1, 2, 4, 5, 7]), *clips([0, 1, 2, 3], "anomaly")]
    (note,) = missing_clips(table(*names))
    assert note == (
        "2 clips seem to have no score, by the numbers of the others: "
        "fan section_00_source_test_normal_0003, fan section_00_source_test_normal_0006"
    )


@pytest.mark.parametrize(
    "names",
    [
        [],
        clips([0, 1, 2, 3]),
        clips([0, 2]),
        clips([10, 20, 30, 40]),
        ["a.wav", "b.wav", "c.wav", "d.wav", "pump.wav"],
    ],
)
def test_nothing_is_told_of_whole_sets_and_chosen_clips(names: list[str]) -> None:
    assert missing_clips(table(*names)) == []
