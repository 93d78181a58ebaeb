"""The table of DG-Mix by batch size, on a tiny set."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pytest

from dgmix.config import load_recipe
from dgmix.data import load_manifest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
batch_size = pytest.importorskip("batch_size")

TINY = ["encoder.width=0.25", "features.n_mels=32", "input.crop_seconds=0.5"]
TINY += ["detect.hop_seconds=0.5", "pretrain.projector=[16, 16]"]


def test_every_arm_is_a_recipe_that_sees_as_many_crops() -> None:
    for arm in batch_size.arms():
        stage = load_recipe("published", arm.changes(61_440)).pretrain
        assert stage.batch_size * stage.max_steps == 61_440
        assert stage.min_steps == stage.max_steps


def test_intervals_are_those_of_student() -> None:
    assert batch_size.interval([50.0]) == "50.0"
    assert batch_size.interval([50.0, 52.0]) == "51.0 (50.0, 52.0)"
    assert batch_size.interval([49.0, 50.0, 51.0]) == "50.0 [47.5, 52.5]"


def test_omega_is_harmonic_over_cells_and_a_mean_over_splits() -> None:
    cells = {"auc_source": [0.5, 1.0, 0.5], "auc_target": [0.5, None, 0.5], "pauc": [0.5, 0.5, 0.5]}
    columns = {"system": ["dgmix"] * 3, "seed": [0, 0, 1], "repeat": [0, 1, 0], **cells}
    assert batch_size.omegas(pl.DataFrame(columns), "dgmix") == pytest.approx(
        [58.333, 50], abs=0.01
    )


def test_a_table_is_written(
    simulated: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_process: None
) -> None:
    monkeypatch.setattr(batch_size, "SIZES", (8,))
    changes = [part for each in TINY for part in ("--set", each)]
    places = ["-o", str(tmp_path / "runs"), "--result", str(tmp_path / "table.md")]
    counts = ["--seeds", "2", "--crops", "16"]
    batch_size.main([f"simulated={simulated}", *places, *counts, *changes])
    text = (tmp_path / "table.md").read_text()
    assert text.count("\n| ") == 2 + 4 * 2
    assert "–" not in text
    assert text.count("| untrained |") == 4


def test_sets_of_one_type_are_mixed_across_types_together(tmp_path: Path) -> None:
    sources = []
    for machine in ("fan", "valve"):
        sources.append(tmp_path / machine / "set.csv")
        sources[-1].parent.mkdir()
        for name in "ab":
            (sources[-1].parent / f"{name}.wav").touch()
        lines = ["repeat,path,machine,section,domain,split,label"]
        lines += [
            f"0,a.wav,{machine},0,source,train,normal",
            f"1,b.wav,{machine},0,source,test,anomaly",
        ]
        sources[-1].write_text("\n".join(lines) + "\n")
    clips = load_manifest(batch_size.joined(sources, tmp_path / "together.csv"))
    assert [(clip.machine, clip.path) for clip in clips] == [
        (machine, tmp_path / machine / "a.wav") for machine in ("fan", "valve")
    ]
