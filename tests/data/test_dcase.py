"""DCASE names and layouts, 2020 to 2025."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgmix.data import Clip, load_manifest
from dgmix.data.dcase import dcase_manifest, parse_name
from dgmix.data.years import YEARS, Year
from dgmix.errors import InputError

NAMES = {
    "train/normal_id_00_00000012.wav": ("id_00", "source", "train", "normal", ""),
    "test/anomaly_id_06_00000000.wav": ("id_06", "source", "test", "anomaly", ""),
    "test/id_01_00000377.wav": ("id_01", "source", "test", "unknown", ""),
    "train/section_00_source_train_normal_0000.wav": ("00", "source", "train", "normal", ""),
    "source_test/section_01_source_test_anomaly_0099.wav": ("01", "source", "test", "anomaly", ""),
    "target_test/section_03_target_test_0012.wav": ("03", "target", "test", "unknown", ""),
    "train/section_02_target_train_normal_0009_vel_16_loc_A.wav": (
        *("02", "target", "train", "normal"),
        "vel_16_loc_A",
    ),
    "test/section_00_source_test_normal_0028_m-n_W.flac": (
        *("00", "source", "test", "normal"),
        "m-n_W",
    ),
    "test/section_03_0000.wav": ("03", "unknown", "test", "unknown", ""),
}


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


@pytest.mark.parametrize("name", NAMES)
def test_a_name_tells_everything(name: str) -> None:
    clip = parse_name(Path("fan") / name, "fan")
    assert clip is not None
    assert clip.machine == "fan"
    facts = (clip.section, clip.domain, clip.split, clip.label, clip.attributes)
    assert facts == NAMES[name]


@pytest.mark.parametrize(
    "name",
    ["a.wav", "section_.wav", "section_00.wav", "normal_00000000.wav", "xsection_03_0000.wav"],
)
def test_other_names_are_not_parsed(name: str) -> None:
    assert parse_name(Path(name), "fan") is None


@given(
    section=st.integers(0, 99),
    domain=st.sampled_from(["source", "target"]),
    split=st.sampled_from(["train", "test"]),
    label=st.sampled_from(["normal", "anomaly"]),
    number=st.integers(0, 9999),
    attributes=st.sampled_from(["", "A_1", "strength_1_ambient", "f-n_D_0", "noAttributes"]),
)
def test_every_full_name_comes_back(
    section: int, domain: str, split: str, label: str, number: int, attributes: str
) -> None:
    stem = f"section_{section:02d}_{domain}_{split}_{label}_{number:04d}"
    path = Path(f"{stem}_{attributes}.wav" if attributes else f"{stem}.wav")
    expected = Clip(path, "fan", f"{section:02d}", domain, split, label, attributes)
    assert parse_name(path, "fan") == expected


def test_machines_are_the_folders_above_the_split(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "dev_data/fan/train/section_00_source_train_normal_0000.wav",
        "dev_data/fan/test/section_00_source_test_normal_0000.wav",
        "eval_data/fan/test/section_03_0000.wav",
        "dev_data/raw/valve/source_test/section_00_source_test_normal_0000.wav",
        "fan/train/.hidden.wav",
        "fan/attributes_00.csv",
    )
    manifest = load_manifest(tmp_path)
    assert [clip.machine for clip in manifest] == ["fan", "fan", "valve", "fan"]
    assert manifest.shown_path(manifest[3]) == "eval_data/fan/test/section_03_0000.wav"


@pytest.mark.parametrize("start", ["fan", "fan/train", "."])
def test_a_machine_may_be_given_alone(
    tmp_path: Path, start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "fan/train/section_00_source_train_normal_0000.wav")
    monkeypatch.chdir(tmp_path / "fan")
    path = Path() if start == "." else tmp_path / start
    assert load_manifest(path).values("machine") == ["fan"]


def test_2020_files_without_a_split_folder_are_for_testing(tmp_path: Path) -> None:
    touch(tmp_path, "fan/normal_id_00_00000000.wav", "fan/anomaly_id_00_00000000.wav")
    manifest = load_manifest(tmp_path)
    assert manifest.values("split") == ["test"]
    assert manifest.values("machine") == ["fan"]


def test_supplemental_recordings_are_left_out(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "fan/train/section_00_source_train_normal_0000.wav",
        "fan/supplemental/clean_0000.wav",
    )
    assert len(load_manifest(tmp_path)) == 1


def test_a_stranger_among_dcase_names_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "train/section_00_source_train_normal_0000.wav", "train/pump.wav")
    with pytest.raises(InputError, match=r"pump\.wav: not named like the DCASE recordings"):
        load_manifest(tmp_path)


def test_the_order_is_that_of_the_paths(tmp_path: Path) -> None:
    names = [f"fan/train/section_{s:02d}_source_train_normal_0000.wav" for s in (2, 0, 1)]
    touch(tmp_path, *names)
    paths = [clip.path for clip in load_manifest(tmp_path)]
    assert paths == sorted(paths)


def test_reads_the_real_sets(real_data: Path) -> None:
    of_2020 = load_manifest(real_data / "dcase2020_lite36")
    assert len(of_2020.values("machine")) == 6
    assert Counter(clip.label for clip in of_2020) == {"normal": 18, "anomaly": 18}
    of_2023 = load_manifest(real_data / "dcase2023_mixed")
    assert len(of_2023.values("machine")) == 6
    assert len(of_2023.select(split="train")) == 12
    assert all(clip.attributes for clip in of_2023)
    valve = load_manifest(real_data / "dcase2023_valve")
    groups = Counter((clip.domain, clip.label) for clip in valve)
    assert set(groups.values()) == {25}


def names_of(year: Year) -> Iterator[Path]:
    """Yield clips of every section, as the year's archives have them: training, source, target."""
    for folder, places in (("dev_data", year.dev), ("eval_data", year.eval)):
        for machine, section in ((m, s) for m, sections in places.items() for s in sections):
            place = Path(year.dataset) / folder / machine
            if year.rule == "by-id":
                names = [f"{split}/normal_{section}_00000000.wav" for split in ("train", "test")]
            else:
                end = "noAttribute" if machine in year.hidden else f"of_{year.number}"
                test = "source_test" if year.rule == "by-domain" else "test"
                groups = ("train/{}_source_train", f"{test}/{{}}_source_test")
                stems = [group.format(f"section_{section}") for group in groups]
                names = [f"{stem}_normal_0000_{end}.wav" for stem in stems]
            yield from (place / name for name in names)


