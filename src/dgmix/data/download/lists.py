"""The organisers' lists of evaluation clips: which file is which labelled clip.

`eval_data_list_<year>.csv` of `nttcslab/dcase2023_task2_baseline_ae` (and Zenodo 3951620 for 2020)
has a line with a machine type alone, then one line for each of its clips: published name, full
name and, in 2020, the label again. Line ends differ from list to list, and the full names of
RoboticArm (2024) lack the word `test`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from dgmix.data.clip import DOMAINS, LABELS, Clip
from dgmix.data.dcase import parse_name
from dgmix.data.years import Year
from dgmix.errors import InputError
from dgmix.files import explained

Names = Mapping[tuple[str, str], str]
"""The full name of a clip by its machine and published name."""

_WITHOUT_SPLIT = re.compile(r"(section_\d+_(?:source|target))_(normal|anomaly)_")


def read_list(path: Path, year: Year) -> Names:
    """Return the names in an organisers' list, checked.

    Raises `InputError`, naming file and line, for a machine that the year does not evaluate, a
    clip that is listed twice, and a full name that lacks the label or contradicts the published
    name.
    """
    names: dict[tuple[str, str], str] = {}
    taken: set[tuple[str, str]] = set()
    for number, machine, cells in _rows(path, year):
        try:
            published, full = cells[0], with_split(cells[1])
            _check(machine, published, full, cells[2:])
            if (machine, published) in names or (machine, full) in taken:
                raise ValueError(f"{published} or {full} is listed before")
        except ValueError as error:
            raise InputError(f"{path}, line {number}: {error}; correct this line") from error
        names[machine, published] = full
        taken.add((machine, full))
    if not names:
        raise InputError(f"{path}: no clip in it; give the organisers' list of evaluation clips")
    return names


def with_split(name: str) -> str:
    """Return a full name with the word `test` where the list leaves it out."""
    return _WITHOUT_SPLIT.sub(r"\1_test_\2_", name)


def _rows(path: Path, year: Year) -> Iterator[tuple[int, str, list[str]]]:
    """Yield line number, machine type and cells of every clip in a list."""
    machine = ""
    try:
        with explained(path), path.open(encoding="utf-8-sig", newline="") as file:
            for number, line in enumerate(csv.reader(file), 1):
                cells = [cell.strip() for cell in line]
                while cells and not cells[-1]:
                    cells.pop()
                if len(cells) == 1:
                    machine = cells[0]
                    if machine not in year.eval:
                        raise InputError(
                            f"{path}, line {number}: {year.dataset} evaluates no machine "
                            f"'{machine}', but {', '.join(year.eval)}; give the list of this year"
                        )
                elif cells and not machine:
                    raise InputError(
                        f"{path}, line {number}: a clip before the first machine type; give the "
                        "organisers' list as it is"
                    )
                elif cells:
                    yield number, machine, cells
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: not a CSV file in UTF-8; give the list as it is") from error


def _check(machine: str, published: str, full: str, label: list[str]) -> None:
    """Raise `ValueError` where the two names, and the label, are not of the same clip."""
    before, after = _parsed(published, machine), _parsed(full, machine)
    if after.label not in LABELS[:2] or after.domain not in DOMAINS:
        raise ValueError(f"the name '{full}' does not tell domain and label")
    domains = {before.domain, after.domain} - {"unknown"}
    if before.section != after.section or len(domains) > 1:
        raise ValueError(f"'{published}' and '{full}' are not of the same section and domain")
    if label and label != [str(LABELS.index(after.label))]:
        raise ValueError(f"the label {', '.join(label)} contradicts the name '{full}'")


def _parsed(name: str, machine: str) -> Clip:
    clip = parse_name(Path("test", name), machine)
    if clip is None or "/" in name or "\\" in name:
        raise ValueError(f"'{name}' is no name of a DCASE clip")
    return clip
