"""Any folder of recordings as a data set.

Files directly inside are normal training clips; the machine has the name of the folder. The names
of sub-folders, at any depth, tell more:

| sub-folder                                | means                                     |
|-------------------------------------------|-------------------------------------------|
| a name with a word such as good, ok, iO   | label normal                              |
| a name with one such as broken, NG, niO   | label anomaly                             |
| train, test                               | split                                     |
| source, target                            | domain                                    |
| a day, week, month or year                | nothing                                   |
| any other name, and the rest of the first | section                                   |

The words are those of `dgmix.data.labels`; file names may hold them too, and so may the name of the
folder itself and of the two above it. Anomalies are for testing wherever they lie. A test clip that
no name labels is "unknown".
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from dgmix.data.clip import DOMAINS, SPLITS, Clip, Manifest
from dgmix.data.dates import dated
from dgmix.data.label_words import ANOMALY, NORMAL
from dgmix.data.labels import Label, label_in, label_of, says_only
from dgmix.errors import first_few
from dgmix.files import printable

ABOVE = 2  # folders above the one that is given


def folder_manifest(root: Path, recordings: Sequence[Path]) -> Manifest:
    """Return `recordings`, which lie in `root`, as clips; see the top of this module."""
    real = Path(os.path.abspath(root))  # noqa: PTH100 - links count
    around = label_around(real)
    shown = [path.relative_to(root) for path in recordings]
    labels = [label_of(path.parts[:-1], path.stem) or around for path in shown]
    clips = [
        _clip(path, parts.parts[:-1], label, printable(real.name))
        for path, parts, label in zip(recordings, shown, labels, strict=True)
    ]
    notes = [*_left_out(clips, shown, labels), *_unlabelled(clips, shown, labels), *_days(shown)]
    return Manifest(clips, root, notes)


def label_around(folder: Path) -> Label | None:
    """Return what the name of a folder says of its recordings, or those of the two above it.

    Those above count only where they say nothing else: anomaly_data/pump holds no anomalies.
    """
    if label := label_in(folder.name):
        return label
    for name in [parent.name for parent in list(folder.parents)[:ABOVE]]:
        if says_only(name, ANOMALY) or says_only(name, NORMAL):
            return label_in(name)
    return None


def _clip(path: Path, folders: Sequence[str], label: Label | None, machine: str) -> Clip:
    words = [name.lower() for name in folders]
    split = next((word for word in reversed(words) if word in SPLITS), "")
    domain = next((word for word in reversed(words) if word in DOMAINS), "")
    known_label = label.label if label else ""
    return Clip(
        path,
        machine,
        section=printable("_".join(section_names(folders))) or "00",
        domain=domain or "source",
        split="test" if known_label == ANOMALY else split or "train",
        label=known_label or ("unknown" if split == "test" else NORMAL),
    )


def section_names(folders: Sequence[str]) -> list[str]:
    """Return what the names of folders, from the outermost, say of a section.

    Not those of splits, domains and dates, and of those with a label the rest.
    """
    names = []
    for name, is_date in zip(folders, dated(folders), strict=True):
        if not (is_date or name.lower() in (*SPLITS, *DOMAINS)):
            label = label_in(name)
            names.append(label.rest if label else name)
    return [name for name in names if name]


def _left_out(
    clips: Sequence[Clip], shown: Sequence[Path], labels: Sequence[Label | None]
) -> list[str]:
    """Return the sentence that lists the anomalies which would else be learned from."""
    named = [
        f"{printable(path.as_posix())} ('{printable(label.word)}')"
        for clip, path, label in zip(clips, shown, labels, strict=True)
        if label and clip.label == ANOMALY and "test" not in map(str.lower, path.parts)
    ]
    if not named:
        return []
    count = "1 anomaly" if len(named) == 1 else f"{len(named)} anomalies"
    return [
        f"not learned from: {count} by the name, {first_few(named)}; where one is healthy, say so "
        "in a CSV table (path,label)"
    ]


def _unlabelled(
    clips: Sequence[Clip], shown: Sequence[Path], labels: Sequence[Label | None]
) -> list[str]:
    """Return the sentence on recordings whose names do not say healthy, beside others' that do."""
    training = [
        (printable(path.as_posix()), label is not None)
        for clip, path, label in zip(clips, shown, labels, strict=True)
        if (clip.split, clip.label) == ("train", NORMAL)
    ]
    plain = [path for path, labelled in training if not labelled]
    if not plain or len(plain) == len(training):
        return []
    labelled = len(training) - len(plain)
    return [
        f"learned from too: {len(plain)} whose names do not say healthy, as those of {labelled} "
        f"others do, {first_few(plain)}; where one is not, leave it out (`dgmix fit` with "
        "--leave-out NAME), or say so in a CSV table (path,label)"
    ]


def _days(shown: Sequence[Path]) -> list[str]:
    """Return the sentence on folders that are named by the day, which are no sections."""
    days = sorted(
        {
            printable(name)
            for path in shown
            for name, is_date in zip(path.parts[:-1], dated(path.parts[:-1]), strict=True)
            if is_date
        }
    )
    if not days:
        return []
    return [
        f"folders named by date are not sections: {first_few(days)}; where they are different "
        "machines, say so in a CSV table (path,section)"
    ]
