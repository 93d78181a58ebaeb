"""The model card: what is in the detector, and what it does not tell."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from dgmix.audio.io import write_wav
from dgmix.cli import main
from dgmix.detect.card import model_card


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["dgmix", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code


def test_a_card_tells_what_is_inside_and_what_is_not_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    for number in range(4):
        path = tmp_path / "pump" / ("slow", "fast")[number % 2] / f"{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_wav(path, 0.1 * rng.standard_normal(16_000), 16_000)
    pump, options = tmp_path / "pump.dgmix", ("--cache", tmp_path / "cache")
    changes = ("--set", "detect.scorer=knn", "--set", "detect.neighbors=2")
    run(monkeypatch, "fit", tmp_path / "pump", "-o", pump, *options, *changes)
    capsys.readouterr()
    run(monkeypatch, "info", pump, "--card")
    card = capsys.readouterr().out
    for words in (
        "# pump.dgmix",
        "**recordings:** 4 recordings, 0.1 minutes",
        "**recipe:** `default`, with detect.scorer: knn; detect.neighbors: 2",
        "**false alarms:** 3",
        "## What it does not tell",
        "no safety device",
    ):
        assert words in card
    run(monkeypatch, "info", pump, "--card", "-o", tmp_path / "card.md")
    assert (tmp_path / "card.md").read_text("utf-8") == card
    capsys.readouterr()
    run(monkeypatch, "info", pump, "--json")
    values = json.loads(capsys.readouterr().out)
    before = copy.deepcopy(values)
    assert model_card("pump.dgmix", values) == card
    assert values == before
