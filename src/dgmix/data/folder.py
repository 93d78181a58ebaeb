"""Any folder of recordings as a data set.

Files directly inside are normal training clips; the machine has the name of the folder. The names
of sub-folders, at any depth, tell more:

| sub-folder                                                        | means             |
|-------------------------------------------------------------------|-------------------|
| normal, healthy, good                                             | label normal      |
| anomaly, anomalies, abnormal, anomalous, broken, bad, damaged,    | label anomaly     |
| defect, defects, defective, fault, faults, faulty                 |                   |
| train, test                                                       | split             |
| source, target                                                    | domain            |
| any other name                                                    | section           |

Anomalies are for testing wherever they lie. A test clip that no folder labels is "unknown".
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from dgmix.audio.io import is_audio_name
from dgmix.data.clip import DOMAINS, SPLITS, Clip, Manifest
from dgmix.errors import InputError
from dgmix.files import explained

LABEL_FOLDERS = {
    **dict.fromkeys(("normal", "healthy", "good"), "normal"),
    **dict.fromkeys(
        (
            *("anomaly", "anomalies", "abnormal", "anomalous", "broken", "bad", "damaged"),
            *("defect", "defects", "defective", "fault", "faults", "faulty"),
        ),
        "anomaly",
    ),
}


def folder_manifest(root: Path, recordings: Sequence[Path]) -> Manifest:
    """Return `recordings`, which lie in `root`, as clips; see the top of this module."""
    machine = os.path.basename(os.path.abspath(root))  # noqa: PTH100, PTH119 - links count
    return Manifest([_clip(path, path.relative_to(root), machine) for path in recordings], root)


def find_recordings(root: Path) -> list[Path]:
    """Return the sound files in a folder and its sub-folders, sorted by path.

    They are known by the end of their name. Hidden files and folders are left out.

    Raises `InputError` when the folder is missing or unreadable, or holds no sound file.
    """
    found = sorted(_walk(root, frozenset()))
    if not found:
        raise InputError(f"{root}: no recordings in this folder; put WAV or FLAC files there")
    return found


def _walk(folder: Path, above: frozenset[Path]) -> Iterator[Path]:
    """Yield the sound files below `folder`; through links too, but never round in a circle."""
    with explained(folder):
        real = folder.resolve()
        if real in above:
            return
        entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
        folders = {entry.name for entry in entries if entry.is_dir()}
    for entry in entries:
        if entry.name in folders:
            yield from _walk(folder / entry.name, above | {real})
        elif is_audio_name(entry.name):
            yield folder / entry.name


def _clip(path: Path, shown: Path, machine: str) -> Clip:
    label = split = domain = ""
    sections = []
    for name in shown.parts[:-1]:
        word = name.lower()
        if word in LABEL_FOLDERS:
            label = LABEL_FOLDERS[word]
        elif word in SPLITS:
            split = word
        elif word in DOMAINS:
            domain = word
        else:
            sections.append(name)
    return Clip(
        path,
        machine,
        section="_".join(sections) or "00",
        domain=domain or "source",
        split="test" if label == "anomaly" else split or "train",
        label=label or ("unknown" if split == "test" else "normal"),
    )
