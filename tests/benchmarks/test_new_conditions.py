"""The benchmark of the promise for new conditions, on recordings made here."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from dgmix.audio.io import write_wav
from dgmix.detect.detector import Detector
from dgmix.detect.resolve import recipe_at

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
new: ModuleType = pytest.importorskip("new_conditions")
SPEEDS = (1450, 1550, 1650, 1750, 1850)


@pytest.fixture(scope="module")
def protocols(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two cuts of a healthy motor at each of five speeds, and of a hissing one at three."""
    folder = tmp_path_factory.mktemp("set") / "protocols"
    folder.mkdir()
    rng = np.random.default_rng(0)
    time = np.arange(8_000) / 16_000
    rows = ["repeat,path,machine,section,domain,split,label"]
    for label, word, noise, speeds in (
        ("normal", "healthy", 0.02, SPEEDS),
        ("anomaly", "propeller", 0.5, SPEEDS[:3]),
    ):
        for speed in speeds:
            for cut in range(2):
                name = f"{word}_M1_{speed}rpm_{cut}.wav"
                tone = 0.1 * np.sin(2 * np.pi * speed * time)
                write_wav(folder.parent / name, tone + noise * rng.normal(size=8_000), 16_000)
                rows.append(f"0,../{name},bldc,00,source,test,{label}")
    (folder / "bldc_propeller.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_rows_are_of_conditions_left_out(
    protocols: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [str(protocols), "--cache", str(tmp_path), "--json"]
    new.main(arguments)
    smallest, wanted = json.loads(capsys.readouterr().out)
    for row in (smallest, wanted):
        assert row["set"] == "bldc_propeller"
        assert row["rate"] == pytest.approx(0.2)  # five conditions, of which four are known
        assert row["conditions"] == 5
        assert row["false_alarms"] <= row["rate"]
        assert row["found"] == 1
    assert smallest == wanted
    assert set(new.RAW_VIEWS) == set(smallest["raw"])


def test_a_part_is_what_a_detector_flags(protocols: Path, tmp_path: Path) -> None:
    (part,) = new.protocol(protocols / "bldc_propeller.csv", new.PATTERNS["bldc_propeller"])
    assert part.conditions[0] == "M1_1450rpm"
    assert len(set(part.recordings)) == 8
    recipe = recipe_at(new.load_recipe("default"), 16_000)
    units = {
        condition: unit
        for condition, system, unit, _ in new.left_out(part, recipe, tmp_path)
        if system == new.DETECTOR
    }
    out = "M1_1750rpm"
    own = np.array(part.conditions) == out
    known = np.flatnonzero(~own & ~part.anomalous)
    detector = Detector(cache=tmp_path).fit(
        [part.paths[i] for i in known],
        recordings=[part.recordings[i] for i in known],
        conditions=[part.conditions[i] for i in known],
    )
    judged = [part.paths[i] for i in np.flatnonzero(own)]
    for promise, flagged in (("new", units[out].healthy), ("known", units[out].known)):
        p_values = detector.p_values(judged, promise=promise)
        assert flagged == np.mean(p_values <= 0.2 + 1e-9)
    assert units[out].anomalies is None


@pytest.mark.parametrize(
    ("name", "file", "recording", "condition"),
    [
        ("bldc_propeller", "healthy_M3_1450rpm_2", "healthy_M3_1450rpm", "M3_1450rpm"),
        ("adi_cbm", "0600_GoB_BS_BaLo_WA_11lb_p1", "0600_GoB_BS_BaLo_WA_11lb", "0600 11lb"),
        ("pronostia", "B2_7_anomaly_0003", "B2_7_anomaly_0003", "B2_7"),
    ],
)
def test_names_tell_recording_and_condition(
    name: str, file: str, recording: str, condition: str
) -> None:
    part = new.part_of("", [Path(file)], [file], [False], new.PATTERNS[name])
    assert part.recordings == (recording,)
    assert part.conditions == (condition,)


def test_flights_of_a_mission_are_a_condition() -> None:
    names = ["normal/cw_f8/normal_01", "broken/cw_f8/one_broken_0001_01"]
    part = new.part_of("", [Path(name) for name in names], names, [False, True], new.UAV)
    assert part.conditions == ("cw_f8", "cw_f8")
    assert part.recordings == tuple(names)
