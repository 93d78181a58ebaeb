from __future__ import annotations

import io
import os
import sys

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from dgmix.errors import InputError
from dgmix.watch.redaction import without_secrets
from dgmix.watch.sources.base import StreamError
from dgmix.watch.sources.pipe import Decoder, WavDecoder, program_stream
from dgmix.watch.sources.settings import StdinSettings
from dgmix.watch.sources.stdin import open_stdin

STEREO = np.random.default_rng(0).uniform(-1, 1, (500, 2))


def cut(data: bytes, sizes: list[int]) -> list[bytes]:
    parts = []
    for size in sizes:
        parts.append(data[:size])
        data = data[size:]
    return [*parts, data]


@given(st.lists(st.integers(0, 99), max_size=30))
def test_frames_that_are_cut_anywhere_are_whole_again(sizes: list[int]) -> None:
    integers = np.rint(STEREO * 32767).astype("<i2")
    decode = Decoder("s16le", 2, 2)
    samples = np.concatenate([decode(part) for part in cut(integers.tobytes(), sizes)])
    np.testing.assert_allclose(samples, integers[:, 1] / 32768, atol=1e-7)


def test_all_channels_are_averaged_unless_one_is_chosen() -> None:
    data = STEREO.astype("<f4").tobytes()
    np.testing.assert_allclose(Decoder("f32le", 2)(data), STEREO.mean(1), atol=1e-6)


def test_samples_that_are_no_numbers_are_zeros() -> None:
    assert Decoder("f32le", 1)(np.array([np.nan, 0.5], "<f4").tobytes()).tolist() == [0.0, 0.5]


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_32", "FLOAT"])
@given(st.lists(st.integers(0, 50), max_size=20))
def test_a_wav_stream_cut_anywhere(subtype: str, sizes: list[int]) -> None:
    file = io.BytesIO()
    soundfile.write(file, STEREO, 8000, subtype, format="WAV")
    decode = WavDecoder()
    samples = np.concatenate([decode(part) for part in cut(file.getvalue(), sizes)])
    np.testing.assert_allclose(samples[:500], STEREO.mean(1), atol=1e-4)
    assert decode.sample_rate == 8000


def test_what_is_no_wav_stream_says_what_to_set() -> None:
    with pytest.raises(StreamError, match=r"set source\.format"):
        WavDecoder()(b"ID3" * 20)
    file = io.BytesIO()
    soundfile.write(file, STEREO, 8000, "PCM_U8", format="WAV")
    with pytest.raises(StreamError, match="WAV of 8 bits"):
        WavDecoder()(file.getvalue())


def test_standard_input_as_a_recorder_writes_it() -> None:
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as out:
        file = io.BytesIO()
        soundfile.write(file, STEREO[:, 0], 44_100, format="WAV")
        stream = open_stdin(StdinSettings(type="stdin"), reader)
        assert len(stream.read(0)) == 0
        out.write(file.getvalue())
        out.flush()
        assert len(stream.read(5)) == 500
        assert stream.sample_rate == 44_100
    with pytest.raises(StreamError, match="standard input ended"):
        stream.read(5)
    os.close(reader)


def test_a_program_that_is_not_installed_is_named() -> None:
    with pytest.raises(InputError, match="no-such-program: not installed"):
        program_stream(["no-such-program"], Decoder("f32le", 1), 8000, str)


def test_why_a_program_ended_is_told_without_its_secrets() -> None:
    script = "import sys; sys.stderr.write('401 for rtsp://me:secret@camera/a?b=c\\n'); sys.exit(1)"
    stream = program_stream(
        [sys.executable, "-c", script], Decoder("f32le", 1), 8000, without_secrets
    )
    with pytest.raises(StreamError, match=r"ended: 401 for rtsp://camera/…$") as raised:
        stream.read(20)
    assert "secret" not in str(raised.value)
    stream.close()
