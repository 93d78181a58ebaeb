"""Recordings in memory, of every type and shape that programs return them in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import soundfile
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from dgmix.audio.arrays import (
    MOST_CHANNELS,
    ArrayError,
    hertz,
    is_pair,
    items_of,
    recordings_of,
    samples_of,
)
from dgmix.audio.io import read_audio
from dgmix.errors import InputError

SOUND = np.random.default_rng(0).uniform(-0.9, 0.9, 4000)


@pytest.mark.parametrize(
    ("type", "full_scale", "middle"),
    [
        *((np.int8, 2**7, 0), (np.uint8, 2**7, 2**7), (np.int16, 2**15, 0)),
        *((np.uint16, 2**15, 2**15), (np.int32, 2**31, 0), (np.int64, 2**15, 0)),
        *((">i2", 2**15, 0), (np.float32, 1, 0), (np.float16, 1, 0), (np.float64, 1, 0)),
    ],
)
def test_integers_have_the_full_scale_of_their_type(
    type: Any, full_scale: int, middle: int
) -> None:
    steps = (SOUND * full_scale + middle).astype(type)
    signal, rate = samples_of(steps, "it")
    assert signal.dtype == np.float32
    assert rate is None
    np.testing.assert_allclose(
        signal, SOUND, atol=1.001 / min(full_scale, 2**10) + (full_scale == 1) * 1e-3
    )
    assert abs(signal - SOUND).max() < 0.01


def test_the_same_as_files_of_the_same_integers(tmp_path: Path) -> None:
    for type, subtype in (("int16", "PCM_16"), ("int32", "PCM_32")):
        steps = (SOUND * np.iinfo(type).max).astype(type)
        soundfile.write(tmp_path / "x.wav", steps, 16_000, subtype=subtype)
        np.testing.assert_array_equal(
            samples_of(steps, "it")[0], read_audio(tmp_path / "x.wav").samples
        )


def test_integers_without_a_full_scale_are_refused() -> None:
    with pytest.raises(ArrayError, match=r"it: integers of int64 up to 40000 have no known full"):
        samples_of(np.array([0, -40_000]), "it")


@pytest.mark.parametrize("stereo", [np.stack([SOUND, SOUND / 2]), np.stack([SOUND, SOUND / 2], 1)])
def test_channels_come_last_whichever_axis_they_are_on(stereo: np.ndarray) -> None:
    samples, _ = samples_of(stereo, "it")
    np.testing.assert_array_equal(samples, np.stack([SOUND, SOUND / 2], 1).astype(np.float32))


@pytest.mark.parametrize(
    "pair", [(SOUND, 48_000), (48_000, SOUND), [SOUND, 48_000.0], (SOUND, np.int32(48_000))]
)
def test_samples_with_their_rate_in_either_order(pair: Any) -> None:
    assert is_pair(pair)
    signal, rate = samples_of(pair, "it")
    assert rate == 48_000
    np.testing.assert_allclose(signal, SOUND, rtol=1e-6)


@pytest.mark.parametrize("item", [[0.1, 0.2], SOUND, "ab", ["a.wav", "b.wav"], (SOUND, SOUND), 3])
def test_what_is_no_pair(item: Any) -> None:
    assert not is_pair(item)


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        ((SOUND, 0), "it: 0 samples a second"),
        ((SOUND, -1), "it: -1 samples a second"),
        ((SOUND, float("nan")), "it: nan samples a second"),
        ((SOUND, "fast"), "it: the rate 'fast' is not a number"),
        ([], "it: 0 samples"),
        (np.zeros((50, 50)), "it: expected samples on one axis, not 2"),
        (np.zeros((2, 3, 4)), "it: expected samples on one axis, not 3"),
        (1.0, "it: expected samples on one axis, not 0"),
        ([1.0, np.nan], "it: a sample is not a finite number"),
        (SOUND * 1j, "it: samples are real numbers"),
        (["x"], "it: its samples are not numbers"),
        ((SOUND, 44.1), r"it: 44\.1 samples a second; give how many there are, in Hz"),
        ((SOUND, 1e10), "it: 1e\\+?10|10000000000.0 samples a second"),
        ((SOUND, None), "it: the rate None is not a number"),
        (np.ma.masked_greater(SOUND, 0.5), "it: some of its samples are masked; leave out or fill"),
        (np.zeros(9, "M8[s]"), "it: its samples are datetime64"),
        (np.zeros(9, [("left", "f4")]), "it: its samples are .*, not numbers"),
        (SOUND.tobytes(), "it: bytes; give np.frombuffer"),
        (bytearray(90), "it: bytes; give np.frombuffer"),
        (memoryview(SOUND), "it: bytes; give np.frombuffer"),
    ],
)
def test_what_is_no_recording_is_a_sentence(item: Any, sentence: str) -> None:
    with pytest.raises(ArrayError, match=sentence):
        samples_of(item, "it")


@pytest.mark.parametrize(
    "make",
    [
        torch.tensor,
        lambda sound: torch.tensor(sound, requires_grad=True),
        lambda sound: torch.tensor(sound).bfloat16(),
        lambda sound: torch.tensor(np.rint(sound * 32768).astype(np.int16)),
        lambda sound: np.asfortranarray(np.stack([sound, sound]))[1],
        lambda sound: np.frombuffer(sound.tobytes()),
        lambda sound: sound[::-1][::-1],
        lambda sound: sound.astype(">f8"),
        lambda sound: pl.Series(sound),
        lambda sound: sound.astype(object),
        tuple,
        np.ma.asarray,
    ],
)
def test_samples_of_other_libraries_are_the_same(make: Any) -> None:
    np.testing.assert_allclose(samples_of(make(SOUND), "it")[0], SOUND, atol=4e-3)


@pytest.mark.parametrize("source", [{"a": SOUND}, {1, 2}, None, 3.0, 16_000, b"RIFF", []])
def test_what_holds_no_recordings_is_a_sentence(source: Any) -> None:
    with pytest.raises(ArrayError, match="recordings"):
        items_of(source)


def test_gaps_in_an_array_of_recordings_are_not_sound() -> None:
    with pytest.raises(ArrayError, match="the recordings: some of its samples are masked"):
        items_of(np.ma.masked_greater(np.stack([SOUND, SOUND]), 0.5))


@pytest.mark.parametrize(
    ("rate", "hz"), [(16_000, 16_000), ("8000", 8000), (44_100.0, 44_100), (12_207.03, 12_207)]
)
def test_a_rate_is_a_whole_number(rate: Any, hz: int) -> None:
    assert hertz(rate, "sample_rate") == hz


def test_an_array_of_channels_is_not_taken_for_thousands_of_recordings() -> None:
    with pytest.raises(ArrayError, match=r"64000 rows and 2 columns would be 64000 recordings"):
        recordings_of(np.zeros((64_000, 2)))
    assert len(recordings_of(np.zeros((2, 64_000)))) == 2
    assert len(recordings_of(np.zeros((40, 2)))) == 40


@given(
    arrays(
        st.sampled_from([np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64]),
        array_shapes(max_dims=3, max_side=70),
    )
)
def test_any_array_of_integers_is_within_full_scale_or_refused(values: np.ndarray) -> None:
    try:
        signal, _ = samples_of(values, "it")
    except InputError:
        return
    assert signal.ndim == 1 or 1 < signal.shape[1] <= MOST_CHANNELS
    assert abs(signal).max() <= 1
