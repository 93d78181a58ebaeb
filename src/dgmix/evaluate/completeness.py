"""Clips that a table of scores seems to lack, by the numbers in the names of the others."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import PurePath

import polars as pl

from dgmix.errors import first_few

NUMBER = re.compile(r"(?P<group>.*?_)(?P<number>\d{4,8})(?P<rest>_.*)?")
LEAST = 4  # clips of a kind, before their numbers are taken for a count


def missing_clips(scores: pl.DataFrame) -> list[str]:
    """Return a sentence on clips without a score, or none.

    DCASE numbers the clips of a section, domain and label from 0. Where half of the numbers or more
    are not there, the clips were chosen on purpose.
    """
    groups: dict[tuple[str, str, str], set[int]] = defaultdict(set)
    names: dict[tuple[str, str, str], tuple[str, int]] = {}
    test = scores.filter(pl.col("split") == "test")
    for machine, section, path in test.select("machine", "section", "path").unique().iter_rows():
        match = NUMBER.fullmatch(PurePath(path.replace("\\", "/")).stem)
        if match:
            key = machine, section, match["group"]
            groups[key].add(int(match["number"]))
            names[key] = match["group"], len(match["number"])
    missing = []
    for key, numbers in sorted(groups.items()):
        lacking = sorted(set(range(max(numbers))) - numbers)
        if LEAST <= len(numbers) > len(lacking):
            group, digits = names[key]
            missing += [f"{key[0]} {group}{number:0{digits}d}" for number in lacking]
    if not missing:
        return []
    clips = "1 clip seems" if len(missing) == 1 else f"{len(missing)} clips seem"
    return [f"{clips} to have no score, by the numbers of the others: {first_few(missing)}"]
