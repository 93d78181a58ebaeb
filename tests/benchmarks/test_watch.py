"""Delay and false alarms of the simulated month."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "watch.py"


@pytest.fixture(scope="module")
def benchmark() -> dict[str, Any]:
    return run_path(str(SCRIPT))


def test_faults_are_raised_at_the_third_window_and_healthy_hours_are_quiet(
    benchmark: dict[str, Any],
) -> None:
    month = benchmark["run_month"](benchmark["Pools"](0.05, [0.5, 0.9], [0.01]), 4.2, every=7200.0)
    assert (month.false, month.faults) == (0, 2)
    assert month.delays == pytest.approx([3, 3], abs=1e-3)


def test_a_machine_that_always_errs_is_one_long_event_that_is_no_fault_found(
    benchmark: dict[str, Any],
) -> None:
    pools = benchmark["Pools"](0.05, [0.01], [0.01])
    assert benchmark["run_month"](pools, 2.1, every=7200.0) == benchmark["Month"](
        0.05, 1.0, 2.1, 1, 1, []
    )
