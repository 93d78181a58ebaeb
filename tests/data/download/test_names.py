from __future__ import annotations

from collections import Counter
from importlib import resources
from pathlib import Path

import pytest
from bundle_names import name_table, prefix, read_attributes, read_rows, read_truth

from dgmix.data.download.names import full_names
from dgmix.data.years import YEARS

MACHINES = YEARS[2022].machines
SECTIONS = ("03", "04", "05")
TOYS = ("ToyCar", "ToyTrain")


@pytest.fixture
def evaluator(real_data: Path) -> Path:
    return real_data / "dcase2022_ground_truth"


def test_every_clip_has_one_name_of_its_own() -> None:
    names = full_names(2022)
    assert set(names) == {
        f"{machine}/test/section_{section}_{number:04d}.wav"
        for machine in MACHINES
        for section in SECTIONS
        for number in range(200)
    }
    assert len(set(names.values())) == 4200


def test_sections_are_balanced() -> None:
    groups = Counter(
        (machine, *stem.split("_")[1:5])
        for machine, _, stem in (name.split("/") for name in full_names(2022).values())
    )
    assert len(groups) == 7 * 3 * 2 * 2
    assert set(groups.values()) == {50}


def test_table_is_what_the_evaluator_says(evaluator: Path) -> None:
    rows = [f"{old},{new}" for old, new in full_names(2022).items()]
    assert name_table(evaluator).splitlines() == ["file_name,full_name", *rows]


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("section", SECTIONS)
def test_labels_and_domains_are_those_of_the_challenge(
    evaluator: Path, machine: str, section: str
) -> None:
    names, start = full_names(2022), f"{machine}/test/"
    for kind, part, words in (
        ("ground_truth_data", 4, {"0": "normal", "1": "anomaly"}),
        ("ground_truth_domain", 2, {"0": "source", "1": "target"}),
    ):
        table = evaluator / kind / f"ground_truth_{machine}_section_{section}_test.csv"
        for clip, value in read_rows(table):
            assert names[start + clip].removeprefix(start).split("_")[part] == words[value]


def test_irregular_rows_of_valve_section_05_have_their_attributes(evaluator: Path) -> None:
    path = evaluator / "ground_truth_attributes" / "valve" / "attributes_05.csv"
    _, *rows = read_rows(path)
    assert {len(row) for row in rows} == {4, 6}
    assert all(full_names(2022)[row[0]] == row[-1] for row in rows)


@pytest.mark.parametrize("machine", TOYS)
@pytest.mark.parametrize("section", SECTIONS)
def test_attribute_tables_of_the_toys_are_in_another_order(
    evaluator: Path, machine: str, section: str
) -> None:
    truth = read_truth(evaluator, machine, section)
    attributes = read_attributes(evaluator, machine, section)
    classes = {clip: tuple(name.split("_")[i] for i in (2, 4)) for clip, name in attributes.items()}
    assert Counter(truth.values()) == Counter(classes.values())
    agreeing = sum(truth[clip] == classes[clip] for clip in truth)
    assert agreeing < 80, "by chance 50 of 200 agree; were it all, the attributes could be used"
    for clip, domain_and_label in truth.items():
        expected = f"{machine}/test/{prefix(clip, domain_and_label)}.wav"
        assert full_names(2022)[f"{machine}/test/{clip}"] == expected


def test_other_machines_have_attributes() -> None:
    assert all(
        (len(name.split("_")) > 6) == (machine not in TOYS)
        for machine, _, name in (name.split("/") for name in full_names(2022).values())
    )


def test_licence_is_beside_the_table(evaluator: Path) -> None:
    bundled = resources.files("dgmix.data.download").joinpath("dcase2022_names.LICENSE")
    assert bundled.read_text() == (evaluator / "LICENSE").read_text()
