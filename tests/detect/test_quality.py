"""Which recordings are unusable, and what is noted of others, beside healthy ones."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dgmix.audio.quality import MEASURES, Quality
from dgmix.config import Recipe
from dgmix.detect.bundle import load_detector
from dgmix.detect.detector import Detector
from dgmix.detect.forms import Terms, json_lines
from dgmix.detect.judgement import UNUSABLE, Judgement
from dgmix.detect.quality import Limits, defects, measures_of

RATE = 16_000
GOOD = Quality(4.0, -40.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0)
HEALTHY = Limits.of(measures_of([GOOD, replace(GOOD, seconds=4.4, level=-35.0, click=3.0)]))
UNKNOWN = Limits.of(measures_of([None, None]))


@pytest.mark.parametrize(
    ("changes", "unusable", "text"),
    [
        ({"level": -200.0}, True, "silent"),
        ({"level": -72.0}, True, "32 dB quieter"),
        ({"level": -52.0}, False, "12 dB quieter"),
        ({"level": -20.0}, False, "15 dB louder"),
        ({"seconds": 2.5}, True, "too short: 2.5 s long, and the healthy recordings 4 s or more"),
        ({"seconds": 3.5}, False, "3.5 s long"),
        ({"seconds": 60.0}, False, "60 s long, and the healthy recordings 4.4 s or less"),
        ({"dropouts": 0.02}, True, "dropouts: 2 % of it is zeros"),
        ({"dropouts": 0.002}, False, "dropouts: 0.2 % of it is zeros"),
        ({"ending": 0.25}, True, "its last 1 s are zeros"),
        ({"frozen": 0.6}, True, "frozen: 60 %"),
        ({"clipped": 0.4}, True, "clipped: 40 %"),
        ({"clipped": 1.0}, True, "clipped: 100 % of it"),
        ({"frozen": 0.999}, True, "frozen: 100 % of it"),
        ({"dropouts": 1e-5}, False, "dropouts: 0.001 % of it"),
        ({"clipped": 0.03}, False, "clipped: 3 %"),
        ({"click": 18.0}, False, "one click at 2.0 s, 18 dB above the rest"),
    ],
)
def test_each_defect_is_found_beside_healthy_recordings(
    changes: dict[str, float], unusable: bool, text: str
) -> None:
    (defect,) = defects(replace(GOOD, **changes), HEALTHY)
    assert (defect.unusable, text in defect.text) == (unusable, True), defect


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"level": -49.0},
        {"level": -26.0},
        {"seconds": 3.7},
        {"seconds": 8.0},
        {"click": 8.0},
        {"level": -35.0, "seconds": 4.4},
    ],
)
def test_what_healthy_recordings_may_be_is_no_defect(changes: dict[str, float]) -> None:
    assert defects(replace(GOOD, **changes), HEALTHY) == ()


@pytest.mark.parametrize("name", ["dropouts", "ending", "frozen", "clipped"])
def test_what_healthy_recordings_have_is_no_defect(name: str) -> None:
    used = Limits.of(measures_of([replace(GOOD, **{name: 0.3}), GOOD]))
    assert defects(replace(GOOD, **{name: 0.4}), used) == ()
    (defect,) = defects(replace(GOOD, **{name: 0.6}), used)
    assert defect.unusable


def test_zeros_at_the_end_of_a_long_recording_are_told_in_minutes() -> None:
    (defect, _) = defects(replace(GOOD, seconds=7200.0, ending=0.5), HEALTHY)[::-1]
    assert defect.text == "its last 60 min are zeros: is it still being copied?"


def test_half_a_minute_is_long_enough() -> None:
    hours = Limits.of(measures_of([replace(GOOD, seconds=7200.0)]))
    (defect,) = defects(replace(GOOD, seconds=60.0), hours)
    assert defect.text.startswith("60 s long, and the healthy recordings 2 h or more")
    assert not defect.unusable
    assert defects(replace(GOOD, seconds=20.0), hours)[0].unusable


def test_without_measured_healthy_recordings_only_plain_defects_count() -> None:
    assert defects(replace(GOOD, seconds=0.1, level=-90.0), UNKNOWN) == ()
    assert [each.unusable for each in defects(replace(GOOD, level=-200.0), UNKNOWN)] == [True]
    assert [each.unusable for each in defects(replace(GOOD, dropouts=0.5), UNKNOWN)] == [True]
    assert defects(None, HEALTHY) == ()


def test_a_machine_that_is_always_quiet_is_not_silent() -> None:
    quiet = replace(GOOD, level=-120.0)
    assert defects(quiet, Limits.of(measures_of([quiet]))) == ()


# Through a detector


def hum(seed: int, seconds: float = 1.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * RATE)) / RATE
    sound = 0.1 * np.sin(2 * np.pi * 120 * time) + 0.02 * rng.standard_normal(len(time))
    return (np.rint(32768 * sound) / 32768).astype(np.float32)


def with_gap(sound: np.ndarray) -> np.ndarray:
    sound = sound.copy()
    sound[4000:8000] = 0
    return sound


@pytest.fixture(scope="module")
def plain(tiny: Recipe) -> Recipe:
    views = tiny.detect.model_copy(update={"views": ["logmel-mean", "logmel-max"]})
    return tiny.model_copy(update={"detect": views})


@pytest.fixture(scope="module")
def detector(plain: Recipe) -> Detector:
    return Detector(plain).fit([hum(seed) for seed in range(10)], sample_rate=RATE)


BROKEN = {
    "silent": 0 * hum(20),
    "32 dB quieter": 0.02 * hum(21),
    "too short": hum(22, 0.3),
    "25 % of it is zeros": with_gap(hum(23)),
    "clipped": np.clip(20 * hum(24), -1, 1),
    "louder": 4 * hum(25),
}


@pytest.mark.parametrize("name", [name for name in BROKEN if name != "louder"])
def test_an_unusable_recording_is_no_anomaly(detector: Detector, name: str) -> None:
    (judged,) = detector.judgements([BROKEN[name]], sample_rate=RATE)
    assert name.split("dB")[-1].strip() in judged.unusable
    assert judged.verdict(0.2) == UNUSABLE
    assert judged.p_known <= 1 / 11 + 1e-9
    assert detector.predict([BROKEN[name]], sample_rate=RATE, false_alarm_rate=0.1).tolist() == [1]


def test_a_louder_machine_stays_an_anomaly(detector: Detector) -> None:
    (judged,) = detector.judgements([BROKEN["louder"]], sample_rate=RATE)
    assert judged.verdict(0.1) == "ANOMALY"
    assert "12 dB louder" in judged.notes[0]


def test_scores_and_p_values_are_those_without_quality(detector: Detector) -> None:
    healthy = [hum(seed) for seed in range(50, 55)]
    judged = list(detector.judgements(healthy, sample_rate=RATE))
    assert [each.defects for each in judged] == [()] * 5
    bare = detector.p_values(healthy, sample_rate=RATE)
    assert [each.p_known for each in judged] == bare.tolist()


def test_files_open_files_arrays_and_the_cache_have_the_same_quality(
    plain: Recipe, tmp_path: Path
) -> None:
    paths = []
    for seed in range(4):
        paths.append(tmp_path / f"{seed}.wav")
        soundfile.write(paths[-1], hum(seed, 0.5), RATE)
    arrays = Detector(plain).fit([hum(seed, 0.5) for seed in range(4)], sample_rate=RATE)
    expected = arrays.fitted_.memory.clips.measures
    assert np.isfinite(expected).all()
    for _ in range(2):
        files = Detector(plain, cache=tmp_path / "cache").fit(paths)
        np.testing.assert_array_equal(files.fitted_.memory.clips.measures, expected)
    files.save(tmp_path / "d.dgmix")
    kept = load_detector(tmp_path / "d.dgmix")
    np.testing.assert_array_equal(kept.memory.clips.measures, expected)
    gap = tmp_path / "gap.wav"
    soundfile.write(gap, with_gap(hum(5, 0.5)), RATE)
    given = [[gap], [io.BytesIO(gap.read_bytes())], [(with_gap(hum(5, 0.5)), RATE)]]
    judgement = [next(iter(files.judgements(each))) for each in given]
    assert {each.quality for each in judgement} == {judgement[0].quality}
    assert all("zeros" in each.unusable for each in judgement)


def test_an_update_leaves_unusable_recordings_out(detector: Detector) -> None:
    fitted = detector.fitted_
    more = Detector.of(fitted).update([hum(30), BROKEN["25 % of it is zeros"]], sample_rate=RATE)
    assert (more.fitted_.updates[-1].added, more.fitted_.updates[-1].left_out) == (1, 1)
    assert more.fitted_.memory.clips.measures.shape == (11, len(MEASURES))


def test_quality_is_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    broken = replace(GOOD, level=-75.0, click=18.0)
    judgement = Judgement("a.wav", 1.0, 0.5, quality=broken, defects=defects(broken, HEALTHY))
    with json_lines()(Terms(0.1)) as write:
        write(judgement)
    values = json.loads(capsys.readouterr().out)
    assert values["verdict"] == "unusable"
    assert values["quality"]["level"] == -75.0
    assert values["quality"]["unusable"].startswith("35 dB quieter")
    assert values["quality"]["notes"] == [
        "one click at 2.0 s, 18 dB above the rest: was the microphone touched?"
    ]
