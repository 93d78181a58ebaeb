"""Detectors of earlier versions are read, and score as they did.

`python tests/detect/test_bundle_format.py` writes the files of the present format anew. Do that
when `bundle.FORMAT` rises, and leave those of the formats before it as they are.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dgmix.config import parse_recipe
from dgmix.detect import bundle
from dgmix.detect.detector import Detector

RATE = 16_000
DATA = Path(__file__).parent / "data"
FORMATS = sorted(DATA.glob("format*.dgmix"))
RECIPE = {
    "features": {"n_mels": 32},
    "input": {"crop_seconds": 0.5},
    "encoder": {"width": 0.05},
    "pretrain": {"epochs": 1, "max_steps": 3, "batch_size": 8, "projector": [8]},
    "detect": {
        "hop_seconds": 0.5,
        "views": [
            "dgmix",
            "logmel-mean",
            "logmel-max",
            "logmel-min",
            "logmel-change",
            "logmel-rhythm",
        ],
        "whiten": True,
    },
}


def sounds(count: int, seed: int) -> list[NDArray[np.float32]]:
    """Return recordings of 0.4 to 1.5 s: a hum, noise, and a crackle in every third."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(count):
        time = np.arange(round(rng.uniform(0.4, 1.5) * RATE)) / RATE
        sound = 0.1 * np.sin(2 * np.pi * 120 * time) + 0.05 * rng.standard_normal(len(time))
        sound += (number % 3 == 2) * 0.3 * (rng.random(len(time)) < 0.001)
        found.append(sound.astype(np.float32))
    return found


def says(detector: Detector) -> dict[str, list[float]]:
    """Return what a detector says of some recordings."""
    asked = sounds(6, seed=2)
    found = detector.localize(asked)
    return {
        "scores": detector.score_samples(asked).tolist(),
        "scores in section b": detector.score_samples(asked, sections=["b"] * 6).tolist(),
        "p-values": detector.p_values(asked).tolist(),
        "p-values in target": detector.p_values(asked, domains=["target"] * 6).tolist(),
        "healthy": detector.decision_scores_.tolist(),
        "surprise": [float(each.surprise.max()) for each in found],
    }


def write_fixture() -> None:
    """Write a detector of the present format, and what it says."""
    sections, domains = ["a", "b"] * 6, ["source"] * 8 + ["target"] * 4
    healthy = sounds(12, seed=1)
    detector = Detector(parse_recipe(RECIPE, "fixture"), seed=1, false_alarm_rate=0.2)
    detector.fit(healthy[:10], sections=sections[:10], domains=domains[:10])
    detector.update(healthy[10:], sections=sections[10:], domains=domains[10:])
    DATA.mkdir(exist_ok=True)
    path = DATA / f"format{bundle.FORMAT}.dgmix"
    detector.save(path)
    path.with_suffix(".json").write_text(json.dumps(says(detector), indent=1) + "\n")


@pytest.mark.parametrize("path", FORMATS, ids=lambda path: path.stem)
def test_every_format_is_read_and_scores_the_same(path: Path) -> None:
    detector = Detector.load(path)
    expected = json.loads(path.with_suffix(".json").read_text())
    found = says(detector)
    assert set(found) == set(expected)
    for what, values in expected.items():
        np.testing.assert_allclose(found[what], values, rtol=1e-3, err_msg=what)
    assert detector.healthy_.trained == 10
    assert (detector.rate(), detector.seed) == (1 / 3, 1)


def test_there_is_a_file_of_every_format() -> None:
    assert [path.stem for path in FORMATS] == [f"format{n + 1}" for n in range(bundle.FORMAT)]
    assert all(path.stat().st_size < 150_000 for path in FORMATS)


@pytest.mark.parametrize("path", FORMATS, ids=lambda path: path.stem)
def test_what_is_read_can_be_written_and_updated(path: Path, tmp_path: Path) -> None:
    detector = Detector.load(path)
    detector.save(tmp_path / "again.dgmix")
    again = Detector.load(tmp_path / "again.dgmix").update(sounds(2, seed=3))
    assert len(again.memory_.sections) == 14


if __name__ == "__main__":
    write_fixture()
