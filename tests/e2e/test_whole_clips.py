"""The recipes that learn of whole clips of all machine types, from data to verdicts, made small."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

import dgmix
from dgmix.config import load_recipe

SMALL = ["encoder.width=0.25", "input.crop_seconds=1", "detect.hop_seconds=1"]
SMALL += ["evaluate.bootstrap=10", "pretrain.max_steps=2", "finetune.max_steps=2"]


@pytest.mark.parametrize(
    ("name", "stage", "networks"), [("whole-clips", "pretrain", 1), ("attributes", "finetune", 2)]
)
def test_one_training_of_all_types_a_detector_for_each(
    name: str,
    stage: str,
    networks: int,
    simulated: Path,
    shared_cache: Path,
    tmp_path: Path,
    in_process: None,
) -> None:
    recipe = load_recipe(name, [*SMALL, f"encoder.ensemble={networks}"])
    output = dgmix.run(recipe, simulated, tmp_path / "run", cache=shared_cache, device="cpu")
    logs = [path.read_text() for path in (output / "together").rglob("log.jsonl")]
    assert len(logs) == networks
    assert {json.loads(line)["stage"] for log in logs for line in log.splitlines()} == {stage}
    results = pl.read_csv(output / "results.csv")
    assert set(results["system"]) == {"dgmix", "learned", "raw", "untrained"}
    assert set(results["machine"]) >= {"fan", "valve"}
    detector = dgmix.Detector.load(output / "fan" / "seed0" / "detector.dgmix")
    assert detector.fitted_.views[-1] == "dgmix"
    assert detector.fitted_.network.embedding_size == networks * 32
    clips = sorted((simulated / "fan" / "test").glob("section_00*.wav"))[:2]
    assert detector.p_values(clips, sections=["00", "00"]).shape == (2,)
