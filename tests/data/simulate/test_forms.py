"""Simulated sets in the form of each year."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile

from dgmix.data import load_manifest
from dgmix.data.simulate import MACHINES, simulate
from dgmix.data.simulate.clips import PlannedClip, samples_of
from dgmix.data.simulate.forms import form_of, model_of
from dgmix.data.simulate.room import draw_room, two_channels
from dgmix.data.simulate.signals import RATE
from dgmix.data.years import YEARS
from dgmix.errors import InputError


@pytest.mark.parametrize("year", YEARS.values(), ids=lambda year: year.dataset)
def test_every_machine_has_a_model(year) -> None:
    assert {model_of(machine) for machine in year.machines} <= set(MACHINES)


@pytest.mark.parametrize("year", YEARS.values(), ids=lambda year: year.dataset)
def test_layout_and_names_are_those_of_the_year(year, tmp_path: Path) -> None:
    machine = list(year.eval)[-1]
    arguments = {"machines": [machine], "clips": 8, "test_clips": 2, "seconds": 1.0}
    simulate(tmp_path / "set", like=year.dataset, **arguments)
    manifest = load_manifest(tmp_path / "set")
    places = year.places["dev"] | year.places["eval"]
    assert {(clip.machine, clip.section) for clip in manifest} == {
        place for place in places if place[0] == machine
    }
    domains = ["source"] if year.number == 2020 else ["source", "target"]
    groups = Counter((c.section, c.domain, c.label) for c in manifest.select(split="test"))
    assert set(groups.values()) == {2}
    assert len(groups) == len(manifest.values("section")) * len(domains) * 2
    section = manifest.values("section")[0]
    training = manifest.select(split="train", section=section)
    expected = {2020: {"source": 8}, 2021: {"source": 5, "target": 3}}
    assert Counter(clip.domain for clip in training) == expected.get(
        year.number, {"source": 4, "target": 4}
    )
    hidden = {"noAttribute"} if machine in year.hidden else set()
    named = set(manifest.values("attributes"))
    assert named == {""} if year.number < 2022 else named == hidden or not hidden
    files = {path.name for path in (tmp_path / "set" / machine).iterdir()}
    tests = {"source_test", "target_test"} if year.number == 2021 else {"test"}
    assert {"train"} | tests == {name for name in files if not name.endswith(".csv")}
    assert bool([name for name in files if name.endswith(".csv")]) == (year.number >= 2022)
    headers = {soundfile.info(clip.path).channels for clip in manifest}
    assert headers == {year.channels}
    simulate(tmp_path / "again", like=year.dataset, **arguments, jobs=1)
    for clip in manifest:
        again = tmp_path / "again" / manifest.shown_path(clip)
        assert again.read_bytes() == clip.path.read_bytes()


def test_withheld_attributes_are_not_in_names_or_tables(tmp_path: Path) -> None:
    options = {"clips": 2, "test_clips": 1, "seconds": 1.0}
    simulate(tmp_path, like="dcase2024", machines=["slider", "fan"], **options)
    manifest = load_manifest(tmp_path)
    assert manifest.select(machine="slider").values("attributes") == ["noAttribute"]
    assert "noAttribute" not in manifest.select(machine="fan").values("attributes")
    table = (tmp_path / "slider" / "attributes_00.csv").read_text().splitlines()
    assert table[0] == "file_name"
    assert all("," not in line for line in table)


def test_first_shot_sets_have_990_and_10_by_default() -> None:
    assert form_of("dcase2023").training(1000) == (990, 10)
    assert form_of("dcase2026").training(200) == (190, 10)
    assert form_of("dcase2021").training(1000) == (997, 3)
    assert form_of("dcase2020").training(1000) == (1000,)


def test_years_do_not_share_their_machines() -> None:
    fans = [
        samples_of(PlannedClip("fan", 0, 0, 0, like), 0, RATE)
        for like in ("dcase2023", "dcase2024")
    ]
    assert abs(np.corrcoef(*fans)[0, 1]) < 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"like": "dcase1999"}, "dcase1999: unknown data set.*; choose from dcase2020"),
        ({"like": "dcase2023", "sections": 3}, "sections: dcase2023 has its own"),
        ({"like": "dcase2023", "machines": ["pump"]}, "pump: no such machine; .* Vacuum"),
    ],
)
def test_bad_arguments(arguments, message, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        simulate(tmp_path / "set", **arguments)
    assert not (tmp_path / "set").exists()


def level(sound) -> float:
    return float(20 * np.log10(np.std(sound)))


def test_the_far_microphone_hears_the_noise_but_little_of_the_machine() -> None:
    rng = np.random.default_rng(0)
    room = draw_room(np.random.default_rng(1))
    machine, noise = rng.standard_normal((2, 4 * RATE)).astype(np.float32)
    nothing = np.zeros_like(machine)
    near, far = two_channels(machine, nothing, room, np.random.default_rng(2)).T
    assert 6 < level(near) - level(far) < 16
    near, far = two_channels(nothing, noise, room, np.random.default_rng(2)).T
    assert abs(level(near) - level(far)) < 3


def test_both_microphones_hear_the_same_noise() -> None:
    """A filter of the room's length takes most of the noise away, as no other noise would."""
    room = draw_room(np.random.default_rng(1))
    noise = np.random.default_rng(0).standard_normal((2, 2 * RATE)).astype(np.float32)
    nothing = np.zeros(2 * RATE, np.float32)
    near, far = two_channels(nothing, noise[0], room, np.random.default_rng(2)).T
    _, other = two_channels(nothing, noise[1], room, np.random.default_rng(3)).T
    assert coherence(near, far) > 0.3
    assert coherence(near, other) < 0.1


def coherence(one, two) -> float:
    """The mean coherence of two signals, in blocks of 4096 samples."""
    from scipy.signal import coherence as of

    return float(np.mean(of(one, two, RATE, nperseg=4096)[1]))


def test_two_channel_clips_are_near_and_far() -> None:
    clip = PlannedClip("fan", 0, 0, 0, "dcase2026")
    sound = samples_of(clip, 0, 2 * RATE)
    assert sound.shape == (2 * RATE, 2)
    assert sound.dtype == np.float32
    assert np.abs(sound).max() <= 1
    np.testing.assert_array_equal(sound, samples_of(clip, 0, 2 * RATE))
    assert 0 < abs(np.corrcoef(sound.T)[0, 1]) < 0.99
