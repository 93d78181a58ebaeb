"""Make the tables of names in dgmix from copies of what the organisers published.

    python tests/data/download/bundle_names.py EVALUATOR LISTS

EVALUATOR is a clone of https://github.com/Kota-Dohi/dcase2022_evaluator, LISTS the folder
`datasets` of https://github.com/nttcslab/dcase2023_task2_baseline_ae. Of 2022 the evaluator is
taken, for its tables are those that the challenge was scored by.
"""

from __future__ import annotations

import csv
import gzip
import sys
from pathlib import Path

from dgmix.data.download import names
from dgmix.data.download.lists import read_list
from dgmix.data.years import YEARS, Year

LABELS = {"0": "normal", "1": "anomaly"}
DOMAINS = {"0": "source", "1": "target"}
PARTS = {"dev": "dev_data", "eval": "eval_data"}
Table = dict[str, tuple[str, str]]


def name_table(evaluator: Path) -> str:
    """The CSV of 2022: `file_name,full_name`, a row for each clip of each machine and section."""
    lines = ["file_name,full_name"]
    for machine, sections in YEARS[2022].eval.items():
        for section in sections:
            named = section_names(evaluator, machine, section)
            lines += [f"{machine}/test/{old},{machine}/test/{new}" for old, new in named.items()]
    return "\n".join(lines) + "\n"


def section_names(evaluator: Path, machine: str, section: str) -> dict[str, str]:
    """Full name by anonymous name, with attributes if the attribute table fits the labels."""
    truth = read_truth(evaluator, machine, section)
    attributes = read_attributes(evaluator, machine, section)
    assert truth.keys() == attributes.keys()
    if all(attributes[name].startswith(prefix(name, truth[name])) for name in truth):
        return attributes
    return {name: f"{prefix(name, truth[name])}.wav" for name in truth}


def prefix(anonymous: str, domain_and_label: tuple[str, str]) -> str:
    """`section_03_source_test_normal_0000` of `section_03_0000.wav`."""
    _, section, number = anonymous.removesuffix(".wav").split("_")
    domain, label = domain_and_label
    return f"section_{section}_{domain}_test_{label}_{number}"


def read_truth(evaluator: Path, machine: str, section: str) -> Table:
    """Domain and label by anonymous name."""
    name = f"ground_truth_{machine}_section_{section}_test.csv"
    labels = {row[0]: row[1] for row in read_rows(evaluator / "ground_truth_data" / name)}
    domains = {row[0]: row[1] for row in read_rows(evaluator / "ground_truth_domain" / name)}
    assert labels.keys() == domains.keys()
    return {clip: (DOMAINS[domains[clip]], LABELS[labels[clip]]) for clip in labels}


def read_attributes(evaluator: Path, machine: str, section: str) -> dict[str, str]:
    """Full name by anonymous name: the last cell and the first, however many are between."""
    path = evaluator / "ground_truth_attributes" / machine / f"attributes_{section}.csv"
    _, *rows = read_rows(path)
    start = f"{machine}/test/"
    return {row[0].removeprefix(start): row[-1].removeprefix(start) for row in rows}


def listed_table(lists: Path, year: Year) -> str:
    """The CSV of another year: `file_name,full_name`, in the order of the organisers' list."""
    lines = ["file_name,full_name"]
    for (machine, old), new in read_list(list_of(lists, year), year).items():
        lines.append(f"{folder_of(machine, old, year)}/{old},{folder_of(machine, old, year)}/{new}")
    return "\n".join(lines) + "\n"


def folder_of(machine: str, published: str, year: Year) -> str:
    """The folder that an evaluation clip is published in: by domain, in 2021."""
    return f"{machine}/{published.split('_')[2]}_test" if year.number == 2021 else f"{machine}/test"


def list_of(lists: Path, year: Year) -> Path:
    return lists / f"eval_data_list_{year.number}.csv"


def attribute_table(lists: Path, year: Year) -> str:
    """The CSV of hidden attributes: `file_name,attributes`, a row for each clip without them."""
    lines = ["file_name,attributes"]
    for machine, split, rows in correspondences(lists, year):
        lines += [
            f"{machine}/{split}/{published},{attributes_of(full)}"
            for full, published in rows
            if names.WITHHELD in published
        ]
    return "\n".join(lines) + "\n"


def correspondences(lists: Path, year: Year) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """Machine, split and rows (name with attributes, published name) of each table there is."""
    root = lists / "ground_truth_attributes" / f"{year.dataset}t2"
    tables = []
    for part, folder in PARTS.items():
        for machine in year.dev if part == "dev" else year.eval:
            for split in ("train", "test"):
                path = root / folder / machine / f"attributes_00_{split}_correspondence.csv"
                if path.exists():
                    _, *rows = read_rows(path)
                    tables.append((machine, split, [(row[0], row[1]) for row in rows]))
    return tables


def attributes_of(name: str) -> str:
    """`ac_0.03` of `section_00_source_test_anomaly_0001_ac_0.03_.wav`."""
    return name.removesuffix(".wav").split("_", 6)[6].strip("_")


def read_rows(path: Path) -> list[list[str]]:
    """The rows of a CSV, of any lengths."""
    return list(csv.reader(path.read_text().splitlines()))


def tables(evaluator: Path, lists: Path) -> dict[str, str]:
    """Every table by the name of its file."""
    made = {}
    for year in YEARS.values():
        if year.labelled:
            text = name_table(evaluator) if year.number == 2022 else listed_table(lists, year)
            made[f"{year.dataset}_names.csv.gz"] = text
        if year.hidden:
            made[f"{year.dataset}_attributes.csv.gz"] = attribute_table(lists, year)
    return made


if __name__ == "__main__":
    for name, text in tables(Path(sys.argv[1]), Path(sys.argv[2])).items():
        target = Path(names.__file__).with_name(name)
        target.write_bytes(gzip.compress(text.encode(), 9, mtime=0))
        print(f"{target}: {target.stat().st_size} bytes")
