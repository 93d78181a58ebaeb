"""What is in a data set, without decoding it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dgmix.audio.io import write_wav
from dgmix.data.inspect import Durations, inspect, inspect_text
from dgmix.errors import InputError


def recording(path: Path, seconds: float, rate: int = 16000, channels: int = 1) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.zeros((round(seconds * rate), channels)), rate)


@pytest.fixture
def pump(tmp_path: Path) -> Path:
    recording(tmp_path / "pump/a.wav", 1)
    recording(tmp_path / "pump/b.flac", 2, rate=44100, channels=2)
    recording(tmp_path / "pump/test/normal/c.wav", 4)
    recording(tmp_path / "pump/target/broken/d.wav", 5)
    return tmp_path / "pump"


def test_counts_clips_and_measures_recordings(pump: Path) -> None:
    inspection = inspect(pump)
    assert len(inspection.clips) == 4
    assert inspection.counts("machine") == {"pump": 4}
    assert inspection.counts("section") == {"00": 4}
    assert inspection.counts("domain") == {"source": 3, "target": 1}
    assert inspection.counts("split") == {"test": 2, "train": 2}
    assert inspection.counts("label") == {"anomaly": 1, "normal": 3}
    assert inspection.durations == Durations(shortest=1, median=3, longest=5, total=12)
    assert inspection.sample_rates == {16000: 3, 44100: 1}
    assert inspection.channels == {1: 3, 2: 1}
    assert not inspection.unreadable


def test_names_what_cannot_be_read(pump: Path) -> None:
    (pump / "z.wav").write_bytes(b"no sound")
    whole = (pump / "a.wav").read_bytes()
    (pump / "test/y.wav").write_bytes(whole[: 44 + 16_000])
    (pump / "x.bin").touch()
    (pump / "link.wav").symlink_to("/nowhere.wav")
    inspection = inspect(pump)
    assert len(inspection.clips) == 5
    ((shown, reason),) = inspection.unreadable
    assert shown == "z.wav"
    assert reason.startswith("not a sound file")
    assert inspection.incomplete == [("test/y.wav", "incomplete: 0.50 of 1.00 s are there")]
    lines = inspect_text(pump).splitlines()
    assert "incomplete, or with a wrong header: 1" in lines
    assert "  test/y.wav: incomplete: 0.50 of 1.00 s are there" in lines
    assert lines[-2] == f"left out: {pump / 'link.wav'}: a link to nothing"
    assert lines[-1] == "left out: 1 file that is no recording by the end of the name (.bin 1)"


@pytest.mark.skipif(sys.platform != "linux", reason="names in other encodings")
def test_a_name_in_another_encoding_stops_nothing(pump: Path) -> None:
    odd = os.fsencode(pump) + b"/k\xfchler.wav"
    (pump / "a.wav").rename(os.fsdecode(odd))
    Path(os.fsdecode(os.fsencode(pump) + b"/\xe9.wav")).write_bytes(b"no sound")
    text = inspect_text(pump)
    assert text.encode()
    assert "  \\xe9.wav: not a sound file" in text
    assert len(inspect(pump).clips) == 4


def test_a_table_counts_its_first_repeat(tmp_path: Path) -> None:
    recording(tmp_path / "a.wav", 1)
    recording(tmp_path / "b.wav", 1)
    table = tmp_path / "t.csv"
    table.write_text("repeat,path,split\n1,a.wav,train\n1,b.wav,test\n2,a.wav,test\n")
    inspection = inspect(table)
    assert inspection.repeats == 2
    assert inspection.counts("split") == {"test": 1, "train": 1}
    assert inspection.durations.total == 2
    assert "2 train/test splits" in inspect_text(table)


def test_the_text_is_for_people(pump: Path) -> None:
    for number in range(12):
        (pump / f"bad{number:02d}.wav").touch()
    lines = inspect_text(pump).splitlines()
    assert lines[:2] == [
        "machine  section  train source  test normal  test anomaly",
        "pump     00                  2            1             1",
    ]
    facts = dict(line.split(":", 1) for line in lines[3:12])
    assert facts["recordings"].strip() == "4, 12 s in total"
    assert facts["duration"].strip() == "1 s to 5 s, median 3 s"
    assert facts["sample rate"].strip() == "16000 Hz (3), 44100 Hz (1)"
    assert facts["band"].strip().startswith("up to 8 kHz; that of the lowest sample rate is what")
    assert facts["channels"].strip() == "1 (3), 2 (1)"
    assert facts["domains"].strip() == "source (3), target (1)"
    assert facts["unreadable"].strip() == "12"
    assert lines[12].startswith("  bad00.wav: the file is empty")
    assert lines[23].startswith("  bad11.wav: the file is empty")


def test_the_text_says_when_there_is_nothing_to_learn_from(tmp_path: Path) -> None:
    recording(tmp_path / "test/a.wav", 1)
    assert "no training clips" in inspect_text(tmp_path)


@pytest.mark.parametrize(("seconds", "shown"), [(90, "90 s"), (600, "10.0 min"), (9000, "2.5 h")])
def test_durations_have_the_unit_that_suits(tmp_path: Path, seconds: int, shown: str) -> None:
    write_wav(tmp_path / "a.wav", np.zeros(seconds * 10), 10)
    assert f"recordings:  1, {shown} in total" in inspect_text(tmp_path)


def test_refuses_a_set_with_nothing_usable(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"no sound")
    with pytest.raises(
        InputError, match=r"none of 1 recordings can be read; the first, a\.wav: not"
    ):
        inspect(tmp_path)
    (tmp_path / "a.wav").unlink()
    with pytest.raises(InputError, match="no recordings in this folder"):
        inspect(tmp_path)


def test_looks_into_real_sets(real_data: Path) -> None:
    text = inspect_text(real_data / "protocols" / "lathe.csv")
    assert "16000 Hz" in text
    assert "5 train/test splits" in text
