"""What a detector remembers of the healthy clips, and how others compare with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.config import DetectSettings, Recipe
from dgmix.detect.embed import Windows, embed, embed_clips, hop_frames, windows_of
from dgmix.detect.scorers import Scorer, build_scorer
from dgmix.model.network import Network
from dgmix.progress import Advance, silent

ALL = ""


@dataclass(frozen=True)
class Memory:
    """The healthy clips as a scorer sees them.

    `references` float32 (reference, dim): an embedding of each clip, or of each window;
    `clips` int64 (reference,): which clip a reference is of;
    `sections`, `domains`: of each clip, as text.
    """

    references: NDArray[np.float32]
    clips: NDArray[np.int64]
    sections: tuple[str, ...]
    domains: tuple[str, ...]

    def with_more(self, other: Memory) -> Memory:
        """Return a memory of these clips and, after them, those of `other`."""
        return Memory(
            np.concatenate([self.references, other.references]),
            np.concatenate([self.clips, other.clips + len(self.sections)]),
            self.sections + other.sections,
            self.domains + other.domains,
        )


class Comparison:
    """Scores clips against a memory: against their own section where the memory knows it.

    A clip of another section, and any clip when `per_section` is off, is compared with all.
    """

    def __init__(self, settings: DetectSettings, memory: Memory) -> None:
        self.settings, self.memory = settings, memory
        self._keys = np.array([memory.sections[clip] for clip in memory.clips])
        self._domains = np.array(memory.domains, str)[memory.clips] if memory.domains else None
        self._sections = set(memory.sections)
        self._fitted: dict[str, Scorer] = {}

    def score(
        self, queries: NDArray[np.floating], clips: NDArray[np.int64], sections: Sequence[str]
    ) -> NDArray[np.float64]:
        """Return the scores (clip,) of clips represented by `queries` (query, dim).

        `clips` int64 (query,) says which clip a query is of, `sections` (clip,) where it belongs.
        """
        keys = np.array([self.key(section) for section in sections])[clips]
        scores = np.empty(len(queries))
        for key in np.unique(keys):
            scores[keys == key] = self._scorer(str(key)).score(queries[keys == key])
        return self._pool(scores, clips, len(sections))

    def calibrate(
        self, recordings: NDArray[np.int64] | None = None, together: bool = False
    ) -> NDArray[np.float64]:
        """Return each healthy clip's score (clip,) against the others, itself left out.

        The others are those of its section, or of all sections `together`. `recordings` (clip,)
        says which clips are the same recording, to be left out with it: each is its own otherwise.
        """
        scores = np.empty(len(self._keys))
        groups = self.memory.clips if recordings is None else recordings[self.memory.clips]
        keys = np.array([ALL if together else self.key(section) for section in self._keys])
        for key in np.unique(keys):
            chosen = keys == key
            scores[chosen] = self._scorer(str(key)).score_references(groups[chosen])
        return self._pool(scores, self.memory.clips, len(self.memory.sections))

    def key(self, section: str) -> str:
        """Return the section that clips of `section` are compared within, "" for all clips."""
        known = self.settings.per_section and section in self._sections
        return section if known else ALL

    def compared_with(self, section: str) -> NDArray[np.bool_]:
        """Return which healthy clips (clip,) those of `section` are compared with."""
        key = self.key(section)
        return np.array([key in (ALL, each) for each in self.memory.sections])

    def _scorer(self, key: str) -> Scorer:
        if key not in self._fitted:
            chosen = slice(None) if key == ALL else self._keys == key
            domains = None if self._domains is None else self._domains[chosen]
            scorer = build_scorer(self.settings, domains, self.memory.clips[chosen])
            self._fitted[key] = scorer.fit(self.memory.references[chosen])
        return self._fitted[key]

    def _pool(
        self, scores: NDArray[np.float64], clips: NDArray[np.int64], count: int
    ) -> NDArray[np.float64]:
        windows = Windows(clips, np.zeros_like(clips), count)
        farthest = self.settings.pool == "max-distance"
        return windows.max(scores) if farthest else windows.mean(scores)


def represent(
    recipe: Recipe, network: Network, bank: MelBank, advance: Advance = silent
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the vectors of a bank that are compared, (vector, dim), and the clip of each.

    Calls `advance` with the number of clips that were embedded since.
    """
    if recipe.detect.pool == "mean-embedding":
        return embed_clips(recipe, network, bank, advance), np.arange(len(bank))
    windows = windows_of(bank, network.crop_frames, hop_frames(recipe))
    return embed(network, bank, windows, advance), windows.clips


def score_view(
    settings: DetectSettings,
    training: NDArray[np.floating],
    training_sections: Sequence[str],
    test: NDArray[np.floating],
    test_sections: Sequence[str],
    training_domains: Sequence[str] = (),
) -> NDArray[np.float64]:
    """Return the scores (clip,) of test clips (clip, dim) that one vector each describes.

    Where the domains of the training clips are not given, they are of one.
    """
    clips = np.arange(len(training))
    memory = Memory(np.asarray(training), clips, tuple(training_sections), tuple(training_domains))
    return Comparison(settings, memory).score(test, np.arange(len(test)), test_sections)
