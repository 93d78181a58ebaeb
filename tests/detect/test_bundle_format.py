"""Detectors of earlier versions are read, and keep what they can promise.

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
from dgmix.detect.bundle import describe_detector
from dgmix.detect.detector import Detector
from dgmix.detect.learn import undo_update
from dgmix.detect.scorers import estimates
from dgmix.detect.summary import described

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
            "cepstrum",
            "logmel-rhythm",
        ],
        "scorer": "kriging",
    },
}


def sounds(count: int, seed: int) -> list[NDArray[np.float32]]:
    """Return recordings of 0.4 to 1.5 s: a hum, noise, and a crackle in every third."""
    rng = np.random.default_rng(seed)
    signals = []
    for number in range(count):
        time = np.arange(round(rng.uniform(0.4, 1.5) * RATE)) / RATE
        sound = 0.1 * np.sin(2 * np.pi * 120 * time) + 0.05 * rng.standard_normal(len(time))
        sound += (number % 3 == 2) * 0.3 * (rng.random(len(time)) < 0.001)
        signals.append(sound.astype(np.float32))
    return signals


def judged(detector: Detector) -> dict[str, list[float]]:
    """Return what a detector finds of some recordings."""
    signals = sounds(6, seed=2)
    places = detector.localize(signals, sample_rate=RATE)
    return {
        "scores": detector.score_samples(signals, sample_rate=RATE).tolist(),
        "scores in section b": detector.score_samples(
            signals, sample_rate=RATE, sections=["b"] * 6
        ).tolist(),
        "p-values": detector.p_values(signals, sample_rate=RATE).tolist(),
        "p-values of new conditions": detector.p_values(
            signals, sample_rate=RATE, promise="new"
        ).tolist(),
        "p-values in target": detector.p_values(
            signals, sample_rate=RATE, conditions=["target"] * 6
        ).tolist(),
        "healthy": detector.decision_scores_.tolist(),
        "surprise": [float(each.surprise.max()) for each in places],
    }


def write_fixture() -> None:
    """Write a detector of the present format, and what it finds."""
    sections, domains = ["a", "b"] * 6, ["source"] * 8 + ["target"] * 4
    healthy = sounds(12, seed=1)
    detector = Detector(
        parse_recipe(RECIPE, "fixture"), seed=1, false_alarm_rate=0.2, sample_rate=RATE
    )
    detector.fit(healthy[:10], sections=sections[:10], domains=domains[:10])
    detector.update(healthy[10:], accept=True, sections=sections[10:], domains=domains[10:])
    DATA.mkdir(exist_ok=True)
    path = DATA / f"format{bundle.FORMAT}.dgmix"
    detector.save(path)
    path.with_suffix(".json").write_text(json.dumps(judged(detector), indent=1) + "\n")


@pytest.mark.parametrize("path", FORMATS, ids=lambda path: path.stem)
def test_every_format_is_read_and_keeps_what_it_can_promise(path: Path) -> None:
    detector = Detector.load(path)
    expected = json.loads(path.with_suffix(".json").read_text())
    values = judged(detector)
    np.testing.assert_allclose(values["surprise"], expected["surprise"], rtol=1e-3)
    assert (detector.fitted_.trained, len(detector.fitted_.memory.clips), detector.seed) == (
        10,
        12,
        1,
    )
    assert detector.fitted_.false_alarm_rate == 0.2
    for name, numbers in values.items():
        if name == "healthy":
            continue
        assert np.isfinite(numbers).all(), name
        if name.startswith("p-values"):
            assert 0 < min(numbers) <= max(numbers) <= 1
    fewest = detector.fitted_.count("known")
    assert min(values["p-values"]) >= 1 / (detector.fitted_.calibration().count() + 1) - 1e-9
    assert detector.fitted_.rate() == max(0.2, 1 / (fewest + 1))
    assert judged(Detector.load(path)) == values


def test_the_present_format_scores_as_it_did_when_it_was_written() -> None:
    path = DATA / f"format{bundle.FORMAT}.dgmix"
    expected = json.loads(path.with_suffix(".json").read_text())
    values = judged(Detector.load(path))
    assert set(values) == set(expected)
    for name, numbers in expected.items():
        np.testing.assert_allclose(values[name], numbers, rtol=1e-3, err_msg=name)


@pytest.mark.parametrize("path", FORMATS[:3], ids=lambda path: path.stem)
def test_older_formats_know_no_recordings_conditions_and_updates(path: Path) -> None:
    fitted = Detector.load(path).fitted_
    clips = fitted.memory.clips
    assert clips.conditions == clips.domains
    assert len({*clips.recordings}) == 12
    assert fitted.updates == ()
    assert (fitted.network is not None) == ("dgmix" in fitted.recipe.detect.views)
    text = described(str(path), describe_detector(path))
    if estimates(fitted.recipe.detect):  # whitened: half of the recordings calibrate
        assert "only a part of them calibrates: fit again with today's default" in text
        assert fitted.count("new") == 0


def test_an_update_of_the_present_format_can_be_undone() -> None:
    fitted = Detector.load(DATA / f"format{bundle.FORMAT}.dgmix").fitted_
    assert [each.added for each in fitted.updates] == [2]
    assert len(undo_update(fitted).memory.clips) == 10


def test_there_is_a_file_of_every_format() -> None:
    assert [path.stem for path in FORMATS] == [f"format{n + 1}" for n in range(bundle.FORMAT)]
    assert all(path.stat().st_size < 150_000 for path in FORMATS)


@pytest.mark.parametrize("path", FORMATS, ids=lambda path: path.stem)
def test_what_is_read_can_be_written_and_updated(path: Path, tmp_path: Path) -> None:
    detector = Detector.load(path)
    before = judged(detector)
    detector.save(tmp_path / "again.dgmix")
    assert judged(Detector.load(tmp_path / "again.dgmix")) == before
    again = Detector.load(tmp_path / "again.dgmix").update(
        sounds(2, seed=3), accept=True, sample_rate=RATE
    )
    assert len(again.fitted_.memory.clips) == 14
    assert again.undo_update().fitted_.updates == detector.fitted_.updates


if __name__ == "__main__":
    write_fixture()
