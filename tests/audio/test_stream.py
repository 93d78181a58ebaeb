"""What libsndfile decodes in part or not at all: all of it is read, or what is missing is noted."""

from __future__ import annotations

import io
import os
import sys
import threading
from pathlib import Path

import compressed as c
import numpy as np
import pytest
import soundfile

from dgmix.audio import ffmpeg
from dgmix.audio.io import read_audio, read_header
from dgmix.audio.packets import Contents, count
from dgmix.errors import InputError

SOUND = c.sound()
SHORT = c.sound(5.0)
VARIABLE, CONSTANT = (c.encoded(SOUND, "MP3", mode=m) for m in ("VARIABLE", "CONSTANT"))
VORBIS, OPUS = (c.encoded(SOUND, "OGG", subtype) for subtype in ("VORBIS", "OPUS"))
FLAC = c.encoded(SOUND, "FLAC")


def without_first_frame(mp3: bytes) -> bytes:
    """Return an MP3 file without its Xing frame, which tells the length of a variable rate."""
    return mp3[mp3.index(b"\xff\xf3", 4) :]


MORE_THAN_LIBSNDFILE = {
    "variable.mp3": (without_first_frame(VARIABLE), 8),
    "joined.mp3": (VARIABLE + CONSTANT, 16),
    "joined_alike.mp3": (CONSTANT + CONSTANT, 16),
    "joined.flac": (FLAC + FLAC, 16),
    "chained.ogg": (VORBIS + c.encoded(SHORT, "OGG", "VORBIS"), 13),
    "chained.opus": (OPUS + c.encoded(SHORT, "OGG", "OPUS"), 13),
}
NOT_LIBSNDFILE = {
    "phone.m4a": ("aac", "mp4", 16_000),
    "lossless.m4a": ("alac", "mp4", 16_000),
    "radio.aac": ("aac", "adts", 16_000),
    "old.wma": ("wmav2", "asf", 44_100),
    "camera.mp4": ("aac", "mp4", 48_000),
    "camera.mkv": ("ac3", "matroska", 48_000),
    "phone.3gp": ("aac", "3gp", 16_000),
}


@pytest.mark.parametrize("name", MORE_THAN_LIBSNDFILE)
def test_all_that_a_file_holds_is_decoded(tmp_path: Path, name: str) -> None:
    content, seconds = MORE_THAN_LIBSNDFILE[name]
    path = tmp_path / name
    path.write_bytes(content)
    recording = read_audio(path)
    assert len(recording.samples) / recording.sample_rate == pytest.approx(seconds, abs=0.2)
    assert recording.note == ""
    assert read_header(path).seconds == pytest.approx(seconds, abs=0.2)


STEREO = np.stack([SHORT, SHORT], 1)
JOINED = {  # files one after the other, the second of other channels or of another rate
    "stereo behind mono": c.encoded(SHORT, "MP3") + c.encoded(STEREO, "MP3"),
    "mono behind stereo": c.encoded(STEREO, "MP3") + c.encoded(SHORT, "MP3"),
    "44.1 kHz behind 16": c.encoded(SHORT, "MP3") + c.encoded(SHORT, "MP3", rate=44_100),
    "16 kHz behind 44.1": c.encoded(SHORT, "MP3", rate=44_100) + c.encoded(SHORT, "MP3"),
    "stereo flac behind mono": c.encoded(SHORT, "FLAC") + c.encoded(STEREO, "FLAC"),
    "three of them": 2 * c.encoded(STEREO, "MP3") + c.encoded(SHORT, "MP3", rate=22_050),
}
OTHER_SECONDS = {"44.1 kHz behind 16": 6.8, "16 kHz behind 44.1": 6.8, "three of them": 13.6}


@pytest.mark.parametrize("name", JOINED)
def test_files_of_other_kinds_that_were_joined_are_decoded_as_the_first(name: str) -> None:
    recording = read_audio(io.BytesIO(JOINED[name]))
    seconds = len(recording.samples) / recording.sample_rate
    assert seconds == pytest.approx(OTHER_SECONDS.get(name, 10), abs=0.25)
    assert recording.note == ""
    assert 0.09 < recording.samples[-2000:].std() < 0.25


@pytest.mark.parametrize("rate", [16_000, 22_050])
def test_a_stream_of_other_kind_behind_another_that_is_not_decoded_is_noted(rate: int) -> None:
    chained = c.encoded(SHORT, "OGG", rate=rate) + c.encoded(STEREO, "OGG", rate=8000)
    recording = read_audio(io.BytesIO(chained))
    there = len(recording.samples) / recording.sample_rate
    assert f"incomplete: {there:.2f} of {5 * 16_000 / rate + 10:.2f} s are there" in recording.note


@pytest.mark.parametrize("name", MORE_THAN_LIBSNDFILE)
def test_without_ffmpeg_what_is_missing_is_noted(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ffmpeg, "available", lambda: False)
    content, seconds = MORE_THAN_LIBSNDFILE[name]
    path = tmp_path / name
    path.write_bytes(content)
    recording = read_audio(path)
    there, total = recording.note.split(" s are decoded")[0].split(" of ")
    assert float(there) == pytest.approx(len(recording.samples) / recording.sample_rate, abs=0.01)
    assert float(total) == pytest.approx(seconds, abs=0.2)
    assert "dgmix[decoders]" in recording.note


