"""Files of any content and name: each is read or refused in a sentence, and nothing else happens.

`DGMIX_FUZZ=100000 pytest tests/test_fuzz.py` tries that many of each kind.
"""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dgmix.audio.io import load, read_audio, read_header
from dgmix.config import AudioSettings
from dgmix.data import load_manifest
from dgmix.data.inspect import inspect_text
from dgmix.errors import InputError
from dgmix.evaluate.scores import read_scores

TRIES = int(os.environ.get("DGMIX_FUZZ", "100"))
many = settings(
    max_examples=TRIES,
    derandomize=TRIES <= 100,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    database=None,
)


def encoded(format: str, subtype: str | None = None, channels: int = 1) -> bytes:
    file = io.BytesIO()
    sound = 0.3 * np.random.default_rng(0).standard_normal((2000, channels))
    soundfile.write(file, np.clip(sound, -1, 1), 16_000, format=format, subtype=subtype)
    return file.getvalue()


def sentence(error: InputError) -> None:
    """See that an error is one line, and tells nobody to throw a recording away."""
    assert "\n" not in str(error)
    assert "remove" not in str(error)


SOUNDS = [
    *(encoded("WAV", kind, 2) for kind in ("PCM_16", "PCM_24", "FLOAT", "ULAW", "IMA_ADPCM")),
    *(encoded(format) for format in ("WAVEX", "RF64", "W64", "FLAC", "OGG", "MP3", "AIFF", "CAF")),
    *(encoded(format) for format in ("AU", "NIST", "VOC")),
    encoded("OGG", "OPUS"),
    encoded("OGG") + encoded("OGG"),
    encoded("MP3") + encoded("MP3"),
]


@st.composite
def damaged_sounds(draw: st.DrawFn) -> bytes:
    """Draw a sound file with bytes changed, cut off, put in or put at its end."""
    content = bytearray(draw(st.sampled_from(SOUNDS)))
    for _ in range(draw(st.integers(0, 4))):
        early = draw(st.booleans())
        place = draw(st.integers(0, min(len(content), 120 if early else len(content))))
        change = draw(st.integers(0, 4))
        if change == 0:
            content[place : place + 1] = bytes([draw(st.integers(0, 255))])
        elif change == 1:
            word = draw(st.sampled_from([0, 1, 2**31, 2**32 - 1, 44, 2**16]))
            content[place : place + 4] = word.to_bytes(4, "little")
        elif change == 2:
            del content[place : place + draw(st.integers(1, 3000))]
        elif change == 3:
            content[place:place] = draw(st.binary(max_size=40))
        else:
            content += draw(st.sampled_from([bytes(3000), b"ID3\x04" + bytes(90), b"data\xff" * 9]))
    return bytes(content)


@many
@given(damaged_sounds())
def test_any_damaged_sound_is_read_or_refused(content: bytes) -> None:
    try:
        recording = read_audio(io.BytesIO(content))
    except InputError as error:
        sentence(error)
        return
    assert len(recording.samples)
    assert np.isfinite(recording.samples).all()
    assert "\n" not in recording.note
    try:
        header = read_header(io.BytesIO(content))
        signal = load(io.BytesIO(content), AudioSettings())
    except InputError:
        return
    assert header.seconds > 0
    assert np.isfinite(signal).all()


PARTS = ["NG", "not", "good", "2026-05-01", *"_.-1[]*~é"]
NAMES = st.one_of(
    st.text(
        st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=40
    ),
    st.binary(min_size=1, max_size=40).map(lambda name: os.fsdecode(name)),
    st.lists(st.sampled_from(PARTS), min_size=1).map("".join),
)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such names")
@many
@given(
    st.lists(NAMES, min_size=1, max_size=3), st.sampled_from([".wav", ".m4a", ".WAV", "", ".csv"])
)
def test_a_folder_with_any_names_is_looked_at(parts: list[str], ending: str) -> None:
    with tempfile.TemporaryDirectory() as root:
        path = Path(root, "pump", *parts[:-1], parts[-1] + ending)
        if any(part in (".", "..") or "/" in part or "\0" in part for part in parts):
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(SOUNDS[0])
        except OSError:
            return
        try:
            manifest = load_manifest(Path(root, "pump"))
            text = inspect_text(Path(root, "pump"))
        except InputError:
            return
        assert all(manifest.shown_path(clip).encode() for clip in manifest)
        assert text.encode()
        assert text.isprintable() or not set(text) & set("\r\x1b\x85")


@many
@given(
    st.one_of(
        st.binary(max_size=200),
        st.text(max_size=200).map(str.encode),
        st.lists(
            st.sampled_from(
                [
                    "path",
                    "label",
                    "split",
                    ",",
                    ";",
                    "\n",
                    '"',
                    "a.wav",
                    "anomaly",
                    "train",
                    "\r",
                    " ",
                ]
            ),
            max_size=30,
        ).map(lambda words: "".join(words).encode()),
    )
)
def test_any_table_is_read_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as root:
        Path(root, "a.wav").touch()
        Path(root, "t.csv").write_bytes(content)
        try:
            manifest = load_manifest(Path(root, "t.csv"))
        except InputError as error:
            sentence(error)
            return
        assert {clip.path.name for clip in manifest} == {"a.wav"}


NUMBERS = st.floats(-1e9, 1e9) | st.integers(-(10**6), 10**6).map(float)
WAYS = {  # to write a number
    "repr": repr,
    "comma": lambda number: repr(number).replace(".", ","),
    "three digits": lambda number: f"{number:.3f}",
    "thousands": lambda number: f"{number:,.3f}",
    "German thousands": lambda number: f"{number:,.3f}".translate(str.maketrans(",.", ".,")),
    "whole": lambda number: f"{number:.0f}",
}


@many
@given(
    st.lists(NUMBERS, min_size=1, max_size=6),
    st.lists(st.sampled_from(sorted(WAYS)), min_size=1, max_size=2),
    st.sampled_from([",", ";", "\t", ", ", "; "]),
    st.booleans(),
    st.sampled_from(["", "file,score\n", "file;score\n", "\n"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_a_score_file_gives_its_numbers_or_is_refused(
    numbers: list[float], ways: list[str], between: str, quoted: bool, head: str, encoding: str
) -> None:
    written = [WAYS[ways[place % len(ways)]](number) for place, number in enumerate(numbers)]
    names = [f"section_00_source_test_normal_{place:04d}.wav" for place in range(len(numbers))]
    mark = '"' if quoted else ""
    lines = [
        f"{name}{between}{mark}{text}{mark}\n" for name, text in zip(names, written, strict=True)
    ]
    with tempfile.TemporaryDirectory() as root:
        file = Path(root, "anomaly_score_fan_section_00_test.csv")
        file.write_text(head + "".join(lines), encoding=encoding)
        try:
            scores = read_scores(file).sort("path")["score"].to_list()
        except InputError:
            return
    for score, number, way in zip(scores, numbers, ways * len(numbers), strict=False):
        precision = {"repr": 0.0, "comma": 0.0, "whole": 0.5001}.get(way, 0.0005001)
        assert abs(score - number) <= precision


@many
@given(st.binary(max_size=300))
def test_any_score_file_is_read_or_refused(content: bytes) -> None:
    with tempfile.TemporaryDirectory() as root:
        file = Path(root, "anomaly_score_fan_section_00_test.csv")
        file.write_bytes(content)
        try:
            assert read_scores(file)["score"].is_finite().all()
        except InputError as error:
            sentence(error)
