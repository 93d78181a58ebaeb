"""What a recording is to dgmix: a file, and where it stands in a data set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload


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


class Manifest(Sequence[Clip]):
    """An ordered, immutable set of clips, with the folder that their shown paths start from."""

    def __init__(self, clips: Sequence[Clip], root: Path) -> None:
        self.clips = tuple(clips)
        self.root = root

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
        """Return the clip's path as tables show it: from the data folder, with forward slashes."""
        path = clip.path
        return (path.relative_to(self.root) if path.is_relative_to(self.root) else path).as_posix()
