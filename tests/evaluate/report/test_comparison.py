"""The report of a comparison."""

from __future__ import annotations

import math

import pytest
from html_page import Page

from dgmix.evaluate.comparison import Comparison
from dgmix.evaluate.intervals import Estimate
from dgmix.evaluate.report.comparison import clear, heat_map, table, write_comparison

UNDEFINED = Estimate(math.nan)


@pytest.fixture
def comparison() -> Comparison:
    def row(*differences: Estimate) -> dict[str, Estimate | None]:
        return {
            "<ours>": None,
            **dict(zip(("theirs", "a long name of a system"), differences, strict=True)),
        }

    machines = ("fan", "all machines")
    omega = {name: Estimate(0.6) for name in ("<ours>", "theirs", "a long name of a system")}
    return Comparison(
        list(omega),
        "official",
        2022,
        dict.fromkeys(machines, omega),
        {
            "fan": row(Estimate(0.1, 0.02, 0.2), UNDEFINED),
            "all machines": row(Estimate(-0.05, -0.1, 0.01), Estimate(0.02, error=0.005)),
        },
        ["a note & more"],
    )


def test_the_page_holds_the_numbers(comparison, tmp_path):
    page = Page(write_comparison(comparison, tmp_path / "page.html").read_text("utf-8"))
    rows = page.table("In %. Differences")
    assert rows[0][-2:] == ["theirs − <ours>", "a long name of a system − <ours>"]
    assert rows[1] == ["fan", "60.00", "60.00", "60.00", "+10.00 [+2.00, +20.00]", "undefined"]
    assert rows[2][-1] == "+2.00 ± 0.50"
    assert "a note & more" in page.texts


def test_cells_are_coloured_by_sign_and_size(comparison):
    cells = str(heat_map(comparison).figure).split("<rect")[1:]
    assert len(cells) == 4
    assert 'class="heat better"' in cells[0]
    assert 'fill-opacity="0.60"' in cells[0]
    assert 'class="heat worse"' in cells[2]
    assert 'fill-opacity="0.30"' in cells[2]
    assert 'fill-opacity="0.00"' in cells[1]
    assert [">+10.00<" in cells[0], 'class="clear"' in cells[0]] == [True, True]
    assert 'class="clear"' not in cells[2]
    assert "fan, theirs − &lt;ours&gt;: +10.00 [+2.00, +20.00]" in cells[0]


@pytest.mark.parametrize(
    ("estimate", "expected"),
    [
        (Estimate(0.1, 0.01, 0.2), True),
        (Estimate(-0.1, -0.2, -0.01), True),
        (Estimate(0.1, -0.01, 0.2), False),
        (Estimate(0.1, error=0.04), True),
        (Estimate(0.1, error=0.06), False),
        (Estimate(0.1), False),
    ],
)
def test_a_difference_is_clear_beyond_its_interval(estimate, expected):
    assert clear(estimate) is expected


def test_systems_without_any_difference_have_a_map_too(comparison):
    same = Comparison(
        comparison.systems[:2],
        "official",
        None,
        comparison.omegas,
        {m: {"<ours>": None, "theirs": Estimate(0.0, 0.0, 0.0)} for m in comparison.omegas},
        [],
    )
    assert 'fill-opacity="0.00"' in str(heat_map(same).figure)
    assert len(table(same).blocks[0].rows) == 2
