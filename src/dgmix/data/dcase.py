"""Data sets in the form of DCASE Task 2, 2020 to 2025.

The layout is `<machine>/<split>/<name>`, in the folder given, below `dev_data` and the like, or
with the machine's folder itself given. What the names tell:

| name                                    | year                | tells                       |
|-----------------------------------------|---------------------|-----------------------------|
| normal_id_00_00000000.wav               | 2020                | label, section "id_00"      |
| id_01_00000000.wav                      | 2020, evaluation    | section "id_01"             |
| section_00_source_train_normal_0000.wav | 2021 on             | all but attributes          |
| section_03_target_test_0000.wav         | 2021, evaluation    | section "03", domain, split |
| section_03_0000.wav                     | 2022 on, evaluation | section "03"                |

After the number, attributes may follow, as in `_0000_strength_1_ambient.wav`. What a name does not
tell is "unknown" for label and domain (2020 knows no domains: all is source), and for the split
"train" in a folder of that name and "test" elsewhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from dgmix.data.clip import Clip, Manifest
from dgmix.errors import InputError

NAME = re.compile(
    r"section_(?P<section>\d+)"
    r"(?:_(?P<domain>source|target))?"
    r"(?:_(?P<split>train|test))?"
    r"(?:_(?P<label>normal|anomaly))?"
    r"_\d+(?:_(?P<attributes>.*))?"
)
NAME_2020 = re.compile(r"(?:(?P<label>normal|anomaly)_)?(?P<section>id_\d+)_\d+")
SPLIT_FOLDERS = ("train", "test", "source_test", "target_test")


def dcase_manifest(root: Path, recordings: Sequence[Path]) -> Manifest | None:
    """Return `recordings`, which lie in `root`, as clips; None when none has a DCASE name.

    Folders called `supplemental` (2025: machines and noise alone) are left out. Raises
    `InputError` when some names are DCASE's and others are not.
    """
    paths = [p for p in recordings if "supplemental" not in p.relative_to(root).parts]
    machines = {folder: machine_of(folder) for folder in {path.parent for path in paths}}
    clips = [parse_name(path, machines[path.parent]) for path in paths]
    known = [clip for clip in clips if clip is not None]
    if known and len(known) < len(clips):
        stranger = paths[clips.index(None)]
        raise InputError(
            f"{stranger}: not named like the DCASE recordings beside it; "
            "move it elsewhere, or list the recordings in a CSV table"
        )
    return Manifest(known, root) if known else None


def parse_name(path: Path, machine: str) -> Clip | None:
    """Return the clip that a DCASE file name describes, or None when it is no such name."""
    folder = path.parent.name
    if match := NAME_2020.fullmatch(path.stem):
        return Clip(
            path,
            machine,
            section=match["section"],
            split="train" if folder == "train" else "test",
            label=match["label"] or ("normal" if folder == "train" else "unknown"),
        )
    if match := NAME.fullmatch(path.stem):
        return Clip(
            path,
            machine,
            section=match["section"],
            domain=match["domain"] or "unknown",
            split=match["split"] or ("train" if folder == "train" else "test"),
            label=match["label"] or "unknown",
            attributes=match["attributes"] or "",
        )
    return None


def machine_of(folder: Path) -> str:
    """Return the name of a folder of clips, or of the one above it when it is a split."""
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - the name of a link counts
    while folder.name in SPLIT_FOLDERS:
        folder = folder.parent
    return folder.name
