"""Every way to hand over recordings, and what cannot be one."""

from __future__ import annotations

import io
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from dgmix.audio.io import STEPS, Recording, load, write_wav
from dgmix.config import Recipe
from dgmix.data import load_manifest
from dgmix.data.clip import Clip
from dgmix.data.folder import folder_manifest
from dgmix.detect.recordings import Sounds
from dgmix.detect.sources import healthy_sounds, named_healthy, named_sounds, section_of, sounds
from dgmix.errors import InputError

RATE = 16_000


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of two healthy recordings and, in sub-folders, of others."""
    for number, name in enumerate(("b", "a", "night/c", "test/normal/d", "anomaly/e")):
        path = tmp_path / "pump" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_wav(path, 0.1 * np.random.default_rng(number).standard_normal(8000), RATE)
    return tmp_path / "pump"


def names_of(selection: Sounds) -> list[str]:
    return [Path(name).stem for name in selection.names]


# What is scored


def test_a_folder_stands_for_all_recordings_in_it(data: Path, tiny: Recipe) -> None:
    for source in (data, str(data)):
        selection = sounds(source)
        assert selection.names == [
            "a.wav",
            "anomaly/e.wav",
            "b.wav",
            "night/c.wav",
            "test/normal/d.wav",
        ]
        assert selection.sections == [""] * 5
        selection = sounds(source, known=["00", "night"])
        assert selection.sections == ["00", "00", "00", "night", "00"]


def test_a_file_is_of_no_section_unless_its_name_tells(data: Path, tiny: Recipe) -> None:
    dcase = data / "section_03_target_test_normal_0001_x_1.wav"
    write_wav(dcase, np.ones(100) * 0.1, RATE)
    selection = sounds([data / "a.wav", str(dcase)])
    assert selection.sections == ["", "03"]
    assert selection.domains == ["unknown", "target"]
    assert sounds(data / "a.wav").names == [str(data / "a.wav")]


def test_what_is_resolved_already_stays(data: Path, tiny: Recipe) -> None:
    selection = sounds(data)
    assert sounds(selection) is selection


def test_a_table_is_read_once_for_all_its_splits(data: Path) -> None:
    table = data / "pump.csv"
    table.write_text("path,repeat,section\na.wav,0,x\nb.wav,0,y\na.wav,1,x\n")
    selection = named_sounds([str(table)])
    assert selection.names == [str(data / "a.wav"), str(data / "b.wav")]
    assert selection.sections == ["x", "y"]


def test_files_folders_and_patterns_together(data: Path) -> None:
    arguments = [
        str(data / "b.wav"),
        str(data / "night"),
        str(data / "**" / "[ad].wav"),
        "none.wav",
    ]
    selection = named_sounds(arguments)
    assert names_of(selection) == ["b", "c", "a", "d", "none"]
    assert selection.names[1] == str(data / "night" / "c.wav")
    assert all(isinstance(item, Clip) for item in selection.items)


def test_a_file_with_a_pattern_for_a_name_is_a_file(data: Path) -> None:
    odd = data / "a[1].wav"
    odd.write_bytes((data / "a.wav").read_bytes())
    assert named_sounds([str(odd)]).names == [str(odd)]


@pytest.mark.parametrize(
    ("argument", "sentence"),
    [
        ("*.mp4", r"\*\.mp4: no file matches this pattern"),
        ("n[i]ght", r"n\[i\]ght: no file matches this pattern"),
        ("empty", "empty: no recordings in this folder"),
        ("none.csv", "none.csv: no such file"),
    ],
)
def test_arguments_that_name_nothing(
    argument: str, sentence: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (data / "empty").mkdir()
    monkeypatch.chdir(data)
    with pytest.raises(InputError, match=sentence):
        named_sounds([argument])


def piped(content: bytes) -> bytes:
    """Return a WAV as programs write it to a pipe: with the largest lengths that fit."""
    data = content.index(b"data") + 4
    endless = struct.pack("<I", 0xFFFFFFFF)
    return content[:4] + endless + content[8:data] + endless + content[data + 4 :]


@pytest.mark.parametrize("as_written", [bytes, piped])
def test_standard_input_is_a_recording(
    as_written: Callable[[bytes], bytes], data: Path, tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = as_written((data / "a.wav").read_bytes())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    selection = named_sounds(["-", str(data / "b.wav")])
    assert selection.names == ["standard input", str(data / "b.wav")]
    (first, _) = selection.signals(tiny)
    np.testing.assert_array_equal(first, load(data / "a.wav", tiny.audio))


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "the file is empty"), (b"not sound at all", "not a sound file")],
)
def test_standard_input_may_be_broken(
    content: bytes, reason: str, tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    ((part, error),) = named_sounds(["-"]).banks(tiny)
    assert isinstance(error, InputError)
    assert str(error).startswith(f"standard input: {reason}")
    assert part.names == ["standard input"]


# Sections


def test_a_file_is_of_the_same_section_however_its_path_is_typed(
    data: Path, tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    sections = ["00", "night"]
    monkeypatch.chdir(data)
    ways = [
        [str(data)],
        [str(data / "night"), str(data / "test"), str(data / "anomaly"), "a.wav", "b.wav"],
        ["."],
        ["../pump"],
        [str(data / "**" / "*.wav")],
        ["**/*.wav"],
        ["a.wav", "./b.wav", "night/../night/c.wav", "test/normal/d.wav", "anomaly/e.wav"],
    ]
    for arguments in ways:
        selection = named_sounds(arguments, sections)
        expected = {"a": "00", "b": "00", "c": "night", "d": "00", "e": "00"}
        assert dict(zip(names_of(selection), selection.sections, strict=True)) == expected, (
            arguments
        )
    monkeypatch.chdir(data / "night")
    assert named_sounds(["c.wav"], sections).sections == ["night"]
    assert sounds("c.wav", known=sections).sections == ["night"]
    assert sounds([Path("c.wav"), "../a.wav"], known=sections).sections == ["night", "00"]


@pytest.mark.parametrize(
    ("path", "sections", "expected"),
    [
        ("pump/east/a.wav", ["east", "west"], "east"),
        ("east/west/a.wav", ["east", "west"], "west"),
        ("east/loud/a.wav", ["east", "east_loud"], "east_loud"),
        ("east/test/normal/loud/a.wav", ["east", "east_loud"], "east_loud"),
        ("east/normal/a.wav", ["east"], "east"),
        ("elsewhere/a.wav", ["east", "west"], ""),
        ("elsewhere/a.wav", ["00", "east"], "00"),
        ("elsewhere/a.wav", [], ""),
    ],
)
def test_a_section_is_what_the_folders_are_called(
    path: str, sections: list[str], expected: str
) -> None:
    assert section_of(Path(path), sections) == expected
    assert section_of(Path("/data") / path, sections) == expected


@given(st.lists(st.sampled_from(["a", "b", "normal", "test"]), max_size=5))
def test_files_that_were_learned_from_are_of_the_section_that_the_folder_gave_them(
    folders: list[str],
) -> None:
    shown = Path(*folders) / "x.wav"
    (clip,) = folder_manifest(Path("/data/pump"), [Path("/data/pump") / shown])
    assert section_of(clip.path, [clip.section]) == clip.section


def test_a_name_that_tells_its_section_wins(data: Path, tiny: Recipe) -> None:
    dcase = data / "night" / "section_03_target_test_normal_0001_vel_6.wav"
    write_wav(dcase, np.ones(100) * 0.1, RATE)
    selection = named_sounds([str(dcase)], ["night", "03"])
    assert (selection.sections, selection.conditions) == (["03"], ["vel_6"])
    assert sounds(dcase, known=["night"]).sections == ["03"]


# What is learned from


def test_only_normal_training_recordings_are_healthy(data: Path, tiny: Recipe) -> None:
    selection = healthy_sounds(data)
    assert selection.names == ["a.wav", "b.wav", "night/c.wav"]
    assert selection.sections == ["00", "00", "night"]
    assert set(selection.domains) == {"source"}


def test_recordings_and_conditions_come_from_a_table(data: Path, tiny: Recipe) -> None:
    table = data / "pump.csv"
    table.write_text("path,recording,condition,domain\na.wav,r1,idle,\nb.wav,r1,,target\n")
    selection = healthy_sounds(table)
    assert selection.recordings == ["r1", "r1"]
    assert selection.conditions == ["idle", "target"]


def test_listed_files_and_arrays_are_of_one_section_and_domain(data: Path, tiny: Recipe) -> None:
    for source in ([data / "a.wav", data / "b.wav"], np.ones((2, 9))):
        selection = healthy_sounds(source, RATE)
        assert (selection.sections, selection.domains) == (["00"] * 2, ["source"] * 2)
    assert healthy_sounds(data / "a.wav").sections == ["00"]


def test_clips_of_a_data_set_are_chosen_as_in_its_folder(data: Path, tiny: Recipe) -> None:
    selection = healthy_sounds(load_manifest(data))
    assert selection.names == healthy_sounds(data).names
    nothing = load_manifest(data).select(label="anomaly")
    with pytest.raises(InputError, match="pump: no healthy recordings to learn from"):
        healthy_sounds(nothing)


def test_a_listed_file_that_is_called_an_anomaly_is_refused(data: Path, tiny: Recipe) -> None:
    paths = [data / f"section_00_source_test_{label}_0001.wav" for label in ("normal", "anomaly")]
    for path in paths:
        path.hardlink_to(data / "a.wav")
    assert len(healthy_sounds(paths[:1])) == 1
    with pytest.raises(InputError, match=r"test_anomaly_0001.wav: an anomaly, by its name; give"):
        healthy_sounds(paths)


def test_a_listed_file_in_a_folder_of_anomalies_is_refused(data: Path, tiny: Recipe) -> None:
    assert len(healthy_sounds([data / "night" / "c.wav", data / "a.wav"])) == 2
    with pytest.raises(InputError, match=r"e.wav: an anomaly, by its name; give healthy"):
        healthy_sounds([data / "a.wav", data / "anomaly" / "e.wav"])


def test_a_command_learns_from_a_folder_or_from_files_and_patterns(data: Path) -> None:
    assert named_healthy([str(data)]).names == healthy_sounds(data).names
    files = named_healthy([f"{data}/[ab].wav", str(data / "night" / "c.wav")])
    assert (names_of(files), files.sections) == (["a", "b", "c"], ["00"] * 3)
    for names, sentence in (
        (["*.ogg"], "ogg: no file matches this pattern"),
        (["a.wav", "z.wav"], "z.wav: no such file or folder; check the path"),
        (["a.wav", "night"], "night: name one folder or CSV alone, or several files"),
        (["anomaly/*"], "e.wav: an anomaly, by its name"),
    ):
        with pytest.raises(InputError, match=sentence):
            named_healthy([str(data / name) for name in names])


def test_a_folder_without_healthy_recordings_is_refused(data: Path, tiny: Recipe) -> None:
    folder = _only_tests(data)
    with pytest.raises(InputError, match="clips: no healthy recordings to learn from"):
        healthy_sounds(folder)
    with pytest.raises(InputError, match=r"broken: no healthy .* 1 are anomalies \(a\.wav\)"):
        healthy_sounds(folder / "broken")
    (folder / "broken" / "healthy").mkdir()
    (folder / "broken" / "a.wav").rename(folder / "broken" / "healthy" / "a.wav")
    assert len(healthy_sounds(folder / "broken")) == 1


@pytest.mark.parametrize("kind", ["uint8", "int16", ">i2", "<i2", "int32"])
def test_integers_are_of_the_full_scale_of_sound_files(kind: str, tiny: Recipe) -> None:
    signal = 0.5 * np.sin(np.arange(4000) / 5)
    steps, middle = STEPS[np.dtype(kind).newbyteorder("=")]
    whole = _samples((signal * steps + middle).astype(kind))
    exact = _samples(signal)
    np.testing.assert_allclose(whole, exact, atol=2 / steps + 1e-6)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_pairs_of_samples_and_rate_keep_their_rates(count: int) -> None:
    selection = sounds([(np.ones(90), 8000 + number) for number in range(count)], 500)
    rates = [item.sample_rate for item in selection.items if isinstance(item, Recording)]
    assert rates == [8000 + number for number in range(count)]


@pytest.mark.parametrize("rate", [0, -16_000])
def test_a_sample_rate_is_a_positive_number(rate: int, tiny: Recipe) -> None:
    with pytest.raises(ValueError, match=f"sample_rate: {rate} samples a second; give"):
        sounds(np.ones((1, 90)), rate)


def _samples(signal: NDArray[Any]) -> NDArray[np.float32]:
    (item,) = sounds([signal], RATE).items
    assert isinstance(item, Recording)
    return item.samples


def _only_tests(data: Path) -> Path:
    folder = data.parent / "clips"
    (folder / "broken").mkdir(parents=True)
    (data / "a.wav").rename(folder / "broken" / "a.wav")
    return folder


def test_two_machines_are_refused(data: Path, tiny: Recipe) -> None:
    table = data / "both.csv"
    table.write_text("path,machine\na.wav,fan\nb.wav,pump\n")
    with pytest.raises(InputError, match=r"2 machine types \(fan, pump\); fit a detector for each"):
        healthy_sounds(table)


# Arrays


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ([], "the sequence is empty"),
        (np.zeros((0, 5)), "the sequence is empty"),
        (np.zeros(5), "an array with 1 axes; recordings are its rows"),
        (np.zeros((2, 2, 2)), "an array with 3 axes"),
        ([1.0, 2.0], "recording 0: expected samples on one axis, not 0"),
        ([np.zeros((2, 2))], "recording 0: expected samples on one axis, not 2"),
        ([[1.0], []], "recording 1: 0 samples"),
        ([[1.0, float("nan")]], "recording 0: a sample is not a finite number"),
        ([[1.0, float("inf")]], "recording 0: a sample is not a finite number"),
        (np.ones((1, 3)) * 1j, "real numbers"),
        ([["x", "y"]], "its samples are not numbers"),
        (csr_matrix(np.ones((2, 3))), "sparse"),
        (
            np.ones((2, 900)),
            "recording 0: an array does not tell its sample rate; give sample_rate",
        ),
        ([(np.ones(90), 900), np.ones(90)], "recording 1: an array does not tell its sample rate"),
    ],
)
def test_arrays_that_are_no_recordings(source: Any, sentence: str, tiny: Recipe) -> None:
    with pytest.raises(InputError, match=sentence) as raised:
        sounds(source)
    assert isinstance(raised.value, ValueError)


def test_recordings_in_memory_may_have_any_length_and_type(tiny: Recipe) -> None:
    items = [np.arange(5) / 8, [0.5, 0.25], np.array([1, 2, 4], object)]
    selection = list(sounds(items, RATE).signals(tiny))
    for signal, item in zip(selection, items, strict=True):
        samples = np.array(item, np.float32)
        np.testing.assert_allclose(signal, samples - samples.mean(), atol=1e-6)
        assert signal.dtype == np.float32
