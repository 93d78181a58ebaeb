"""The table of false alarms under an unseen condition."""

from __future__ import annotations

import re
from pathlib import Path
from runpy import run_path
from typing import Any

import numpy as np
import pytest
import yaml

from dgmix.audio.io import write_wav
from dgmix.config import Recipe, dump_recipe
from dgmix.detect.detector import Detector

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "unseen_condition.py"


@pytest.fixture(scope="module")
def benchmark() -> dict[str, Any]:
    return run_path(str(SCRIPT))


@pytest.fixture(scope="module")
def recipe_file(tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    values = yaml.safe_load(dump_recipe(tiny))
    values["pretrain"] |= {"epochs": 1, "max_steps": 1}
    values["finetune"]["epochs"] = 0
    path = tmp_path_factory.mktemp("recipe") / "mine.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def tables(text: str) -> dict[str, dict[tuple[str, str], list[str]]]:
    """Return the cells of each printed table by its heading, then by rule and rate."""
    found: dict[str, dict[tuple[str, str], list[str]]] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line and not line.startswith("|"):
            found[line] = rows = {}
        elif re.fullmatch(r"\d+%", cells[min(1, len(cells) - 1)]):
            rows[cells[0], cells[1]] = cells[2:]
    return found


def test_a_rate_is_shown_only_where_it_is_supported(
    benchmark: dict[str, Any], recipe_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size = ["--known", "9", "--asked", "12", "--choices", "2", "--machine", "fan", "valve"]
    benchmark["main"]([*size, "--recipe", str(recipe_file)])
    ((heading, rows),) = tables(capsys.readouterr().out).items()
    assert heading == "simulated, 2 machines, 9 clips learned from"
    supported = {key: [cell != "–" for cell in cells] for key, cells in rows.items()}
    yes, no = True, False
    assert supported == {
        ("not named", "5%"): [no, no, no, no, yes],
        ("not named", "10%"): [yes] * 5,
        ("not named", "20%"): [yes] * 5,
        ("named, asked with it", "5%"): [no] * 5,
        ("named, asked with it", "10%"): [yes, yes, no, no, yes],
        ("named, asked with it", "20%"): [yes, yes, no, yes, yes],
        ("named, asked without", "5%"): [no] * 5,
        ("named, asked without", "10%"): [yes, yes, no, no, yes],
        ("named, asked without", "20%"): [yes, yes, no, yes, yes],
    }


@pytest.fixture
def missions(tmp_path: Path) -> Path:
    """Flights of half a second: ten and ten of one mission, ten of another, which hums higher."""
    rng = np.random.default_rng(0)
    time = np.arange(8_000) / 16_000
    for mission, hertz in (("cw_square", 200), ("ccw_square", 200), ("cw_f8", 3000)):
        (tmp_path / "normal" / mission).mkdir(parents=True)
        for number in range(10):
            sound = 0.1 * np.sin(2 * np.pi * hertz * time) + 0.03 * rng.normal(size=len(time))
            write_wav(tmp_path / "normal" / mission / f"{number}.wav", sound, 16_000)
    return tmp_path


def test_flights_are_asked_about_either_way(
    benchmark: dict[str, Any],
    recipe_file: Path,
    missions: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = ["--machine", "--uav", str(missions), "--recipe", str(recipe_file)]
    benchmark["main"]([*options, "--choices", "3"])
    found = tables(capsys.readouterr().out)
    assert list(found) == [
        "UAV, square then figure-eight, 20 flights learned from",
        "UAV, figure-eight then square, 10 flights learned from",
    ]
    rows = found["UAV, square then figure-eight, 20 flights learned from"]
    known, new = (sorted(missions.glob(f"normal/*_{end}/*.wav")) for end in ("square", "f8"))
    detector = Detector(recipe_file, cache=missions / "cache").fit(known)
    for rate, shown in (0.1, "10%"), (0.2, "20%"):
        flagged = 100 * np.mean(detector.p_values(new) <= rate)
        assert float(rows["not named", shown][1].split()[0]) == pytest.approx(flagged)
    assert float(rows["named, asked with it", "20%"][3].split()[0]) < 50
    assert {cells[0] for cells in rows.values()} == {"–"}  # no flight of a known mission held out
    assert {cells[4] for cells in rows.values()} == {"–"}  # of ten flights ten added: none left
