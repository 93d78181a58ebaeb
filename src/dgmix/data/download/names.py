"""The full names of clips that are published without labels, or without their attributes.

`dcase<year>_names.csv.gz` names the evaluation test clips, `dcase<year>_attributes.csv.gz` has the
attributes that were withheld in 2024 and 2025 and published after the challenge. The script
`tests/data/download/bundle_names.py` makes all of them from the organisers' lists.

For 2022 labels and domains are those of the evaluator's tables `ground_truth_data` and
`ground_truth_domain` (https://github.com/Kota-Dohi/dcase2022_evaluator, MIT, licence beside it), by
which the challenge was scored. Attributes are in the name only where the attribute tables agree
with them. For ToyCar and ToyTrain they do not: the attribute tables list the clips in another order
(labels and domains coincide for half of the clips, as by chance), and naming clips by them gives
each a label that is as likely wrong as right. Those clips are named without attributes.
"""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType

from dgmix.data.download.lists import Names, read_list
from dgmix.data.year_names import HIDDEN, WITHHELD
from dgmix.data.years import YEARS, Year
from dgmix.errors import InputError


@dataclass(frozen=True)
class ClipNames:
    """How the clips of a data set are to be called."""

    names: Names

    def full(self, path: str) -> str:
        """Return a clip's path with its full name; other paths come back as they are.

        A path has forward slashes and begins with the machine type: `fan/test/section_03_0000.wav`.
        """
        folder, slash, name = path.rpartition("/")
        return folder + slash + self.names.get((path.partition("/")[0], name), name)


def clip_names(year: Year, hidden: bool = False, listed: Path | None = None) -> ClipNames:
    """Return the names of a year's clips.

    With `hidden` they tell the attributes that the challenge withheld, after the word "hidden", so
    that every table of them can say so; `listed` is an organisers'
    list to take the evaluation clips from instead of the one that dgmix has.

    Raises `InputError` for a list that is damaged or of another year, and for `hidden` in a year
    that withheld nothing, or did not publish it.
    """
    if hidden and not year.hidden:
        which = ", ".join(each.dataset for each in YEARS.values() if each.hidden)
        raise InputError(
            f"{year.dataset}: no hidden attributes are published; there are some of {which}"
        )
    names = read_list(listed, year) if listed else _by_clip(full_names(year.number))
    if hidden:
        withheld = _by_clip(hidden_names(year.number))
        named = {
            (machine, clip): withheld.get((machine, name), _marked(machine, name, year))
            for (machine, clip), name in names.items()
        }
        names = {**named, **withheld}
    return ClipNames(names)


@cache
def full_names(year: int) -> Mapping[str, str]:
    """Return the full path of each evaluation clip of a year by its published path, both unique.

    For example, in 2022, `fan/test/section_03_0000.wav` is
    `fan/test/section_03_source_test_normal_0000_m-n_X.wav`. Empty where no list is published.
    """
    return _packed(f"dcase{year}_names.csv.gz") if YEARS[year].labelled else MappingProxyType({})


@cache
def hidden_names(year: int) -> Mapping[str, str]:
    """Return the path with attributes of each clip that is published with `noAttribute`.

    For example, in 2024, `slider/train/section_00_source_train_normal_0001_noAttribute.wav` is
    `slider/train/section_00_source_train_normal_0001_hidden_ac_0.03.wav`.
    """
    packed = _packed(f"dcase{year}_attributes.csv.gz")
    return MappingProxyType(
        {path: path.replace(WITHHELD, HIDDEN + each) for path, each in packed.items()}
    )


def _marked(machine: str, name: str, year: Year) -> str:
    """Return a full name that is listed with attributes, with the mark if they were withheld."""
    if machine not in year.hidden:
        return name
    return re.sub(r"(_test_(?:normal|anomaly)_\d+_)", rf"\1{HIDDEN}", name, count=1)


def _packed(name: str) -> Mapping[str, str]:
    packed = resources.files("dgmix.data.download").joinpath(name).read_bytes()
    rows = csv.reader(gzip.decompress(packed).decode().splitlines())
    next(rows)
    return MappingProxyType(dict(rows))


def _by_clip(paths: Mapping[str, str]) -> Names:
    """Return names by machine and published name, of paths by published path."""
    return {
        (published.partition("/")[0], published.rpartition("/")[2]): path.rpartition("/")[2]
        for published, path in paths.items()
    }
