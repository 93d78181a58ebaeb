"""Make `dcase2022_names.csv.gz` of dgmix from a copy of the organisers' evaluator.

    python tests/data/download/bundle_names.py EVALUATOR_FOLDER

EVALUATOR_FOLDER is a clone of https://github.com/Kota-Dohi/dcase2022_evaluator.
"""

from __future__ import annotations

import csv
import gzip
import sys
from pathlib import Path

from dgmix.data.download import MACHINES, names

LABELS = {"0": "normal", "1": "anomaly"}
DOMAINS = {"0": "source", "1": "target"}
Table = dict[str, tuple[str, str]]


def name_table(evaluator: Path) -> str:
    """The CSV: `file_name,full_name`, a row for each clip of each machine and section."""
    lines = ["file_name,full_name"]
    for machine in MACHINES:
        for section in ("03", "04", "05"):
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


def read_rows(path: Path) -> list[list[str]]:
    """The rows of a CSV, of any lengths."""
    return list(csv.reader(path.read_text().splitlines()))


if __name__ == "__main__":
    target = Path(names.__file__).with_name("dcase2022_names.csv.gz")
    target.write_bytes(gzip.compress(name_table(Path(sys.argv[1])).encode(), 9, mtime=0))
    print(f"{target}: {target.stat().st_size} bytes")
