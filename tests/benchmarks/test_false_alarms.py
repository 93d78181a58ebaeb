"""The benchmark of the false-alarm rate, small: its sets, its rates, and what its cells say."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
alarms: ModuleType = pytest.importorskip("false_alarms")


def test_cells_are_of_all_supported_rates(capsys: pytest.CaptureFixture[str]) -> None:
    size = ["--fits", "8", "--clips", "2", "--pool", "12", "--n", "1", "3"]
    alarms.main([*size, "--set", "one kind", "in 5 pieces", "--json"])
    values = json.loads(capsys.readouterr().out)
    cells = values["false_alarms"]
    assert [(cell["set"], cell["n"], cell["rate"]) for cell in cells] == [
        (name, n, rate)
        for name in ("one kind", "in 5 pieces")
        for n, rate in ((1, 0.5), (3, 0.25), (3, 0.5))
    ]
    assert {cell["clips"] for cell in cells} == {16}
    assert [cell["flagged"] for cell in cells if cell["n"] == 1] == [0, 0]
    assert all(cell["low"] <= cell["rate"] <= cell["high"] for cell in cells)
    assert set(values["found"]["1"].values()) == {0}
    assert values["found"]["3"]["white noise"] == 1


def test_rates_are_those_that_the_count_supports() -> None:
    assert alarms.rates(1) == [0.5]
    assert alarms.rates(2) == [1 / 3]
    assert alarms.rates(19) == [0.05, 0.1, 0.2, 0.3, 0.5]
    assert alarms.rates(99) == [0.01, 0.02, 0.05, 0.1, 0.2, 0.33, 0.5]


def test_the_interval_widens_as_clips_share_a_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one fit's rate the variance is that of Vovk's Beta distribution."""
    monkeypatch.setattr(alarms, "healthy_p_values", lambda *_: np.ones(1000))
    (cell,) = (c for c in alarms.cells_of(None, "", 9, 2, 1000) if c.rate == 0.1)
    beta = np.sqrt(1 * 9 / (10**2 * 11) / 2)
    assert (cell.high - cell.rate) / 1.96 == pytest.approx(beta, rel=0.01)


def test_pieces_of_a_recording_are_drawn_together(monkeypatch: pytest.MonkeyPatch) -> None:
    pool = _Pool(np.arange(100))
    drawn: list[np.ndarray] = []
    monkeypatch.setattr(alarms, "detector_of", lambda _, chosen: drawn.append(chosen))
    monkeypatch.setattr(alarms, "judged", lambda *_: pool)
    alarms.healthy_p_values((pool, {"pieces": np.arange(100)}), "in 5 pieces", 4, 3, 0)
    (chosen,) = drawn
    assert sorted(np.unique(chosen // 5, return_counts=True)[1]) == [5] * 4
    assert not set(chosen // 5) & set(pool.selected // 5)


class _Pool:
    """A detector that only says which clips were asked for."""

    def __init__(self, numbers: np.ndarray) -> None:
        self.memory, self.views, self.p_known = self, {}, np.ones(3)
        self.selected = numbers[:0]

    def select(self, chosen: np.ndarray) -> _Pool:
        self.selected = chosen
        return self
