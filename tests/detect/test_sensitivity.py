"""The table of what a detector would find."""

from __future__ import annotations

import json

import pytest
from scipy.stats import binomtest

from dgmix.detect.sensitivity import (
    Response,
    Sensitivity,
    amount,
    sensitivity_of,
    sensitivity_report,
)


def response(detected: tuple[float, ...], name: str = "a hiss") -> Response:
    return Response(name, "level", tuple(-12.0 + 6 * i for i in range(len(detected))), detected)


def sensitivity(*responses: Response) -> Sensitivity:
    return Sensitivity(0.05, 20, 40, 0.1, 25, False, responses)


@pytest.mark.parametrize(
    ("detected", "least"),
    [
        ((0.1, 0.5, 0.9, 1.0), 0.0),
        ((0.95, 0.5, 0.9, 1.0), 0.0),  # fainter ones are found by chance
        ((1.0, 1.0, 1.0, 1.0), -12.0),
        ((0.0, 0.0, 0.0, 0.9), 6.0),
        ((0.9, 0.9, 0.9, 0.8), None),
    ],
)
def test_the_least_strength_is_that_from_which_on_enough_are_found(
    detected: tuple[float, ...], least: float | None
) -> None:
    assert response(detected).least(0.9) == least


@pytest.mark.parametrize("hits", [0, 3, 10, 19, 20])
def test_the_interval_is_the_exact_one_of_as_many_recordings(hits: int) -> None:
    exact = binomtest(hits, 20).proportion_ci(0.95, method="exact")
    low, high = sensitivity(response((1.0,))).interval(hits / 20)
    assert (low, high) == pytest.approx((exact.low, exact.high), abs=1e-9)


def test_it_is_read_as_it_was_written() -> None:
    measured = sensitivity(response((0.1, 0.5)), Response("slower", "%", (1.0, 2.0), (0.0, 1.0)))
    assert sensitivity_of(json.loads(json.dumps(measured.as_values()))) == measured


@pytest.mark.parametrize(
    "change",
    [
        {"rate": 2.0},
        {"recordings": 0},
        {"flagged": float("nan")},
        {"responses": [{"name": "a", "unit": "metre", "strengths": [1], "detected": [1]}]},
        {"responses": [{"name": 3, "unit": "dB", "strengths": [1], "detected": [1]}]},
        {"responses": [{"name": "a", "unit": "dB", "strengths": [1, 2], "detected": [1]}]},
        {"responses": [{"name": "a", "unit": "dB", "strengths": [1], "detected": [1.5]}]},
        {"responses": [{"name": "a", "unit": "dB", "strengths": [], "detected": []}]},
    ],
)
def test_what_is_damaged_is_refused(change: dict[str, object]) -> None:
    values = sensitivity(response((0.1, 0.5))).as_values() | change
    with pytest.raises(ValueError):
        sensitivity_of(values)


def test_amounts_are_told_as_people_say_them() -> None:
    assert amount("level", -20) == "20 dB under the machine"
    assert amount("level", 0) == "as loud as the machine"
    assert amount("level", 6) == "6 dB over the machine"
    assert amount("dB", 1.5) == "1.5 dB"
    assert amount("% of the time", 5) == "5 % of the time"


def test_the_table_tells_from_which_strength_on_a_fault_is_found() -> None:
    lines = sensitivity_report(sensitivity(response((0.1, 0.5, 0.9)), response((0, 0), "a tone")))
    assert "20 healthy recordings (40 of each kind and strength)" in lines[0]
    cells = [[cell for cell in line.split("  ") if cell] for line in lines[1:4]]
    assert [len(row) for row in cells] == [4, 4, 4]
    assert [cell.strip() for cell in cells[1]] == [
        "a hiss",
        "as loud as the machine",
        "6 dB under the machine",
        "90 % (as loud as the machine)",
    ]
    assert [cell.strip() for cell in cells[2]] == [
        "a tone",
        "never",
        "never",
        "0 % (6 dB under the machine)",
    ]
    assert "10 % of these recordings are flagged without a fault" in lines[-1]
