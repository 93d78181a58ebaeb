"""Healthy recordings that may not be healthy are named, and those of a mixed machine are not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from dgmix.config import Recipe
from dgmix.detect.detector import Detector
from dgmix.detect.odd import broken_clips, odd_clips
from dgmix.detect.reporting import broken_recordings, fit_report, odd_recordings

RATE = 16_000


def pump(seed: int, fault: str = "", gain: float = 1.0) -> np.ndarray:
    """Return half a second of a pump: a hum and noise; a fault is a tone or bursts."""
    rng = np.random.default_rng(seed)
    time = np.arange(RATE // 2) / RATE
    sound = 0.1 * np.sin(2 * np.pi * 96 * time + rng.uniform(0, 6)) * 10 ** rng.normal(0, 0.03)
    sound += 0.03 * rng.standard_normal(len(time)) * 10 ** rng.normal(0, 0.03)
    if fault == "whine":
        sound += 0.1 * np.sin(2 * np.pi * 2217 * time)
    if fault == "knock":
        sound += 0.5 * np.sin(2 * np.pi * 3100 * time) * np.exp(-200 * (time % 0.05))
    return gain * sound


@pytest.fixture(scope="module")
def plain(tiny: Recipe) -> Recipe:
    views = ["logmel-mean", "logmel-max", "cepstrum"]
    settings = {"views": views, "scorer": "kriging"}
    return tiny.model_copy(update={"detect": tiny.detect.model_copy(update=settings)})


def odd(recipe: Recipe, signals: Sequence[np.ndarray], **columns: list[str]) -> list[list[int]]:
    fitted = Detector(recipe).fit(signals, sample_rate=RATE, **columns).fitted_
    return [list(each.clips) for each in odd_clips(fitted)]


@pytest.mark.parametrize("fault", ["knock", "whine"])
@pytest.mark.parametrize("bad", [1, 2, 3])
def test_alike_faulty_ones_among_twenty_are_named(plain: Recipe, fault: str, bad: int) -> None:
    signals = [pump(seed, fault if seed < bad else "") for seed in range(20)]
    assert odd(plain, signals) == [list(range(bad))]


def test_two_different_faults_are_two(plain: Recipe) -> None:
    signals = [pump(seed, {3: "knock", 7: "whine"}.get(seed, "")) for seed in range(20)]
    assert sorted(odd(plain, signals)) == [[3], [7]]


@pytest.mark.parametrize("count", [7, 10, 20])
def test_healthy_ones_are_not_named(plain: Recipe, count: int) -> None:
    assert odd(plain, [pump(seed) for seed in range(100, 100 + count)]) == []


@pytest.mark.parametrize("second", [10, 7])
def test_two_conditions_of_similar_size_are_not_odd(plain: Recipe, second: int) -> None:
    idle = [pump(seed, "whine", gain=0.1) for seed in range(second)]
    assert odd(plain, [*[pump(seed) for seed in range(40, 50)], *idle]) == []


def test_pieces_of_a_faulty_recording_are_named_together(plain: Recipe) -> None:
    signals = [pump(seed, "knock" if seed < 4 else "") for seed in range(24)]
    names = [f"r{seed // 2}" for seed in range(24)]
    assert odd(plain, signals, recordings=names) == [[0, 1, 2, 3]]


def test_sections_are_looked_at_one_by_one(plain: Recipe) -> None:
    signals = [pump(seed, "knock" if seed % 2 else "") for seed in range(20)]
    assert odd(plain, signals, sections=["a", "b"] * 10) == []


def test_one_view_or_few_recordings_name_nobody(plain: Recipe) -> None:
    few = [pump(0, "knock"), *[pump(seed) for seed in range(1, 6)]]
    assert odd(plain, few) == []
    views = plain.detect.model_copy(update={"views": ["logmel-mean"]})
    alone = plain.model_copy(update={"detect": views})
    assert odd(alone, [*few, *[pump(seed) for seed in range(20, 30)]]) == []


def test_broken_recordings_are_named(plain: Recipe) -> None:
    signals = [pump(seed) for seed in range(12)]
    signals[4][2000:4000] = 0
    signals[9] = np.clip(100 * signals[9], -1, 1)
    fitted = Detector(plain).fit(signals, sample_rate=RATE).fitted_
    assert [clip for clip, _ in broken_clips(fitted)] == [4, 9]
    names = [f"h{number:02}.wav" for number in range(12)]
    first, second = broken_recordings(fitted, names)
    assert first.startswith("h04.wav: dropouts: 25 % of it is zeros")
    assert "clipped" in second


def test_lengths_and_levels_are_beside_those_of_most_others(plain: Recipe) -> None:
    signals = [pump(seed) for seed in range(12)]
    signals[3], signals[7] = signals[3][: len(signals[3]) * 4 // 5], 0.05 * signals[7]
    fitted = Detector(plain).fit(signals, sample_rate=RATE).fitted_
    seconds = len(signals[0]) / RATE
    short, quiet = broken_recordings(fitted, [str(number) for number in range(12)])
    others = f"{seconds:.3g} s or more: it may hide anomalies"
    assert short == f"3: {0.8 * seconds:.3g} s long, and most others {others}"
    assert quiet.startswith("7: 2")
    assert "dB quieter than most others: is the machine stopped" in quiet


def test_fit_asks_and_drops_nothing(plain: Recipe) -> None:
    signals = [pump(seed, "knock" if seed < 3 else "") for seed in range(20)]
    fitted = Detector(plain).fit(signals, sample_rate=RATE).fitted_
    names = [f"h{number:02}.wav" for number in range(20)]
    (sentence,) = odd_recordings(fitted, names)
    assert sentence.startswith("h00.wav, h01.wav, h02.wav are alike and unlike the 17 others")
    text = fit_report(fitted, "pump.dgmix", names)
    assert f"unlike the others: {sentence}" in text
    assert "--leave-out NAME" in text
    assert len(fitted.memory.clips) == 20


def test_a_broken_flight_among_nine_healthy_ones_is_named(real_data: Path, tmp_path: Path) -> None:
    flights = real_data / "uav_propeller"
    healthy = sorted((flights / "normal").rglob("*.flac"))[:9]
    broken = tmp_path / "flights" / "flight.flac"  # in no folder called broken
    broken.parent.mkdir()
    broken.symlink_to(sorted((flights / "broken").rglob("*.flac"))[0])
    fitted = Detector(cache=tmp_path / "cache").fit([*healthy, broken]).fitted_
    assert [each.clips for each in odd_clips(fitted)] == [(9,)]
