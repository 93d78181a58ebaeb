"""What a recording is to dgmix: a file, and where it stands in a data set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from dgmix.files import printable
from dgmix.tables import html_table


@dataclass(frozen=True, slots=True)
class Clip:
    """One recording.

    `section` is a group of clips recorded under one set-up (a machine id, in DCASE); `domain` is
    the operating condition, "source" (plenty of it in training) or "target" (little), or "unknown"
    where the name of a DCASE evaluation clip does not tell;
    `label` is "normal", "anomaly" or "unknown"; `attributes` is the free text of a DCASE name;
    `repeat` numbers the train/test split that this row belongs to where a table holds several.
    `recording` names what was recorded together, cut into several files (empty: each file by
    itself); `condition` names the operating condition (empty: see `operating_condition`).
    """

    path: Path
    machine: str
    section: str = "00"
    domain: str = "source"
    split: str = "train"
    label: str = "normal"
    attributes: str = ""
    repeat: int = 0
    recording: str = ""
    condition: str = ""

    @property
    def operating_condition(self) -> str:
        """The condition by name, or else the attributes of a DCASE name, or else the domain."""
        return self.condition or self.attributes or self.domain


SPLITS = ("train", "test")
DOMAINS = ("source", "target")
LABELS = ("normal", "anomaly", "unknown")
GROUPS = ("machine", "section", "domain", "split", "label")


class Manifest(Sequence[Clip]):
    """An ordered, immutable set of clips, with the folder that their shown paths start from.

    `notes` are sentences on how names were understood, `left_out` on files that are not in it.
    """

    def __init__(
        self,
        clips: Sequence[Clip],
        root: Path,
        notes: Sequence[str] = (),
        left_out: Sequence[str] = (),
    ) -> None:
        self.clips = tuple(clips)
        self.root = root
        self.notes = tuple(notes)
        self.left_out = tuple(left_out)

    def __len__(self) -> int:
        return len(self.clips)

    def __iter__(self) -> Iterator[Clip]:
        return iter(self.clips)

    @overload
    def __getitem__(self, index: int) -> Clip: ...
    @overload
    def __getitem__(self, index: slice) -> Manifest: ...
    def __getitem__(self, index: int | slice) -> Clip | Manifest:
        if isinstance(index, slice):
            return Manifest(self.clips[index], self.root)
        return self.clips[index]

    def __repr__(self) -> str:
        counts = sorted(Counter(clip.machine for clip in self.clips).items())
        machines = ", ".join(f"{count} of {name}" for name, count in counts)
        return f"Manifest({self.root}: {machines or 'no clips'})"

    def _repr_html_(self) -> str:
        groups = Counter(tuple(str(getattr(c, name)) for name in GROUPS) for c in self.clips)
        rows = [[*group, count] for group, count in sorted(groups.items())]
        return html_table([*GROUPS, "clips"], rows, f"{len(self)} clips in {self.root}")

    def select(self, **wanted: str | int) -> Manifest:
        """Return the clips whose fields equal all of `wanted`, for example `machine="fan"`."""
        return Manifest(
            [c for c in self.clips if all(getattr(c, key) == v for key, v in wanted.items())],
            self.root,
        )

    def values(self, field: str) -> list[str]:
        """Return the distinct values of a field, sorted, as text."""
        return [str(value) for value in sorted({getattr(clip, field) for clip in self.clips})]

    @property
    def repeats(self) -> list[int]:
        """The numbers of the train/test splits in this manifest, sorted."""
        return sorted({clip.repeat for clip in self.clips})

    def shown_path(self, clip: Clip) -> str:
        """Return the clip's path as tables show it: from the data folder, with forward slashes.

        What of a name is not in the encoding of the system is shown as its bytes, \\xe9.
        """
        path = clip.path
        path = path.relative_to(self.root) if path.is_relative_to(self.root) else path
        return printable(path.as_posix())


def why_none(clips: Sequence[Clip]) -> str:
    """Return, for a sentence, why there is nothing to learn from in a data set, and what to do."""
    anomalies = [clip for clip in clips if clip.label == "anomaly"]
    tests = [clip for clip in clips if clip.split == "test" and clip.label != "anomaly"]
    reasons = []
    if anomalies:
        reasons.append(f"{len(anomalies)} are anomalies ({printable(anomalies[0].path.name)})")
    if tests:
        reasons.append(f"{len(tests)} are for testing ({printable(tests[0].path.name)})")
    return (
        f"by their names or folders {' and '.join(reasons)}; where that is wrong, say so in a CSV "
        "table (path,split,label)"
    )
