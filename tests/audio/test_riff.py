"""WAV files whose header is wrong: all of their sound is read, and no byte that is none."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from dgmix.audio.encodings import Encoding
from dgmix.audio.io import read_audio, read_header
from dgmix.audio.rewritten import Rewritten
from dgmix.audio.riff import Wave, find_wave
from dgmix.errors import InputError

RATE = 16_000
STEPS = np.random.default_rng(0).integers(-9000, 9000, 4 * RATE).astype("<i2")
PCM = STEPS.tobytes()
SIZE = len(PCM)
FORMAT = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)


def chunk(name: bytes, content: bytes, size: int | None = None) -> bytes:
    return struct.pack("<4sI", name, len(content) if size is None else size) + content


def wav(sound: bytes = PCM, size: int | None = None, after: bytes = b"", riff: int = 0) -> bytes:
    body = b"WAVE" + FORMAT + chunk(b"data", sound, size) + after
    return struct.pack("<4sI", b"RIFF", riff or len(body)) + body


def rf64(size: int, sound: bytes = PCM) -> bytes:
    ds64 = chunk(b"ds64", struct.pack("<QQQI", size, size, 0, 0))
    body = b"WAVE" + ds64 + FORMAT + chunk(b"data", sound, 0xFFFF_FFFF)
    return struct.pack("<4sI", b"RF64", 0xFFFF_FFFF) + body


def w64(size: int, sound: bytes = PCM) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, np.zeros(8), RATE, format="W64", subtype="PCM_16")
    content = bytearray(file.getvalue())
    place = content.index(b"data\xf3\xac")
    struct.pack_into("<Q", content, place + 16, size + 24)
    return bytes(content[: place + 24]) + sound


def rifx() -> bytes:
    fmt = struct.pack(">4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    data = struct.pack(">4sI", b"data", 0) + STEPS.astype(">i2").tobytes()
    return struct.pack(">4sI", b"RIFX", 36) + b"WAVE" + fmt + data


def written(format: str, sound: np.ndarray = STEPS) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound, RATE, format=format)
    return file.getvalue()


def with_size(content: bytes, chunk: bytes, form: str, size: int) -> bytes:
    """Return a file in whose header a chunk, or what its first bytes are, has another size."""
    changed = bytearray(content)
    struct.pack_into(form, changed, content.index(chunk) + len(chunk), size)
    return bytes(changed)


def aiff(size: int) -> bytes:
    return with_size(written("AIFF"), b"SSND", ">I", size)


def caf(size: int) -> bytes:
    return with_size(written("CAF"), b"data", ">q", size)


def au(size: int) -> bytes:
    return with_size(written("AU"), written("AU")[:8], ">I", size)


LIST = chunk(b"LIST", b"INFOINAM\x04\0\0\0pump")
WHOLE: dict[str, Callable[[], bytes]] = {
    "plain": wav,
    "never written, as by Python's wave": lambda: wav(size=0, riff=36),
    "never written at all": lambda: wav(size=0, riff=1),
    "ffmpeg to a pipe": lambda: wav(size=0xFFFF_FFFF, riff=0xFFFF_FFFF),
    "sox to a pipe": lambda: wav(size=0x7FFF_F000, riff=0x7FFF_F024),
    "arecord without a duration": lambda: wav(size=0x8000_0000),
    "the size of the whole file": lambda: wav(size=SIZE + 44),
    "the size of the RIFF chunk": lambda: wav(size=SIZE + 36),
    "eight bytes too many": lambda: wav(size=SIZE + 8),
    "a frame too many": lambda: wav(size=SIZE + 2),
    "half a sample more": lambda: wav(PCM + b"\x01"),
    "tags behind": lambda: wav(after=b"ID3\x04" + b"\0" * 500, riff=SIZE + 36),
    "chunks behind": lambda: wav(after=LIST),
    "chunks behind an odd size, unpadded": lambda: wav(PCM + b"\x01", after=LIST),
    "a chunk before": lambda: wav().replace(FORMAT, FORMAT + chunk(b"bext", bytes(602))),
    "room kept on the card": lambda: wav(after=bytes(200_000)),
    "room kept, size never written": lambda: wav(size=0, after=bytes(200_000)),
    "two chunks of sound": lambda: wav(PCM[: SIZE // 2], after=chunk(b"data", PCM[SIZE // 2 :])),
    "sound before its format": lambda: (
        struct.pack("<4sI", b"RIFF", SIZE + 36) + b"WAVE" + chunk(b"data", PCM) + FORMAT
    ),
    "RF64": lambda: rf64(SIZE),
    "RF64 never finished": lambda: rf64(0),
    "RF64 of unknown size": lambda: rf64(0xFFFF_FFFF_FFFF_FFFF),
    "W64": lambda: w64(SIZE),
    "W64 never finished": lambda: w64(0),
    "RIFX never finished": rifx,
    "a tag before": lambda: b"ID3\x03\0\0\0\0\0\x40" + bytes(64) + wav(),
    "a tag before, size never written": lambda: b"ID3\x03\0\0\0\0\0\x40" + bytes(64) + wav(size=0),
    "two files joined": lambda: wav(PCM[: SIZE // 2]) + wav(PCM[SIZE // 2 :]),
    "a chunk of odd size before, unpadded": lambda: wav().replace(
        FORMAT, FORMAT + chunk(b"note", b"abc")
    ),
    "its format twice": lambda: wav().replace(FORMAT, FORMAT * 2),
    "no size of a sample": lambda: wav().replace(
        FORMAT, chunk(b"fmt ", struct.pack("<HHIIH", 1, 1, RATE, 2 * RATE, 2))
    ),
    "BW64": lambda: rf64(SIZE).replace(b"RF64", b"BW64"),
    "RF64 whose small size is the right one": lambda: rf64(0).replace(
        b"data\xff\xff\xff\xff", struct.pack("<4sI", b"data", SIZE)
    ),
    "W64, room kept on the card": lambda: w64(SIZE) + bytes(200_000),
    "AU": lambda: au(SIZE),
    "AU never finished": lambda: au(0),
    "AU of unknown size": lambda: au(0xFFFF_FFFF),
    "AIFF": lambda: aiff(SIZE + 8),
    "AIFF never finished": lambda: aiff(0),
    "AIFF, only its head counted": lambda: aiff(8),
    "AIFF of no frames": lambda: with_size(aiff(0), b"COMM\0\0\0\x12\0\x01", ">I", 0),
    "AIFF, chunks behind": lambda: aiff(SIZE + 8) + b"ANNO\0\0\0\x04pump",
    "two AIFF files joined": lambda: (
        written("AIFF", sound=STEPS[:32_001]) + written("AIFF", sound=STEPS[32_001:])
    ),
    "CAF": lambda: caf(SIZE + 4),
    "CAF to a pipe": lambda: caf(-1),
    "CAF never finished": lambda: caf(0),
}
NOTED = {
    "stale": (lambda: wav(size=SIZE // 2, riff=SIZE // 2 + 36), "its header says 2.00 s"),
    "more than 4 GiB, modulo 2³²": (lambda: wav(size=1000), "its header says 0.03 s"),
    "in samples": (lambda: wav(size=SIZE // 2), "its header says 2.00 s"),
    "W64, stale": (lambda: w64(SIZE // 4), "its header says 1.00 s"),
    "RF64, stale": (lambda: rf64(SIZE // 4), "its header says 1.00 s"),
    "AIFF, stale": (lambda: aiff(SIZE // 4 + 8), "its header says 1.00 s"),
    "CAF, stale": (lambda: caf(SIZE // 4 + 4), "its header says 1.00 s"),
    "AU, stale": (lambda: au(SIZE // 4), "its header says 1.00 s"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_all_sound_is_read_whatever_the_sizes_say(tmp_path: Path, name: str) -> None:
    path = tmp_path / "clip.wav"
    path.write_bytes(WHOLE[name]())
    recording = read_audio(path)
    np.testing.assert_array_equal(recording.samples[: len(STEPS)], STEPS / 32768)
    assert len(recording.samples) == len(STEPS)
    assert recording.note == ""
    header = read_header(path)
    assert (header.frames, header.sample_rate, header.note) == (len(STEPS), RATE, "")


@pytest.mark.parametrize("name", NOTED)
def test_a_size_that_is_too_small_is_noted_in_seconds(tmp_path: Path, name: str) -> None:
    make, note = NOTED[name]
    path = tmp_path / "clip.wav"
    path.write_bytes(make())
    recording = read_audio(path)
    np.testing.assert_array_equal(recording.samples, STEPS / 32768)
    assert recording.note == f"{note}, and 4.00 s are there: all of it is used"
    assert read_header(path).note == recording.note


@pytest.mark.parametrize(
    "make", [wav, lambda: rf64(SIZE), lambda: w64(SIZE), lambda: caf(SIZE + 4)]
)
def test_what_is_missing_is_noted_in_seconds(make: Callable[[], bytes]) -> None:
    recording = read_audio(io.BytesIO(make()[: -SIZE // 4]))
    np.testing.assert_array_equal(recording.samples, STEPS[: 3 * RATE] / 32768)
    assert recording.note == "incomplete: 3.00 of 4.00 s are there"


CUT = ["WAV", "WAVEX", "RF64", "W64", "AIFF", "CAF", "AU"]


@pytest.mark.parametrize("frames", [1, 5, 21, 39])
@pytest.mark.parametrize("format", CUT)
def test_less_than_a_header_that_is_missing_is_noted(format: str, frames: int) -> None:
    whole = written(format)
    assert read_audio(io.BytesIO(whole)).note == ""
    for spare in (0, 1):  # of bytes, which leaves half a sample
        recording = read_audio(io.BytesIO(whole[: spare - 2 * frames]))
        assert len(recording.samples) == len(STEPS) - frames
        missing = (2 * frames - spare) / 2 / RATE * 1000
        expected = f"incomplete: the last {missing:.2g} ms of 4.00 s are missing"
        assert recording.note == expected


@pytest.mark.parametrize(
    ("tag", "samples"),
    [(17, 505), (17, 1017), (2, 500), (0x45, 0)],
    ids=["ima", "ima2", "ms", "g726"],
)
def test_bytes_of_compressed_sound_are_told_in_seconds_where_its_blocks_say(
    tag: int, samples: int
) -> None:
    fmt = struct.pack("<HHIIHHHH", tag, 1, RATE, 0, 256, 4, 2, samples)
    body = b"WAVE" + chunk(b"fmt ", fmt) + chunk(b"data", bytes([7]) * 25_600, 51_200)
    wave = find_wave(io.BytesIO(struct.pack("<4sI", b"RIFF", 60_000) + body))
    assert wave is not None
    assert wave.encoding.common == (tag != 0x45)
    seconds = [size / 256 * samples / RATE for size in (25_600, 51_200)]
    there, claimed = wave.note.removeprefix("incomplete: ").split(" s are")[0].split(" of ")[:2]
    if samples:
        np.testing.assert_allclose([float(there), float(claimed)], seconds, rtol=0.01)
    else:
        assert wave.note == "25600 bytes of sound are there, and its header says 51200"


def test_text_in_utf_16_is_no_mp3(tmp_path: Path) -> None:
    path = tmp_path / "notes.wav"
    path.write_text("Pumpe läuft, alles in Ordnung\n" * 40, "utf-16")
    with pytest.raises(InputError, match=r"notes\.wav: not a sound file, but text; leave it out"):
        read_audio(path)


def test_a_header_alone_says_that_nothing_was_recorded() -> None:
    with pytest.raises(InputError, match="nothing was recorded"):
        read_audio(io.BytesIO(wav(b"")))


def test_a_rate_of_zero_is_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / "clip.wav"
    path.write_bytes(wav().replace(struct.pack("<II", RATE, 2 * RATE), bytes(8)))
    with pytest.raises(InputError, match="names no sample rate; export it again with its rate"):
        read_audio(path)


@pytest.mark.parametrize("size", [(1 << 63) - 1, (1 << 64) - 100, 1 << 40])
def test_sizes_that_no_file_has_are_damage(size: int) -> None:
    assert len(read_audio(io.BytesIO(w64(size))).samples) == len(STEPS)
    read = w64(SIZE)
    place = read.index(b"fmt \xf3\xac") + 16
    broken = read[:place] + struct.pack("<Q", size) + read[place + 8 :]
    with pytest.raises(InputError):
        read_audio(io.BytesIO(broken))


def test_no_advice_destroys_a_recording(tmp_path: Path) -> None:
    for content in (b"", wav(b""), PCM, b"RIFF", b"RIFF" + bytes(100), wav()[:40], b"OggS"):
        path = tmp_path / "clip.wav"
        path.write_bytes(content)
        with pytest.raises(InputError) as caught:
            read_audio(path)
        assert "remove" not in str(caught.value)
        assert "delete" not in str(caught.value)


@pytest.mark.parametrize("subtype", ["PCM_U8", "PCM_24", "FLOAT", "ULAW", "IMA_ADPCM", "MS_ADPCM"])
def test_a_header_is_made_anew_for_every_encoding(subtype: str) -> None:
    file = io.BytesIO()
    sound = 0.3 * np.sin(np.arange(2 * 20_400).reshape(-1, 2) / 30)
    soundfile.write(file, sound, RATE, format="WAV", subtype=subtype)
    whole = read_audio(io.BytesIO(file.getvalue())).samples
    content = bytearray(file.getvalue())
    struct.pack_into("<I", content, content.index(b"data") + 4, 0)
    recording = read_audio(io.BytesIO(bytes(content)))
    np.testing.assert_array_equal(recording.samples[: len(sound)], whole[: len(sound)])


def test_a_size_beyond_32_bits_has_a_header_of_64() -> None:
    size = 5 << 30
    wave = find_wave(_Sparse(wav(size=size % (1 << 32)), 44 + size))
    assert wave is not None
    assert wave.size == size
    assert wave.header[:4] == b"RF64"
    read = io.BytesIO(wave.header + PCM)
    assert soundfile.info(read).frames == len(STEPS)  # what is there of it


@given(st.lists(st.tuples(st.integers(0, 400), st.integers(0, 400)), max_size=6))
def test_a_rewritten_file_reads_as_its_parts_joined(reads: list[tuple[int, int]]) -> None:
    content = bytes(range(256)) * 2
    wave = Wave(b"header", [(10, 50), (100, 70), (300, 90)], None, Encoding(b"", RATE, 2, 2), False)
    expected = b"header" + content[10:60] + content[100:170] + content[300:390]
    file = Rewritten(io.BytesIO(content), wave)
    assert file.seek(0, 2) == len(expected)
    for place, count in reads:
        file.seek(place)
        assert file.read(count) == expected[place : place + count]


class _Sparse(io.BytesIO):
    """A file of a size that no memory holds: zeros to a last byte that is none."""

    def __init__(self, start: bytes, size: int) -> None:
        super().__init__(start)
        self._size = size
        self._at = 0

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (self._size if whence == 2 else 0)
        return self._at

    def read(self, count: int | None = -1) -> bytes:
        count = max(min(count or 0, self._size - self._at), 0)
        super().seek(self._at)
        data = super().read(count).ljust(count, b"\x01")
        self._at += count
        return data
