"""Recordings read and written, and every way in which a file can be bad."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from dgmix.audio import ffmpeg, sndfile
from dgmix.audio.io import (
    Header,
    is_audio_name,
    load,
    read_audio,
    read_header,
    to_signal,
    write_wav,
)
from dgmix.config import AudioSettings
from dgmix.errors import InputError

FORMATS = [
    *(("wav", subtype) for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")),
    *(("flac", subtype) for subtype in ("PCM_S8", "PCM_16", "PCM_24")),
    ("ogg", "VORBIS"),
    ("aiff", "PCM_16"),
    ("w64", "PCM_16"),
]


def noise(frames: int = 4000, channels: int = 1) -> np.ndarray:
    return np.random.default_rng(0).uniform(-0.5, 0.5, (frames, channels))


def sound_bytes(samples: np.ndarray, format: str = "WAV", subtype: str = "PCM_16") -> bytes:
    file = io.BytesIO()
    soundfile.write(file, samples, 16000, format=format, subtype=subtype)
    return file.getvalue()


def refused(path: Path) -> str:
    """Return the sentence that refuses a file, after the checks that hold for every sentence."""
    with pytest.raises(InputError) as caught:
        read_audio(path)
    sentence = str(caught.value)
    assert sentence.startswith(f"{path}: ")
    assert "\n" not in sentence
    return sentence.removeprefix(f"{path}: ")


@pytest.mark.parametrize("channels", [1, 2, 5])
@pytest.mark.parametrize(("suffix", "subtype"), FORMATS)
def test_reads_every_format_as_the_mean_of_its_channels(
    tmp_path: Path, suffix: str, subtype: str, channels: int
) -> None:
    path = tmp_path / f"clip.{suffix}"
    soundfile.write(path, noise(channels=channels), 22050, subtype=subtype)
    expected, rate = soundfile.read(path, dtype="float64", always_2d=True)
    recording = read_audio(path)
    assert recording.sample_rate == rate == 22050
    assert recording.samples.dtype == np.float32
    np.testing.assert_allclose(recording.samples, expected.mean(axis=1), atol=1e-7)


def test_reads_an_open_file_and_in_blocks_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "clip.flac"
    soundfile.write(path, noise(channels=2), 16000)
    whole = read_audio(path)
    for block in (1000, 1001, 4000):
        monkeypatch.setattr(sndfile, "BLOCK_SAMPLES", 2 * block)
        with path.open("rb") as file:
            np.testing.assert_array_equal(read_audio(file).samples, whole.samples)


def test_header_tells_length_rate_and_channels(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, noise(3000, 3), 12000)
    header = read_header(path)
    assert header == Header(frames=3000, sample_rate=12000, channels=3)
    assert header.seconds == 0.25


def test_names_of_recordings() -> None:
    assert is_audio_name("a/b.WAV")
    assert is_audio_name("b.flac")
    assert not is_audio_name("b.txt")
    assert not is_audio_name("wav")
    assert not is_audio_name("a/._b.wav")


def test_load_resamples_a_tone_and_removes_the_mean(tmp_path: Path) -> None:
    path = tmp_path / "tone.wav"
    tone = 0.25 + 0.5 * np.sin(2 * np.pi * 1000 * np.arange(44100) / 44100)
    soundfile.write(path, tone, 44100, subtype="DOUBLE")
    signal = load(path, AudioSettings())
    expected = 0.5 * np.sin(2 * np.pi * 1000 * np.arange(16000) / 16000)
    assert signal.dtype == np.float32
    assert signal.shape == (16000,)
    assert abs(signal.mean(dtype=np.float64)) < 1e-7
    np.testing.assert_allclose(signal[500:-500], expected[500:-500], atol=1e-3)
    kept = load(path, AudioSettings(remove_mean=False))
    assert abs(kept.mean() - 0.25) < 1e-3


def test_a_signal_in_memory_is_left_as_it_was() -> None:
    samples = np.ones(100, dtype=np.float32)
    to_signal(samples, 16000, AudioSettings())
    np.testing.assert_array_equal(samples, 1)


@pytest.mark.parametrize("samples", [np.zeros(8000), np.zeros(1), noise(40)])
def test_silence_and_short_clips_are_recordings(tmp_path: Path, samples: np.ndarray) -> None:
    path = tmp_path / "clip.wav"
    soundfile.write(path, samples, 16000)
    assert load(path, AudioSettings()).shape == (len(samples),)


def test_refuses_what_is_not_there(tmp_path: Path) -> None:
    assert "no such file" in refused(tmp_path / "gone.wav")
    assert "is a directory" in refused(tmp_path)


@pytest.mark.parametrize("content", [b"RIFF", b"not a sound file, but a diary\n" * 40])
def test_refuses_what_is_not_audio(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "clip.wav"
    path.write_bytes(content)
    assert "not a sound file" in refused(path)


def test_refuses_an_empty_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    path.touch()
    assert "the file is empty" in refused(path)


@pytest.mark.parametrize("suffix", ["wav", "aiff", "w64"])
def test_refuses_a_file_without_samples(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"clip.{suffix}"
    soundfile.write(path, np.zeros(0), 16000)
    assert "holds no samples" in refused(path)
    with pytest.raises(InputError, match="holds no samples"):
        read_header(path)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_refuses_samples_that_are_not_finite(tmp_path: Path, bad: float) -> None:
    path = tmp_path / "clip.wav"
    samples = noise(500, 2)
    samples[123] = bad, -bad
    soundfile.write(path, samples, 16000, subtype="FLOAT")
    assert "sample 123 is not a finite number" in refused(path)


@pytest.mark.parametrize("suffix", ["wav", "w64", "rf64", "aiff", "au"])
def test_what_is_left_of_a_file_cut_short_is_read_and_noted(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"clip.{suffix}"
    soundfile.write(path, noise(32_000), 16000)
    whole = read_audio(path).samples
    path.write_bytes(path.read_bytes()[:-32_000])
    recording = read_audio(path)
    assert abs(len(recording.samples) - 16_000) < 2
    np.testing.assert_array_equal(recording.samples, whole[: len(recording.samples)])
    assert recording.note == read_header(path).note == "incomplete: 1.00 of 2.00 s are there"


CUT = {format: sound_bytes(noise(), format) for format in ("WAV", "FLAC")}


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_a_file_cut_anywhere_is_never_a_shorter_recording_without_a_note(
    data: st.DataObject,
) -> None:
    content = CUT[data.draw(st.sampled_from(sorted(CUT)))]
    whole = read_audio(io.BytesIO(content)).samples
    cut = data.draw(st.integers(0, len(content) - 1))
    try:
        recording = read_audio(io.BytesIO(content[:cut]))
    except InputError:
        return
    np.testing.assert_array_equal(recording.samples, whole[: len(recording.samples)])
    assert recording.note or len(recording.samples) >= len(whole) - 22  # a header's length


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_damaged_header_never_ends_in_another_error(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged"
    format = data.draw(st.sampled_from(["WAV", "FLAC", "OGG", "AIFF"]))
    content = bytearray(sound_bytes(noise(300), format, "VORBIS" if format == "OGG" else "PCM_16"))
    for place in data.draw(st.lists(st.integers(0, 60), min_size=1, max_size=4)):
        content[place] = data.draw(st.integers(0, 255))
    try:
        path.write_bytes(content)
        recording = read_audio(path)
    except InputError:
        return
    assert np.isfinite(recording.samples).all()
    assert len(recording.samples)


@pytest.mark.parametrize("length", [0xFFFF_FFFF, 0x7FFF_FFFF])
def test_a_wav_file_from_a_pipe_is_whole(length: int) -> None:
    content = bytearray(sound_bytes(noise()))
    struct.pack_into("<I", content, 4, length)
    struct.pack_into("<I", content, content.index(b"data") + 4, length)
    assert len(read_audio(io.BytesIO(bytes(content))).samples) == 4000


def test_a_flac_file_of_unknown_length_is_read_where_ffmpeg_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = bytearray(sound_bytes(noise(), "FLAC"))
    content[21] &= 0xF0
    content[22:26] = bytes(4)
    path = tmp_path / "clip.flac"
    path.write_bytes(content)
    expected, _ = soundfile.read(io.BytesIO(sound_bytes(noise(), "FLAC")), dtype="float32")
    np.testing.assert_allclose(read_audio(path).samples, expected, atol=1e-6)
    assert read_header(path).frames == len(expected)
    monkeypatch.setattr(ffmpeg, "available", lambda: False)
    assert "does not say how long" in refused(path)


@given(arrays(np.int16, st.integers(1, 200)))
@settings(deadline=None)
def test_written_16_bit_samples_come_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, steps: np.ndarray
) -> None:
    path = tmp_path_factory.getbasetemp() / "steps.wav"
    write_wav(path, steps / 32768, 16000)
    samples, rate = soundfile.read(path, dtype="int16")
    assert rate == 16000
    np.testing.assert_array_equal(samples, steps)
    np.testing.assert_array_equal(read_audio(path).samples, steps / 32768)


def test_write_rounds_clips_and_repeats_itself(tmp_path: Path) -> None:
    samples = np.array([-2.0, 2.0, 1.0, 0.4 / 32768, 0.6 / 32768])
    write_wav(tmp_path / "a.wav", samples, 8000)
    write_wav(tmp_path / "b.wav", samples.astype(np.float32), 8000)
    steps, _ = soundfile.read(tmp_path / "a.wav", dtype="int16")
    assert steps.tolist() == [-32768, 32767, 32767, 0, 1]
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    info = soundfile.info(tmp_path / "a.wav")
    assert (info.format, info.subtype, info.channels) == ("WAV", "PCM_16", 1)


def test_write_leaves_nothing_of_a_signal_that_is_not_finite(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not finite"):
        write_wav(tmp_path / "a.wav", [0.0, np.nan], 16000)
    assert not list(tmp_path.iterdir())


def test_reads_the_real_recordings(real_data: Path) -> None:
    path = next((real_data / "dcase2023_valve").glob("*.flac"))
    assert load(path, AudioSettings()).shape == (160_000,)
