"""Recordings by name: columns, parts, and features a few at a time."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgmix.audio.bank import Features, MelBank, bank_of_signals
from dgmix.audio.io import load, write_wav
from dgmix.config import Recipe
from dgmix.data.clip import Clip, Manifest
from dgmix.detect import recordings
from dgmix.detect.recordings import Sounds, of_clips
from dgmix.detect.sources import sounds
from dgmix.errors import InputError

RATE = 16_000


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder of three recordings, one of them in a sub-folder."""
    for number, name in enumerate(("b", "a", "night/c")):
        path = tmp_path / "pump" / f"{name}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_wav(path, 0.1 * np.random.default_rng(number).standard_normal(8000), RATE)
    return tmp_path / "pump"


def names_of(selection: Sounds) -> list[str]:
    return [Path(name).stem for name in selection.names]


def listed(*names: str) -> Sounds:
    """Return files of these names, which need not exist."""
    empty = [""] * len(names)
    clips = [Clip(Path(name), "") for name in names]
    return Sounds(list(names), list(clips), empty, empty, empty, empty)


# Columns


def test_clips_of_a_data_set_bring_their_columns() -> None:
    clips = [
        Clip(Path("a.wav"), "fan", "01", "target", attributes="vel_3", recording="r1"),
        Clip(Path("b.wav"), "fan", condition="idle", attributes="vel_4"),
        Clip(Path("c.wav"), "fan"),
    ]
    selection = of_clips(Manifest(clips, Path()))
    assert selection.names == ["a.wav", "b.wav", "c.wav"]
    assert selection.sections == ["01", "00", "00"]
    assert selection.domains == ["target", "source", "source"]
    assert selection.recordings == ["r1", "", ""]
    assert selection.conditions == ["vel_3", "idle", "source"]
    assert selection.attributes == ["vel_3", "vel_4", ""]


def test_other_labels_take_the_place_of_those_of_the_folder() -> None:
    selection = listed("a", "b", "c").relabelled(sections=[1, 2, 3], domains=["x"] * 3)  # type: ignore[list-item]
    assert (selection.sections, selection.domains, selection.conditions) == (
        ["1", "2", "3"],
        ["x"] * 3,
        [""] * 3,
    )
    assert selection.relabelled(conditions=np.array(["i", "r", "i"])).conditions == ["i", "r", "i"]  # type: ignore[arg-type]
    for name in ("sections", "domains", "recordings", "conditions"):
        with pytest.raises(InputError, match=rf"{name}: 1 for 3 recordings; give one each"):
            selection.relabelled(**{name: ["a"]})
        with pytest.raises(InputError, match=rf"{name}: the text 'source'; give a list"):
            selection.relabelled(**{name: "source"})


@pytest.mark.parametrize(
    ("pattern", "values"),
    [
        (None, ["", ""]),
        (r"^[^_]+_\d", ["pump_1", "pump_2"]),
        (r"_(idle|run)_", ["idle", "run"]),
        (r"(x)?_(\d)", ["", ""]),
        ("/", ["/", "/"]),
    ],
)
def test_a_pattern_finds_a_column_in_names(pattern: str | None, values: list[str]) -> None:
    selection = listed("pump_1_idle_0/a.wav", "pump_2_run_1/b.wav").named_by("conditions", pattern)
    assert selection.conditions == values
    assert selection.recordings == ["", ""]


def test_a_pattern_that_does_not_match_or_is_none_is_refused() -> None:
    selection = listed("pump_1.wav", "fan.wav")
    with pytest.raises(InputError, match=r"fan\.wav: the pattern 'pump' for recordings does not"):
        selection.named_by("recordings", "pump")
    with pytest.raises(InputError, match=r"'pump\(': not a regular expression \(.*\)"):
        selection.named_by("recordings", "pump(")


def test_parts_keep_all_columns_in_order() -> None:
    names = [f"{number}.wav" for number in range(7)]
    selection = listed(*names).relabelled(sections=names, conditions=names)
    parts = list(selection.parts(3))
    assert [part.names for part in parts] == [names[:3], names[3:6], names[6:]]
    assert [part.conditions for part in parts] == [part.names for part in parts]
    some = selection.select([4, 1])
    assert some.names == some.sections == ["4.wav", "1.wav"]
    assert [path.name for path in some.paths] == ["4.wav", "1.wav"]


# Features, several at a time


def test_features_come_in_order_and_broken_ones_alone(data: Path, tiny: Recipe) -> None:
    good = [data / "a.wav", data / "b.wav", data / "night" / "c.wav"]
    parts = list(sounds([good[0], "none.wav", *good[1:], data]).banks(tiny))
    assert [names_of(part) for part, _ in parts] == [["a"], ["none"], ["b", "c"], ["pump"]]
    assert [isinstance(bank, InputError) for _, bank in parts] == [False, True, False, True]
    expected = bank_of_signals([load(p, tiny.audio) for p in good], tiny.audio, tiny.features)
    banks = [bank for _, bank in parts if isinstance(bank, MelBank)]
    mels = [bank[i] for bank in banks for i in range(len(bank))]
    for index, mel in enumerate(mels):
        np.testing.assert_array_equal(mel, expected[index])


@given(
    sizes=st.lists(st.one_of(st.none(), st.integers(1, 40)), max_size=30), limit=st.integers(1, 60)
)
def test_grouping_keeps_order_and_bounds(sizes: list[int | None], limit: int) -> None:
    items: list[Features | InputError] = [
        InputError("broken") if size is None else Features(np.full((size, 1), i, np.float16))
        for i, size in enumerate(sizes)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recordings, "TOGETHER_FRAMES", limit)
        groups = list(recordings._together(items))
    flat = [each for g in groups for each in ([g] if isinstance(g, InputError) else g)]
    assert all(a is b for a, b in zip(flat, items, strict=True))
    for group in groups:
        if not isinstance(group, InputError):
            assert len(group) == 1 or sum(len(each.mel) for each in group) <= limit


def test_files_are_read_through_the_cache_and_others_are_not(
    data: Path, tiny: Recipe, tmp_path: Path
) -> None:
    files = sounds([data / "a.wav", data / "b.wav"]).bank(tiny, tmp_path / "cache")
    assert (tmp_path / "cache").is_dir()
    opened = [io.BytesIO((data / name).read_bytes()) for name in ("a.wav", "b.wav")]
    others = sounds(opened).bank(tiny, tmp_path / "none")
    assert not (tmp_path / "none").exists()
    for index in range(2):
        np.testing.assert_array_equal(files[index], others[index])


def test_silence_is_refused_where_it_is_learned_from(data: Path, tiny: Recipe) -> None:
    write_wav(data / "off.wav", np.zeros(8000), RATE)
    selection = sounds(data)
    with pytest.raises(InputError, match=r"^off\.wav: silent; leave it out"):
        selection.bank(tiny, data / "cache")
    (data / "off.wav").unlink()
    assert len(sounds(data).bank(tiny, data / "cache")) == 3
