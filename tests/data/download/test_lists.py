"""The organisers' lists of evaluation clips, and the tables that are made of them."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
from bundle_names import correspondences, list_of, tables
from hypothesis import given
from hypothesis import strategies as st

from dgmix.data.dcase import parse_name
from dgmix.data.download.lists import read_list, with_split
from dgmix.data.download.names import _packed, clip_names, full_names, hidden_names
from dgmix.data.years import YEARS, year_of
from dgmix.errors import InputError

LABELLED = [year.number for year in YEARS.values() if year.labelled]
COUNTS = {
    # normal and anomalous clips, over the machine ids that are evaluated
    2020: {
        "fan": (309, 1033),
        "pump": (300, 477),
        "slider": (300, 534),
        "valve": (300, 640),
        "ToyCar": (750, 795),
        "ToyConveyor": (600, 1065),
    },
    # source normal, source anomalous, target normal, target anomalous, over the sections
    2021: {
        **dict.fromkeys(["fan", "pump", "ToyCar", "ToyTrain", "valve"], (300, 300, 300, 300)),
        "gearbox": (382, 314, 318, 414),
        "slider": (303, 301, 303, 300),
    },
    2022: dict.fromkeys(YEARS[2022].eval, (150, 150, 150, 150)),
    2023: {
        "bandsaw": (67, 40, 60, 33),
        "grinder": (107, 27, 36, 30),
        "shaker": (49, 53, 52, 46),
        **dict.fromkeys(["ToyDrone", "ToyNscale", "ToyTank", "Vacuum"], (50, 50, 50, 50)),
    },
    2024: dict.fromkeys(YEARS[2024].eval, (50, 50, 50, 50)),
    2025: dict.fromkeys(YEARS[2025].eval, (50, 50, 50, 50)),
}


@pytest.fixture
def lists(real_data: Path) -> Path:
    return real_data / "dcase_evaluation_lists"


def counts(names: list[tuple[str, str]]) -> Counter[tuple[str, str, str]]:
    """How many clips there are of each machine, domain and label."""
    clips = [parse_name(Path("test", name), machine) for machine, name in names]
    return Counter((clip.machine, clip.domain, clip.label) for clip in clips if clip)


def stated(year: int) -> dict[tuple[str, str, str], int]:
    domains = ("source",) if year == 2020 else ("source", "target")
    groups = [(domain, label) for domain in domains for label in ("normal", "anomaly")]
    return {
        (machine, *group): number
        for machine, numbers in COUNTS[year].items()
        for group, number in zip(groups, numbers, strict=True)
    }


@pytest.mark.parametrize("year", LABELLED)
def test_tables_have_the_counts_that_are_stated(year: int) -> None:
    paths = [path.split("/") for path in full_names(year).values()]
    assert counts([(parts[0], parts[-1]) for parts in paths]) == stated(year)
    assert len(set(full_names(year).values())) == len(full_names(year))


@pytest.mark.parametrize("year", LABELLED)
def test_lists_have_the_counts_that_are_stated(lists: Path, year: int) -> None:
    names = read_list(list_of(lists, YEARS[year]), YEARS[year])
    assert counts([(machine, name) for (machine, _), name in names.items()]) == stated(year)


@pytest.mark.parametrize("year", [year for year in LABELLED if year != 2022])
def test_every_clip_is_called_as_its_list_has_it(lists: Path, year: int) -> None:
    machine, rows = "", {}
    for line in list_of(lists, YEARS[year]).read_bytes().decode().split("\n"):
        cells = line.strip().split(",")
        if len(cells) == 1 and cells[0]:
            machine = cells[0]
        elif cells[0]:
            name = cells[1]
            if machine == "RoboticArm":
                name = re.sub("_(source|target)_", r"_\1_test_", name)
            rows[machine, cells[0]] = name
    assert clip_names(YEARS[year]).names == rows


def test_lists_of_2022_differ_from_the_table_in_toys_alone(lists: Path) -> None:
    listed, named = read_list(list_of(lists, YEARS[2022]), YEARS[2022]), clip_names(YEARS[2022])
    different = {
        machine for machine, clip in listed if listed[machine, clip] != named.names[machine, clip]
    }
    assert different == {"ToyCar", "ToyTrain"}


def test_shipped_tables_are_what_the_script_makes(real_data: Path, lists: Path) -> None:
    made = tables(real_data / "dcase2022_ground_truth", lists)
    assert len(made) == 8
    for name, text in made.items():
        assert dict(_packed(name)) == dict(list(csv.reader(text.splitlines()))[1:])


@pytest.mark.parametrize("year", [2024, 2025])
def test_hidden_attributes(lists: Path, year: int) -> None:
    named = {path.rpartition("/")[2] for path in hidden_names(year).values()}
    assert not [name for name in named if "noAttribute" in name or name.endswith("_.wav")]
    machines = {path.partition("/")[0] for path in hidden_names(year)}
    assert machines == set(YEARS[year].hidden)
    for machine, split, rows in correspondences(lists, YEARS[year]):
        for full, published in rows:
            name = f"{machine}/{split}/{published}"
            if "noAttribute" not in published:  # 2025: in the list of evaluation clips already
                assert clip_names(YEARS[year]).full(name) == f"{machine}/{split}/{full}"
                marked = clip_names(YEARS[year], hidden=True).full(name)
                assert marked == re.sub(r"(\d{4})_", r"\1_hidden_", f"{machine}/{split}/{full}")
                continue
            mine, theirs = (parse_name(Path(n), machine) for n in (hidden_names(year)[name], full))
            assert mine is not None
            assert theirs is not None
            assert mine.attributes == "hidden_" + theirs.attributes.rstrip("_")
            assert (mine.domain, mine.label) == (theirs.domain, theirs.label)


def test_names_keep_everything_else_as_it_is() -> None:
    names = clip_names(year_of("dcase2021"))
    given = "fan/source_test/section_03_source_test_0000.wav"
    assert names.full(given) == "fan/source_test/section_03_source_test_anomaly_0000.wav"
    assert names.full("fan/attributes_00.csv") == "fan/attributes_00.csv"
    assert names.full("lathe/test/section_03_source_test_0000.wav").endswith("_test_0000.wav")


@given(name=st.text("section_0rcteonmaly.wvgh", max_size=60))
def test_a_name_with_its_split_is_left_alone(name: str) -> None:
    assert with_split(with_split(name)) == with_split(name)


GOOD = "section_00_0000.wav,section_00_source_test_normal_0000_a_1.wav"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"no clip in it; give the organisers' list"),
        (GOOD, r"line 1: a clip before the first machine type"),
        ("fan\n" + GOOD, r"line 1: dcase2025 evaluates no machine 'fan', but AutoTrash"),
        (f"ToyPet\n{GOOD}\n{GOOD}", r"line 3: .* is listed before; correct this line"),
        ("ToyPet\na.wav,b.wav", r"line 2: 'a\.wav' is no name of a DCASE clip"),
        ("ToyPet\nsection_00_0000.wav,section_00_0001.wav", r"does not tell domain and label"),
        (
            "ToyPet\nsection_01_0000.wav,section_00_source_test_normal_0000.wav",
            r"not of the same section and domain",
        ),
        (f"ToyPet\n{GOOD},1", r"line 2: the label 1 contradicts the name"),
        ("ToyPet\nsection_00_0000.wav,../section_00_source_test_normal_0000.wav", r"is no name of"),
    ],
)
def test_damaged_lists_are_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "list.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_list(path, YEARS[2025])


def test_what_is_no_list_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="not a CSV file in UTF-8"):
        read_list(path, YEARS[2025])
    path.write_text(f"\ufeffToyPet,,\r\n\r\n{GOOD}, \r\n", newline="")
    assert len(read_list(path, YEARS[2025])) == 1


def test_the_table_of_the_documentation_is_counted(
    load_script: Callable[[Path], ModuleType],
) -> None:
    page = load_script(Path(__file__).parents[3] / "docs" / "evaluation_clips.py")
    assert page.with_table(page.PAGE.read_text("utf-8")) == page.PAGE.read_text("utf-8")
    rows = [row for year in YEARS.values() if year.labelled for row in page.rows_of(year)]
    numbers_on_page = {
        (int(row[0]), machine): tuple(int(cell) for cell in row[2:] if cell != "–")
        for row in rows
        for machine in row[1].split()
    }
    assert numbers_on_page == {
        (year, m): numbers for year in LABELLED for m, numbers in COUNTS[year].items()
    }
