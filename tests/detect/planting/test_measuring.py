"""What a detector finds of planted faults, measured on recordings that it is not compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from dgmix.config import Recipe, load_recipe
from dgmix.detect import learn
from dgmix.detect.detector import Detector
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.planting import measuring
from dgmix.detect.planting.faults import FAULTS
from dgmix.detect.planting.measuring import least_detected, measure
from dgmix.detect.planting.plantings import Planting
from dgmix.detect.recordings import Sounds
from dgmix.detect.sources import healthy_sounds
from dgmix.errors import InputError

RATE = 16_000


def recordings(count: int, seed: int = 0, seconds: float = 0.3) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [0.1 * rng.standard_normal(int(seconds * RATE)) for _ in range(count)]


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    return load_recipe("default", ["detect.views=[logmel-mean, logmel-max]", "features.n_mels=32"])


@pytest.fixture(scope="module")
def healthy() -> Sounds:
    return healthy_sounds(recordings(12), RATE)


@pytest.fixture(scope="module")
def fitted(healthy: Sounds, recipe: Recipe) -> FittedDetector:
    return learn.fit(healthy, recipe)


@pytest.mark.parametrize("least", range(8))
def test_halving_finds_the_first_strength_that_is_found(least: int) -> None:
    fault, tried = FAULTS[0], []

    def detects(plantings: Sequence[Planting]) -> np.ndarray:
        tried.extend(plantings)
        places = [fault.strengths.index(each.strength) for each in plantings]
        return np.array([place >= least for place in places])

    assert least_detected(detects, [fault], [(5,)]).tolist() == [least]
    assert len(tried) <= 3
    assert {each.seed for each in tried} == {(5,)}


def test_what_is_faint_is_missed_and_what_is_strong_is_found(
    fitted: FittedDetector, healthy: Sounds
) -> None:
    measured = measure(fitted, healthy, quick=True)
    shares = {response.name: response.detected for response in measured.responses}
    assert measured.recordings == 8
    assert measured.learned_from == 12
    assert measured.rate == pytest.approx(1 / 12)  # eleven are left to compare with
    assert measured.flagged <= 0.25
    assert shares["everything louder"][-1] == 1
    assert shares["a steady tone"][0] == pytest.approx(measured.flagged, abs=1e-9)
    assert all((np.diff(each) >= 0).all() for each in shares.values())


def test_a_recording_is_left_out_with_all_that_was_recorded_with_it(
    fitted: FittedDetector, healthy: Sounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    clips = replace(fitted.memory.clips, recordings=tuple("aabbccddeeff"))
    grouped = replace(fitted, memory=replace(fitted.memory, clips=clips))
    left = []
    trial = measuring._trial

    def watched(detector: FittedDetector, healthy: Sounds, number: int, *more: object) -> object:
        left.append((number, set(detector.memory.clips.recordings)))
        return trial(detector, healthy, number, *more)

    monkeypatch.setattr(measuring, "_trial", watched)
    measure(grouped, healthy.select([0, 3]), quick=True)
    assert left == [(0, set("bcdef")), (1, set("acdef"))]


def test_another_section_is_what_is_mixed_in(recipe: Recipe) -> None:
    hum = np.sin(np.arange(int(0.3 * RATE)))
    sounds = [*recordings(4), *(0.5 * hum + each for each in recordings(4, 1))]
    healthy = healthy_sounds(sounds, RATE).relabelled(sections=["a"] * 4 + ["b"] * 4)
    measured = measure(learn.fit(healthy, recipe), healthy, quick=True)
    assert measured.responses[-1].name == "another section's sound"
    assert measured.responses[-1].detected[-1] == 1


def test_a_seed_gives_the_same_again(
    fitted: FittedDetector, healthy: Sounds, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measuring, "FEW_PLANTINGS", 2)
    measured = [measure(fitted, healthy, seed=seed, quick=True) for seed in (0, 0, 1)]
    assert measured[0] == measured[1] != measured[2]


def test_two_recordings_are_too_few(recipe: Recipe) -> None:
    healthy = healthy_sounds(recordings(2), RATE)
    fitted = learn.fit(healthy, recipe)
    with pytest.raises(
        InputError, match="needs 3 healthy recordings of a section, and there are 2"
    ):
        measure(fitted, healthy)


def test_a_detector_keeps_what_was_measured(recipe: Recipe, tmp_path) -> None:
    detector = Detector(recipe, sample_rate=RATE).fit(recordings(6))
    assert detector.summary()["sensitivity"] is None
    measured = detector.measure_sensitivity(recordings(3, seed=5), quick=True)
    detector.save(tmp_path / "a.dgmix")
    assert Detector.load(tmp_path / "a.dgmix").fitted_.sensitivity == measured
    assert detector.summary()["sensitivity"] == measured.as_values()
