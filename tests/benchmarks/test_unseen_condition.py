"""The tables of false alarms and finds under an unseen condition."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml

from dgmix.audio.io import write_wav
from dgmix.config import Recipe, dump_recipe
from dgmix.detect.conformal import ROUNDING
from dgmix.detect.detector import Detector

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
unseen: ModuleType = pytest.importorskip("unseen_condition")


@pytest.fixture(scope="module")
def recipe_file(tiny: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    values = yaml.safe_load(dump_recipe(tiny))
    values["detect"]["views"] = ["logmel-mean", "logmel-max"]
    path = tmp_path_factory.mktemp("recipe") / "mine.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def tables(text: str) -> dict[str, dict[tuple[str, str, str], list[str]]]:
    """Return the cells of each printed table by its heading, then by what, rule and rate."""
    rows_of: dict[str, dict[tuple[str, str, str], list[str]]] = {}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line and not line.startswith("|"):
            rows_of[line] = rows = {}
        elif re.fullmatch(r"\d+%", cells[min(2, len(cells) - 1)]):
            rows[cells[0], cells[1], cells[2]] = cells[3:]
    return rows_of


def test_a_rate_is_shown_only_where_it_is_supported(
    recipe_file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unseen, "SECONDS", 1)
    size = ["--known", "9", "--judged", "12", "--choices", "2", "--machine", "fan", "valve"]
    unseen.main([*size, "--recipe", str(recipe_file)])
    ((heading, rows),) = tables(capsys.readouterr().out).items()
    assert heading == "simulated, 2 machines, 9 clips learned from"
    yes, no = True, False
    supported = {
        ("not named", "5%"): [no, no, no, no, yes],
        ("not named", "10%"): [yes] * 5,
        ("not named", "20%"): [yes] * 5,
        ("named, judged by it", "5%"): [no] * 5,
        ("named, judged by it", "10%"): [yes, yes, no, no, yes],
        ("named, judged by it", "20%"): [yes, yes, no, yes, yes],
    }
    for what in ("false alarms", "found"):
        own = {key[1:]: cells for key, cells in rows.items() if key[0] == what}
        assert {key: [cell != "–" for cell in cells] for key, cells in own.items()} == supported


@pytest.fixture
def missions(tmp_path: Path) -> Path:
    """Flights of half a second, ten or twenty of a mission; one hums higher, broken ones hiss."""
    rng = np.random.default_rng(0)
    time = np.arange(8_000) / 16_000
    for label, noise in (("normal", 0.03), ("broken", 0.3)):
        for mission, hertz in (("cw_square", 200), ("ccw_square", 200), ("cw_f8", 3000)):
            (tmp_path / label / mission).mkdir(parents=True)
            for number in range(10):
                sound = 0.1 * np.sin(2 * np.pi * hertz * time) + noise * rng.normal(size=len(time))
                write_wav(tmp_path / label / mission / f"{number}.wav", sound, 16_000)
    return tmp_path


def test_parts_are_those_that_a_detector_flags(
    recipe_file: Path, missions: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--machine", "--uav", str(missions), "--recipe", str(recipe_file)]
    unseen.main([*options, "--choices", "1"])
    shown = tables(capsys.readouterr().out)
    assert list(shown) == [
        "UAV, square then figure-eight, 20 flights learned from",
        "UAV, figure-eight then square, 10 flights learned from",
    ]
    rows = shown["UAV, square then figure-eight, 20 flights learned from"]
    known, new = (sorted(missions.glob(f"normal/*_{end}/*.wav")) for end in ("square", "f8"))
    broken = sorted(missions.glob("broken/*_f8/*.wav"))
    detector = Detector(recipe_file, cache=missions / "cache").fit(known)
    for what, judged in (("false alarms", new), ("found", broken)):
        flagged = 100 * np.mean(detector.p_values(judged) <= 0.1 + ROUNDING)
        assert percent(rows[what, "not named", "10%"][1]) == pytest.approx(flagged)
    rng = np.random.default_rng(0)
    rng.permutation(10)  # of the two that are added first
    order = rng.permutation(10)
    detector.update([new[i] for i in order[:5]], accept=True, conditions=["new"] * 5)
    p_values = detector.p_values([new[i] for i in order[5:]], conditions=["new"] * 5)
    flagged = 100 * np.mean(p_values <= 0.2 + ROUNDING)
    assert percent(rows["false alarms", "named, judged by it", "20%"][3]) == pytest.approx(flagged)
    healthy = [cells for key, cells in rows.items() if key[0] == "false alarms"]
    assert {cells[0] for cells in healthy} == {"–"}  # no flight of a known mission left to judge
    assert {cells[4] for cells in healthy} == {"–"}  # of ten flights ten added: none left


def percent(cell: str) -> float:
    return float(cell.split()[0])
