"""A detector: a trained network, what it remembers of the healthy clips, and how it compares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.config import DetectSettings, Recipe
from dgmix.detect.embed import Windows, embed, hop_frames, windows_of
from dgmix.detect.scorers import Scorer, build_scorer
from dgmix.errors import InputError
from dgmix.model.network import Network


@dataclass(frozen=True)
class Memory:
    """What a detector remembers of its training clips.

    `references` float32 (reference, dim): an embedding of each clip, or of each window;
    `clips` int64 (reference,): which clip a reference is of;
    `sections`, `domains`: of each clip, as text.
    """

    references: NDArray[np.float32]
    clips: NDArray[np.int64]
    sections: tuple[str, ...]
    domains: tuple[str, ...]


class Detector:
    """Scores clips by their distance to the healthy ones of their section (DESIGN §1.5)."""

    def __init__(self, recipe: Recipe, network: Network, memory: Memory) -> None:
        self.recipe, self.network, self.memory = recipe, network, memory
        self._scorers = SectionScorers(recipe.detect, memory)
        self.calibration = self._calibrate()

    @classmethod
    def remember(
        cls,
        recipe: Recipe,
        network: Network,
        bank: MelBank,
        sections: Sequence[str],
        domains: Sequence[str],
    ) -> Detector:
        """Return a detector that compares with the healthy clips of `bank`."""
        references, clips = _represent(recipe, network, bank)
        return cls(recipe, network, Memory(references, clips, tuple(sections), tuple(domains)))

    def score_bank(self, bank: MelBank, sections: Sequence[str]) -> NDArray[np.float64]:
        """Return the anomaly scores (clip,) of the clips of `bank`; higher is more anomalous.

        Raises `InputError` for a section that the detector has no training clips of.
        """
        queries, clips = _represent(self.recipe, self.network, bank)
        scores = self._scorers.score(queries, [sections[clip] for clip in clips])
        return _pooled(self.recipe.detect, scores, clips, len(bank))

    def _calibrate(self) -> NDArray[np.float64]:
        """Return each training clip's score (clip,) against the other clips of its section."""
        scores = self._scorers.score_references()
        return _pooled(self.recipe.detect, scores, self.memory.clips, len(self.memory.sections))


class SectionScorers:
    """One scorer for each section, or one for all, by the settings."""

    def __init__(self, settings: DetectSettings, memory: Memory) -> None:
        self.memory = memory
        self.per_section = settings.per_section
        self._keys = np.array([self._key(memory.sections[clip]) for clip in memory.clips])
        self._scorers: dict[str, Scorer] = {
            str(key): build_scorer(settings).fit(memory.references[self._keys == key])
            for key in np.unique(self._keys)
        }

    def _key(self, section: str) -> str:
        return section if self.per_section else ""

    def score(self, queries: NDArray[np.floating], sections: Sequence[str]) -> NDArray[np.float64]:
        """Return the scores (query,) of queries (query, dim) of the given sections."""
        keys = np.array([self._key(section) for section in sections])
        scores = np.empty(len(queries))
        for key in np.unique(keys):
            if str(key) not in self._scorers:
                known = ", ".join(sorted(self._scorers))
                raise InputError(f"section {key}: no training clips of it; there are {known}")
            scores[keys == key] = self._scorers[str(key)].score(queries[keys == key])
        return scores

    def score_references(self) -> NDArray[np.float64]:
        """Return each reference's score (reference,) against other clips of its section."""
        scores = np.empty(len(self._keys))
        for key, scorer in self._scorers.items():
            chosen = self._keys == key
            scores[chosen] = scorer.score_references(self.memory.clips[chosen])
        return scores


def score_view(
    settings: DetectSettings,
    training: NDArray[np.floating],
    training_sections: Sequence[str],
    test: NDArray[np.floating],
    test_sections: Sequence[str],
) -> NDArray[np.float64]:
    """Return the scores (clip,) of test clips (clip, dim) described by one vector each."""
    memory = Memory(np.asarray(training), np.arange(len(training)), tuple(training_sections), ())
    return SectionScorers(settings, memory).score(test, test_sections)


def _represent(
    recipe: Recipe, network: Network, bank: MelBank
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the vectors (reference, dim) that are compared, and the clip of each."""
    windows = windows_of(bank, network.crop_frames, hop_frames(recipe))
    embeddings = embed(network, bank, windows)
    if recipe.detect.pool == "mean-embedding":
        return windows.mean(embeddings).astype(np.float32), np.arange(len(bank))
    return embeddings, windows.clips


def _pooled(
    settings: DetectSettings, scores: NDArray[np.float64], clips: NDArray[np.int64], count: int
) -> NDArray[np.float64]:
    windows = Windows(clips, clips, count)
    return windows.max(scores) if settings.pool == "max-distance" else windows.mean(scores)
