"""Measures of quality against what was put in, and against slow ways to count it."""

from __future__ import annotations

import io
from itertools import groupby
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from dgmix.audio import io as audio_io
from dgmix.audio.cache import FeatureStore
from dgmix.audio.io import SignalReader
from dgmix.audio.quality import LEAST_LEVEL, Quality, QualityMeter, constant_runs, quality_of
from dgmix.config import AudioSettings, FeatureSettings

RATE = 8000
Signal = np.ndarray


def noise(count: int = 4 * RATE, level: float = 0.1) -> Signal:
    """Return noise as a recorder keeps it, in 16 bits."""
    sound = level * np.random.default_rng(1).standard_normal(count)
    return (np.rint(sound * 32768).clip(-32768, 32767) / 32768).astype(np.float32)


def changed(begin: int, end: int | None, value: float) -> Signal:
    sound = noise()
    sound[begin:end] = value
    return sound


@pytest.mark.parametrize(
    ("sound", "expected"),
    [
        (noise(), {}),
        (noise(level=3e-5), {}),
        (noise(100), {}),
        (changed(8000, 8800, 0), {"dropouts": 0.025}),
        (changed(0, 800, 0), {"dropouts": 0.025}),
        (changed(8000, 8020, 0), {}),
        (changed(-3200, None, 0), {"ending": 0.1}),
        (changed(8000, 8800, 0.01), {"frozen": 0.025}),
        (changed(-800, None, 0.01), {"frozen": 0.025}),
        (changed(8000, 8800, 0.9), {"clipped": 0.025, "click": 6.6}),
        (changed(8000, 8001, 0.99), {"click": 7.4}),
        (np.zeros(RATE, np.float32), {"ending": 1.0}),
        (np.full(RATE, 0.3, np.float32), {}),
    ],
)
def test_what_was_put_in_is_measured(sound: Signal, expected: dict[str, float]) -> None:
    quality = quality_of(sound, RATE)
    for name in ("dropouts", "ending", "frozen", "clipped"):
        assert getattr(quality, name) == pytest.approx(expected.get(name, 0), abs=1e-9), name
    assert quality.click == pytest.approx(expected.get("click", 0.5), abs=1.5)
    if expected.get("click"):
        assert quality.click_at == pytest.approx(1.0, abs=0.1)
    assert quality.seconds == len(sound) / RATE
    power = float(np.var(sound.astype(np.float64)))
    level = 10 * np.log10(power) if power else LEAST_LEVEL
    assert quality.level == pytest.approx(level, abs=1e-3)


@pytest.mark.parametrize("limit", [0.05, 0.2, 0.25])
def test_the_clipped_share_is_what_lies_at_the_limit(limit: float) -> None:
    sound = noise()
    clipped = np.clip(sound, -limit, limit + 0.01)
    share = np.mean((sound <= -limit) | (sound >= limit + 0.01))
    assert quality_of(clipped, RATE).clipped == pytest.approx(share, rel=1e-3)


@pytest.mark.parametrize("amplitude", [1.0, 0.01, 3e-4])
def test_a_tone_is_not_clipped(amplitude: float) -> None:
    tone = amplitude * np.sin(2 * np.pi * 50 * np.arange(RATE) / RATE)
    assert quality_of((np.rint(tone * 32767) / 32768).astype(np.float32), RATE).clipped == 0


@given(st.lists(st.tuples(st.sampled_from([0.0, 0.5, -1.0, 1.0]), st.integers(1, 90)), max_size=9))
def test_runs_are_those_that_a_slow_count_has(parts: list[tuple[float, int]]) -> None:
    sound = np.array([value for value, count in parts for _ in range(count)], np.float32)
    runs, place = [], 0
    for _, same in groupby(sound.tolist()):
        length = len(list(same))
        runs += [(place, length)] if length >= 32 else []
        place += length
    starts, lengths = constant_runs(sound, 32)
    assert list(zip(starts.tolist(), lengths.tolist(), strict=True)) == runs


@given(
    st.lists(st.tuples(st.sampled_from([0.0, 0.25, np.nan]), st.integers(1, 90)), min_size=1),
    st.lists(st.integers(1, 200), max_size=8),
)
def test_a_signal_in_blocks_is_measured_like_a_whole_one(
    parts: list[tuple[float, int]], cuts: list[int]
) -> None:
    rng = np.random.default_rng(0)
    pieces = [
        rng.standard_normal(count) if np.isnan(value) else np.full(count, value)
        for value, count in parts
    ]
    sound = np.concatenate(pieces).astype(np.float32)
    meter = QualityMeter(RATE)
    for block in np.split(sound, np.cumsum(cuts).clip(max=len(sound))):
        meter.add(block)
    whole, blocks = quality_of(sound, RATE), meter.quality()
    for name in ("seconds", "level", "dropouts", "ending", "frozen"):
        assert getattr(blocks, name) == pytest.approx(getattr(whole, name), abs=1e-4), name


def test_numbers_beyond_single_precision_are_measured() -> None:
    quality = quality_of(noise() * np.float32(1e37), RATE)
    assert quality.level == pytest.approx(20 * 37 - 20, abs=0.1)


@pytest.mark.parametrize("whole", [1 << 22, 1000], ids=["short", "long"])
@pytest.mark.parametrize("remove_mean", [True, False])
def test_quality_is_that_of_the_file_at_its_own_rate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: int, remove_mean: bool
) -> None:
    monkeypatch.setattr(audio_io, "WHOLE_SAMPLES", whole)
    sound = changed(8000, 8800, 0)
    path = tmp_path / "gap.wav"
    soundfile.write(path, sound, RATE)
    settings = AudioSettings(remove_mean=remove_mean)
    for source in (path, io.BytesIO(path.read_bytes())):
        reader = SignalReader(source, settings)
        assert sum(map(len, reader.blocks())) == 2 * len(sound)
        assert reader.quality == quality_of(sound, RATE)


def test_quality_is_kept_with_the_features(tmp_path: Path) -> None:
    sound = changed(8000, 8800, 0)
    path = tmp_path / "gap.wav"
    soundfile.write(path, sound, RATE)
    for _ in range(2):  # decoded, then from disk
        store = FeatureStore(tmp_path / "cache", AudioSettings(), FeatureSettings())
        store.add([path])
        assert store.open([path]).qualities == (quality_of(sound, RATE),)


def test_quality_is_made_of_its_values_again() -> None:
    quality = quality_of(noise(), RATE)
    assert Quality.of(quality.values()) == quality
    with pytest.raises(TypeError):
        Quality.of({"seconds": 1.0})