@pytest.mark.parametrize("year", YEARS.values(), ids=lambda year: year.dataset)
def test_development_and_evaluation_set_of_a_year_go_together(year: Year) -> None:
    for part in ("", "dev_data", "eval_data"):
        clips = dcase_manifest(Path(), [path for path in names_of(year) if part in path.parts[1]])
        assert clips is not None
        assert not clips.notes
    assert len(list(names_of(year))) == 2 * sum(map(len, year.places.values()))


@pytest.mark.parametrize(
    "years",
    list(combinations(YEARS.values(), 2)),
    ids=lambda pair: "-".join(y.dataset for y in pair),
)
def test_two_years_in_one_folder_are_refused(years: tuple[Year, Year]) -> None:
    paths = [path for year in years for path in names_of(year)]
    with pytest.raises(InputError, match=r"give each (year|set) a folder of its own") as refused:
        dcase_manifest(Path(), paths)
    assert all(year.dataset in str(refused.value) for year in years)


def alike(paths: Iterable[Path], year: int) -> frozenset[str]:
    """Return names without what only these tests write there, and what is not known of a year."""
    names = (Path(*path.parts[2:]).as_posix() for path in paths)
    unsure = r"_of_\d+|_noAttribute" if not YEARS[year].labelled else r"_of_\d+"
    return frozenset(re.sub(unsure, "_told", name) for name in names)


def test_machines_of_several_years_pass_only_where_one_year_has_the_same_names() -> None:
    """Some hundred pairs of machines, and threes, each machine of another year."""
    sets = {
        (year.number, machine): [path for path in names_of(year) if path.parts[2] == machine]
        for year in YEARS.values()
        for machine in year.machines
    }
    parts = {  # what a year calls a machine's development set, its evaluation set, or both
        of: {alike((p for p in paths if part in p.parts[1]), of[0]) for part in ("", "dev", "eval")}
        for of, paths in sets.items()
    }
    years = {
        of: {n for n in YEARS if alike(paths, n) in parts.get((n, of[1]), ())}
        for of, paths in sets.items()
    }
    draw = random.Random(0).sample
    passed, noted = 0, 0
    for chosen in [c for n in (2, 3) for c in draw(list(combinations(sets, n)), 600)]:
        numbers, machines = zip(*chosen, strict=True)
        if len(set(numbers)) < len(chosen) or len(set(machines)) < len(chosen):
            continue
        same = bool(set.intersection(*(years[of] for of in chosen)))
        try:
            clips = dcase_manifest(Path(), [path for of in chosen for path in sets[of]])
        except InputError:  # names of 2020 beside those of later years
            assert 2020 in numbers
            continue
        assert clips is not None
        assert bool(clips.notes) != same, chosen
        passed, noted = passed + same, noted + (not same)
    assert passed > 50
    assert noted > 300


def test_machines_of_two_years_are_told() -> None:
    """They have no recording in common, and one rule: it is no fault, but worth a sentence."""
    name = "train/section_00_source_train_normal_0000.wav"
    paths = [Path(machine) / name for machine in ("bandsaw", "HairDryer")]
    clips = dcase_manifest(Path(), paths)
    assert clips is not None
    assert "bandsaw (2023), HairDryer (2024)" in clips.notes[0]
    own = dcase_manifest(Path(), [*paths, Path("pump 7") / name])
    assert own is not None
    assert not own.notes
