"""The table of the field's scorers: what it pools, keeps and prints."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
field = pytest.importorskip("field")


def test_without_emphasis_pooling_is_the_mean() -> None:
    levels = np.random.default_rng(0).normal(size=(9, 4)).astype(np.float32)
    np.testing.assert_allclose(field.deviation_pooled(levels, 0.0), levels.mean(0), rtol=1e-5)
    assert not np.allclose(field.deviation_pooled(levels, 4.0), levels.mean(0))


def test_a_set_is_measured_once_and_means_are_over_sets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = []

    def omegas_of(path: Path, _cache: Path) -> dict[str, dict[str, float]]:
        calls.append(path.stem)
        value = {"a": 40.0, "b": 60.0}[path.stem]
        return {"logmel-mean": dict.fromkeys(field.SYSTEMS, value)}

    monkeypatch.setattr(field, "omegas_of", omegas_of)
    arguments = ["field.py", "a.csv", "b.csv", "-o", str(tmp_path), "--page", str(tmp_path / "p")]
    monkeypatch.setattr(sys, "argv", arguments)
    field.main()
    field.main()
    assert calls == ["a", "b"]
    means, *sets = (tmp_path / "p").read_text().split("\n\n")
    assert "Ω, mean of a, b" in means
    assert "| knn " in means
    assert means.count("50.0") == len(field.SYSTEMS)
    assert len(sets) == 2
    assert capsys.readouterr().out.count("Ω, a ") == 2
