"""What the speed benchmark makes of its measurements."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
measuring = pytest.importorskip("measuring")
speed_tables = pytest.importorskip("speed_tables")
Cost = measuring.Cost


def test_works_take_turns_and_warm_ups_do_not_count() -> None:
    turns = []

    def work(name: str) -> Cost:
        turns.append(name)
        return Cost(float(len(turns)), 1.0)

    costs = measuring.alternating({"a": lambda: work("a"), "b": lambda: work("b")}, rounds=2)
    assert turns == ["a", "b"] * 3
    assert [cost.wall for cost in costs["a"]] == [3, 5]


def test_ratios_are_of_the_same_round() -> None:
    slow, fast = [Cost(4, 8), Cost(9, 8), Cost(4, 8)], [Cost(2, 2), Cost(3, 4), Cost(4, 1)]
    assert measuring.ratio(slow, fast, "wall") == [2, 1, 3]
    assert measuring.ratio(slow, fast, "cpu") == [4, 2, 8]
    comparison = measuring.comparison({"slow": slow, "fast": fast}, "slow")
    assert comparison["fast"]["faster_wall"] == [2, 1, 3]
    assert "2.00 (1.00-3.00)" in speed_tables.comparison(comparison)


@pytest.mark.parametrize("power", [0.0, 1.0, 2.5])
def test_the_exponent_of_a_power_law(power: float) -> None:
    sizes = [1, 2, 5, 30]
    assert measuring.exponent(sizes, [3 * size**power for size in sizes]) == pytest.approx(power)


def test_the_cost_of_work_counts_its_time() -> None:
    cost = measuring.cost_of(lambda: sum(range(200_000)))
    assert cost.cpu > 0
    assert cost.wall > 0


def test_results_of_other_parts_stay(tmp_path: Path) -> None:
    path = tmp_path / "speed.json"
    measuring.record(path, "one", {"clips": 2, "same": True}, "first")
    results = measuring.record(path, "two", [], "second")
    assert results["one"]["result"] == {"clips": 2, "same": True}
    assert set(results) == {"one", "two"}
    assert "- clips: 2" in speed_tables.section("one", results["one"])


def test_the_plot_is_a_small_picture() -> None:
    curve = measuring.Curve("clips", [100, 200, 400], [1.0, 2.0, 4.0])
    picture = measuring.plot([curve, curve])
    assert len(picture) < 50_000
    assert "exponent 1.00" in picture
    assert len(ElementTree.fromstring(picture).findall(".//{*}circle")) == 6
