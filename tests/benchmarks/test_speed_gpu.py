"""The benchmark of GPUs, on the CPU and small."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from dgmix.audio.bank import MelBank
from dgmix.config import load_recipe

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
gpu = pytest.importorskip("speed_gpu")

SMALL = [
    "encoder.name=light",
    "encoder.width=0.25",
    "pretrain.epochs=1",
    "pretrain.projector=[8]",
    "finetune.epochs=1",
    "evaluate.bootstrap=20",
]


def test_rates_are_positive_and_differences_small(
    make_bank: Callable[..., MelBank], tmp_path: Path
) -> None:
    recipe = load_recipe("published-small", SMALL)
    bank = make_bank(recipe, [2.1] * 8)
    rates = gpu.rates(recipe, bank, tmp_path, "cpu")
    assert len(rates) == 2
    assert all(rate > 0 for rate in rates.values())
    assert gpu.of_scores(bank, "cpu") == 0
    assert 0 < gpu.of_precision(bank, "cpu") < 0.2


def test_the_whole_recipe_is_parted(tmp_path: Path) -> None:
    parts = gpu.whole_recipe(tmp_path, "cpu", ["fan"], 2, 6, SMALL)
    assert parts["minutes"] > 0
    assert 0 < parts["part of it training"] < 1
    assert 0 < parts["part of it decoding"] < 1
