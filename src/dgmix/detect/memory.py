"""What a detector remembers of the healthy clips."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.config import Recipe
from dgmix.detect.views import Vectors

Texts = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class HealthyClips:
    """The healthy clips by what they are: one value of each column for each clip.

    `sections`, `domains`: as a data set has them; `recordings`: clips of one name were recorded
    together and count once; `conditions`: the operating condition; `digests` int64: tells clips
    apart by their features; `seconds` float64: their durations, in whole frames; `measures` float64
    (clip, measure): their quality, not a number where it is unknown.
    """

    sections: Texts
    domains: Texts
    recordings: Texts
    conditions: Texts
    digests: NDArray[np.int64]
    seconds: NDArray[np.float64]
    measures: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.sections)

    def select(self, chosen: NDArray[np.int64]) -> HealthyClips:
        """Return the clips of these numbers (clip,)."""
        columns: dict[str, object] = {}
        for field in fields(self):
            values = getattr(self, field.name)
            picked = (values[i] for i in chosen.tolist())
            columns[field.name] = tuple(picked) if isinstance(values, tuple) else values[chosen]
        return HealthyClips(**columns)  # type: ignore[arg-type]

    def with_more(self, other: HealthyClips) -> HealthyClips:
        """Return these clips and, after them, those of `other`."""
        columns: dict[str, object] = {}
        for field in fields(self):
            own, others = getattr(self, field.name), getattr(other, field.name)
            joined = own + others if isinstance(own, tuple) else np.concatenate([own, others])
            columns[field.name] = joined
        return HealthyClips(**columns)  # type: ignore[arg-type]

    def include(self, bank: MelBank) -> NDArray[np.bool_]:
        """Return which clips (clip,) of a bank are among these, by their features."""
        return np.isin(digests(bank), self.digests)


@dataclass(frozen=True, eq=False)
class Memory:
    """The healthy clips, and their vectors by view."""

    views: Mapping[str, Vectors]
    clips: HealthyClips

    def select(self, chosen: NDArray[np.int64]) -> Memory:
        """Return a memory of the clips of these ascending numbers (clip,)."""
        views = {name: view.select(chosen) for name, view in self.views.items()}
        return Memory(views, self.clips.select(chosen))

    def with_more(self, other: Memory) -> Memory:
        """Return a memory of these clips and, after them, those of `other`."""
        views = {
            name: Vectors(
                np.concatenate([mine.values, other.views[name].values]),
                np.concatenate([mine.clips, other.views[name].clips + len(self.clips)]),
            )
            for name, mine in self.views.items()
        }
        return Memory(views, self.clips.with_more(other.clips))

    @cached_property
    def sections(self) -> list[str]:
        """The sections of the clips, sorted."""
        return sorted(set(self.clips.sections))


@dataclass(frozen=True)
class Update:
    """Healthy recordings that joined after training.

    `time`: when, UTC in ISO 8601; `added`: how many clips; `left_out`: how many were not taken
    because they look like faults; `conditions`: theirs.
    """

    time: str
    added: int
    left_out: int
    conditions: tuple[str, ...]


def digests(bank: MelBank) -> NDArray[np.int64]:
    """Return a number (clip,) that tells each clip of a bank from others by its features."""
    hashes = [hashlib.blake2b(digest_size=8) for _ in range(len(bank))]
    for index, each in enumerate(hashes):
        for block in bank.blocks(index):
            each.update(np.ascontiguousarray(block).data)
    return np.frombuffer(b"".join(each.digest() for each in hashes), "<i8").astype(np.int64)


def durations(bank: MelBank, recipe: Recipe) -> NDArray[np.float64]:
    """Return the duration (clip,) of each clip of a bank in seconds, in whole frames."""
    hop = recipe.features.hop_length / recipe.audio.rate
    return np.asarray(bank.frames * hop, np.float64)