@pytest.mark.parametrize("name", NOT_LIBSNDFILE)
def test_what_only_ffmpeg_decodes(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec, form, rate = NOT_LIBSNDFILE[name]
    path = c.by_ffmpeg(tmp_path / name, SOUND, codec, form, rate)
    recording = read_audio(path)
    assert recording.sample_rate == rate
    assert len(recording.samples) / rate == pytest.approx(8, abs=0.15)
    half = len(recording.samples) // 2
    assert recording.samples[: half - rate // 4].std() == pytest.approx(0.002, rel=0.5)
    assert recording.samples[half + rate // 4 :].std() == pytest.approx(0.2, rel=0.3)
    monkeypatch.setattr(ffmpeg, "available", lambda: False)
    with pytest.raises(InputError, match=r"dgmix\[decoders\]"):
        read_audio(path)


@pytest.mark.parametrize("content", [VORBIS, OPUS], ids=["vorbis", "opus"])
def test_an_ogg_file_without_its_end_is_noted(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "cut.ogg"
    path.write_bytes(content[: len(content) * 2 // 3])
    recording = read_audio(path)
    seconds = len(recording.samples) / recording.sample_rate
    assert 4 < seconds < 7.5
    assert recording.note == f"its end is missing: {seconds:.2f} s are there"


def test_an_mp3_file_cut_short_is_noted(tmp_path: Path) -> None:
    path = tmp_path / "cut.mp3"
    path.write_bytes(VARIABLE[: len(VARIABLE) // 2])
    recording = read_audio(path)
    seconds = len(recording.samples) / recording.sample_rate
    assert 3 < seconds < 7.5
    assert recording.note == f"incomplete: {seconds:.2f} of 8.00 s are there"


def test_what_lies_behind_damage_is_decoded_and_the_rest_noted(tmp_path: Path) -> None:
    content = bytearray(FLAC)
    content[len(FLAC) // 2 : len(FLAC) // 2 + 300] = bytes(300)
    recording = read_audio(io.BytesIO(bytes(content)))
    exact, seconds = SOUND, len(recording.samples) / recording.sample_rate
    assert 7 < seconds < 8
    before = len(FLAC) // 2 * len(exact) // len(FLAC) - 8192  # of a stream
    np.testing.assert_allclose(recording.samples[:before], exact[:before], atol=1e-4)
    np.testing.assert_allclose(recording.samples[-8000:], exact[-8000:], atol=1e-4)
    assert recording.note == f"incomplete: {seconds:.2f} of 8.00 s are there"


def test_without_ffmpeg_all_before_damage_is_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ffmpeg, "available", lambda: False)
    recording = read_audio(io.BytesIO(FLAC[: len(FLAC) // 2]))
    seconds = len(recording.samples) / recording.sample_rate
    assert seconds > 4
    np.testing.assert_allclose(recording.samples, SOUND[: len(recording.samples)], atol=1e-4)
    assert recording.note == f"incomplete: {seconds:.2f} of 8.00 s are there"


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (VARIABLE, Contents(8.0, True)),
        (b"ID3\x03\0\0\0\x40\0\0" + bytes(1 << 20) + CONSTANT, Contents(8.0, True)),
        (VARIABLE + CONSTANT, Contents(16.0, True)),
        (VORBIS, Contents(8.0, True)),
        (OPUS, Contents(8.0, True)),
        (OPUS + OPUS, Contents(16.0, True)),
        (VORBIS[: len(VORBIS) - 5], Contents(8.0, False)),
    ],
)
def test_contents_are_counted(content: bytes, expected: Contents) -> None:
    contents = count(io.BytesIO(content))
    assert contents is not None
    assert contents.seconds == pytest.approx(expected.seconds, rel=0.1)
    assert contents.ended == expected.ended


@pytest.mark.parametrize("content", [b"", b"RIFF" + bytes(60), FLAC, b"\xff\xfe" * 60])
def test_nothing_is_counted_of_other_files(content: bytes) -> None:
    assert count(io.BytesIO(content)) is None


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such pipes")
def test_a_named_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    path = tmp_path / "pipe.wav"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(FLAC,))
    writer.start()
    recording = read_audio(path)
    writer.join()
    np.testing.assert_allclose(recording.samples, SOUND, atol=1e-4)


def test_a_file_that_cannot_go_back_is_read_to_its_end() -> None:
    class Pipe(io.RawIOBase):
        name = "pipe"

        def __init__(self) -> None:
            self._left = io.BytesIO(FLAC)

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            return self._left.readinto(buffer)

    np.testing.assert_allclose(read_audio(Pipe()).samples, SOUND, atol=1e-4)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="there is no such device")
def test_a_device_without_an_end_is_refused() -> None:
    with pytest.raises(InputError, match="/dev/zero: a device or socket, not a recording"):
        read_audio("/dev/zero")


def test_ffmpeg_decodes_more_channels_than_a_frame_has_planes() -> None:
    sound = np.random.default_rng(0).uniform(-0.5, 0.5, (3000, 12)).astype(np.float32)
    file = io.BytesIO()
    soundfile.write(file, sound, 16_000, format="WAV", subtype="FLOAT")
    decoder = ffmpeg.FFmpegSound(file, "it")
    np.testing.assert_array_equal(np.concatenate(list(decoder.blocks())), sound)
    decoder.close()


def test_raw_samples_are_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "x.raw"
    path.write_bytes(np.random.default_rng(0).bytes(64_000))
    with pytest.raises(InputError, match=r"x\.raw: not a sound file"):
        read_audio(path)


def test_the_name_decides_nothing_where_the_content_does(tmp_path: Path) -> None:
    path = tmp_path / "x.raw"
    path.write_bytes(FLAC)
    np.testing.assert_allclose(read_audio(path).samples, SOUND, atol=1e-4)


@pytest.mark.skipif(sys.platform != "linux", reason="names in other encodings")
def test_a_name_that_is_not_in_utf_8_is_read(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/k\xfchler.flac"))
    path.write_bytes(FLAC)
    np.testing.assert_allclose(read_audio(path).samples, SOUND, atol=1e-4)
