"""Data sets in the form of DCASE Task 2, 2020 to 2026.

The layout is `<machine>/<split>/<name>`, in the folder given, below `dev_data` and the like, or
with the machine's folder itself given. What the names tell:

| name                                    | year                | tells                       |
|-----------------------------------------|---------------------|-----------------------------|
| normal_id_00_00000000.wav               | 2020                | label, section "id_00"      |
| id_01_00000000.wav                      | 2020, evaluation    | section "id_01"             |
| section_00_source_train_normal_0000.wav | 2021 on             | all but attributes          |
| section_03_target_test_0000.wav         | 2021, evaluation    | section "03", domain, split |
| section_03_0000.wav                     | 2022 on, evaluation | section "03"                |
| supplemental/section_00_noise_0001.wav  | 2025 on             | `SupplementalClip`          |

After the number, attributes may follow, as in `_0000_strength_1_ambient.wav`. What a name does not
tell is "unknown" for label and domain (2020 knows no domains: all is source), and for the split
"train" in a folder of that name and "test" elsewhere.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from dgmix.data.clip import Clip, Manifest
from dgmix.data.walk import walk
from dgmix.data.year_names import NAME, NAME_2020, SPLIT_DOMAINS, evidence, mixture_of_years
from dgmix.errors import InputError

SPLIT_FOLDERS = ("train", "test", *SPLIT_DOMAINS)
SUPPLEMENTAL = "supplemental"
KINDS = {"machine": "machine", "clean": "machine", "noise": "noise"}


@dataclass(frozen=True, slots=True)
class SupplementalClip:
    """A recording of 2025 or later of a machine or of its surroundings alone.

    `kind` is "machine" (without noise), "noise" (without the machine), or "unknown" where the name
    does not tell.
    """

    path: Path
    machine: str
    kind: str


def dcase_manifest(root: Path, recordings: Sequence[Path]) -> Manifest | None:
    """Return `recordings`, which lie in `root`, as clips; None when none has a DCASE name.

    Folders called `supplemental` are left out (see `supplemental_clips`). Raises `InputError` when
    some names are DCASE's and others are not, when some are of 2020 and others of later years, and
    when a machine has two recordings of one name, in folders of two data sets.
    """
    paths = [p for p in recordings if SUPPLEMENTAL not in p.relative_to(root).parts]
    machines = {folder: machine_of(folder) for folder in {path.parent for path in paths}}
    clips = [parse_name(path, machines[path.parent]) for path in paths]
    known = [clip for clip in clips if clip is not None]
    if known and len(known) < len(clips):
        unknown = paths[clips.index(None)]
        raise InputError(
            f"{unknown}: not named like the DCASE recordings beside it; "
            "move it elsewhere, or list the recordings in a CSV table"
        )
    _refuse_mixture(known)
    _refuse_two_sets(known)
    return Manifest(known, root, _years_apart(known)) if known else None


def supplemental_clips(root: Path) -> list[SupplementalClip]:
    """Return the recordings in folders called `supplemental` below `root`, sorted by path.

    They are no clips of a data set: they hold a machine without noise, or noise without a machine.
    Raises `InputError` when the folder is missing or cannot be read.
    """
    paths = [p for p in walk(root).recordings if p.parent.name == SUPPLEMENTAL]
    return [SupplementalClip(path, machine_of(path.parent.parent), _kind(path)) for path in paths]


def _kind(path: Path) -> str:
    words = path.stem.lower().split("_")
    return next((KINDS[word] for word in words if word in KINDS), "unknown")


def _refuse_mixture(clips: Sequence[Clip]) -> None:
    """Raise `InputError` where some clips are named as in 2020 and others as in later years."""
    first = {clip.section.startswith("id_"): clip for clip in clips}
    if len(first) > 1:
        raise InputError(
            f"{first[True].path}: named as in DCASE 2020, while {first[False].path} is named as in "
            "a later year; give each year a folder of its own"
        )


def _refuse_two_sets(clips: Sequence[Clip]) -> None:
    """Raise `InputError` where folders of one machine have recordings of one name.

    Development and evaluation set of a year have none in common; sets of two years have.
    """
    first: dict[tuple[str, str, str], Clip] = {}
    for clip in clips:
        name = clip.path.stem.removesuffix(f"_{clip.attributes}")
        other = first.setdefault((clip.machine, clip.split, name), clip)
        if machine_folder(other.path.parent) != machine_folder(clip.path.parent):
            raise InputError(
                f"{other.path} and {clip.path}: two recordings of '{clip.machine}' with one name, "
                "as sets of two years have them; give each set a folder of its own (`dgmix run` "
                "takes several: -d ONE -d OTHER)"
            )


def _years_apart(clips: Sequence[Clip]) -> list[str]:
    """Return the sentence on machines of different years, if there are any."""
    mixture = mixture_of_years(evidence((c.machine, c.section, c.path) for c in clips))
    advice = "to have each judged by its own rule, give each year a folder of its own"
    return [f"{mixture}; {advice}"] if mixture else []


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
    return machine_folder(folder).name


def machine_folder(folder: Path) -> Path:
    """Return a folder of clips, or the one above it when it is a split."""
    folder = Path(os.path.abspath(folder))  # noqa: PTH100 - the name of a link counts
    while folder.name in SPLIT_FOLDERS:
        folder = folder.parent
    return folder
