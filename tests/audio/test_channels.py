"""Channels are measured as NumPy measures the whole recording, whatever the blocks."""

from __future__ import annotations

import numpy as np
import pytest

from dgmix.audio.channels import SINGLE, Channels, Meter, channels_of

RATE = 4000
RNG = np.random.default_rng(2)
TIME = np.arange(3 * RATE) / RATE
SOUND = 0.05 * RNG.normal(size=len(TIME))
HUM = 0.4 * np.sin(2 * np.pi * 50 * TIME) + 0.2 * np.sin(2 * np.pi * 150 * TIME)


def measured(*columns: np.ndarray, size: int = 10**6) -> Channels:
    meter = Meter(RATE)
    samples = np.stack(columns, 1).astype(np.float32)
    for first in range(0, len(samples), size):
        meter.add(samples[first : first + size])
    result = meter.result()
    assert result is not None
    return result


@pytest.mark.parametrize("size", [700, 10**6])
def test_levels_and_correlations_are_those_of_the_whole(size: int) -> None:
    other = 0.3 * SOUND + 0.01 * RNG.normal(size=len(SOUND)) + 0.5
    channels = measured(SOUND, other, size=size)
    samples = np.stack([SOUND, other]).astype(np.float32)
    np.testing.assert_allclose(channels.levels, 20 * np.log10(samples.std(1)), atol=0.06)
    np.testing.assert_allclose(channels.correlations, np.corrcoef(samples), atol=1e-6)
    assert channels.mean_level == pytest.approx(20 * np.log10(samples.mean(0).std()), abs=0.1)


def test_inverted_channels_cancel_in_their_mean() -> None:
    channels = measured(SOUND, -SOUND)
    assert channels.correlations[0][1] == pytest.approx(-1)
    assert channels.mean_level < -90


def test_clipping_hum_and_silence_are_parts_of_each_channel() -> None:
    square = np.clip(30 * SOUND, -1, 1)
    channels = measured(SOUND, square, HUM + 0.1 * SOUND, 0 * SOUND, 1e-4 * SOUND)
    assert channels.clipped == pytest.approx((0, np.mean(abs(30 * SOUND) >= 1), 0, 0, 0), abs=1e-3)
    assert [part > 0.8 for part in channels.hum] == [False, False, True, False, False]
    assert channels.silent == (False, False, False, True, True)


def test_hum_of_60_hz_and_a_machine_at_48_hz_are_told_apart() -> None:
    channels = measured(np.sin(2 * np.pi * 60 * TIME), np.sin(2 * np.pi * 48 * TIME) + SOUND)
    assert channels.hum[0] > 0.95
    assert channels.hum[1] < 0.3


def test_plain_values_are_read_back() -> None:
    for channels in (measured(SOUND, HUM), SINGLE):
        assert Channels.read(channels.values()) == channels
    assert channels_of(SOUND.astype(np.float32), RATE) == SINGLE


@pytest.mark.parametrize("samples", [1, 10, RATE // 2])
def test_short_recordings_have_measures_too(samples: int) -> None:
    channels = measured(SOUND[:samples], HUM[:samples])
    assert len(channels) == 2
    assert np.isfinite([*channels.levels, *channels.hum]).all()
