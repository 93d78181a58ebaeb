"""The table of the field's scorers: what it pools, keeps and prints."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from dgmix.evaluate.intervals import Estimate

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
    done = {"default": Estimate(0.5, error=0.01), "scac": Estimate(0.6, 0.55, 0.65)}
    monkeypatch.setattr(
        field.field_recipes.Runs,
        "estimates",
        lambda runs: done if runs.data.stem == "a" else {"default": done["default"]},
    )
    options = ["-o", str(tmp_path), "--recipe", "none", "--page", str(tmp_path / "p")]
    monkeypatch.setattr(sys, "argv", ["field.py", "a.csv", "b.csv", *options])
    field.main()
    field.main()
    assert calls == ["a", "b"]
    parts = (tmp_path / "p").read_text().split("\n\n")
    [means] = [part for part in parts if "Ω, mean of a, b" in part]
    assert "| knn " in means
    assert means.count("50.0") == len(field.SYSTEMS)
    [recipes] = [part for part in parts if "mean of 2 sets" in part]
    row = {line.split("`")[1]: line.split("|")[2:-1] for line in recipes.splitlines()[2:]}
    assert list(row) == ["default", "scac"]
    assert "Not run so far: `autoencoder`, `mahala`, `first-shot`" in "\n".join(parts)
    assert [cell.strip() for cell in row["default"]] == ["50.0 ± 1.0", "50.0 ± 1.0", "50.0"]
    assert [cell.strip() for cell in row["scac"]] == ["60.0 [55.0, 65.0]", "–", "–"]
    assert capsys.readouterr().out.count("Ω, a ") == 2
