import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgmix.evaluate.report.listening.excerpt import SECONDS, Excerpt, around, most_like

RATE, STEP = 1000, 50
HOP = STEP / RATE


def recording(seconds, seed=0, bands=4):
    """A recording whose samples and frames hold their own numbers."""
    samples = np.arange(round(seconds * RATE), dtype=np.float32)
    frames = 1 + len(samples) // STEP
    level = np.random.default_rng(seed).normal(size=(frames, bands)).astype(np.float32)
    surprise = np.arange(frames, dtype=np.float32)
    return Excerpt(samples, RATE, level, surprise, np.arange(bands) * 100.0, HOP)


def test_a_cut_keeps_sound_and_picture_together():
    part = recording(30).cut(100, 40).cut(10, 20)
    assert part.begin == pytest.approx(110 * HOP)
    assert part.end == pytest.approx(130 * HOP)
    assert part.surprise.tolist() == list(range(110, 130))
    assert part.samples[[0, -1]].tolist() == [110 * STEP, 130 * STEP - 1]


@given(st.floats(0.5, 40), st.floats(0, 1))
def test_around_holds_the_frame_and_stays_inside(seconds, share):
    everything = recording(seconds)
    frame = round(share * (len(everything.level) - 1))
    part = around(everything, frame)
    assert part.first <= frame < part.first + len(part.level)
    assert part.first + len(part.level) <= len(everything.level)
    if seconds <= 12:
        assert len(part.samples) == len(everything.samples)
    else:
        assert len(part.level) * HOP == pytest.approx(SECONDS)
        assert part.end - part.begin == pytest.approx(SECONDS, abs=1.01 * HOP)


def test_most_like_is_the_nearest_mean_level():
    everything, other = recording(20, seed=1), recording(10, seed=2)
    part = most_like(everything, other)
    length, wanted = len(part.level), other.level.mean(0)
    distances = [
        np.linalg.norm(everything.level[first : first + length].mean(0) - wanted)
        for first in range(len(everything.level) - length + 1)
    ]
    assert part.first == np.argmin(distances)


def test_a_short_recording_is_shown_whole():
    everything = recording(3)
    part = most_like(everything, recording(10))
    assert len(part.samples) == len(everything.samples)
