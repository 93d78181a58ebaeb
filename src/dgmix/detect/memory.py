"""What a detector remembers of the healthy clips, and how others compare with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dgmix.config import DetectSettings
from dgmix.detect.embed import Windows
from dgmix.detect.scorers import Scorer, build_scorer
from dgmix.detect.views import LEARNED, Vectors

ALL = ""


@dataclass(frozen=True)
class Memory:
    """The healthy clips as scorers see them: by view, and what section and domain each is of."""

    views: Mapping[str, Vectors]
    sections: tuple[str, ...]
    domains: tuple[str, ...]

    def with_more(self, other: Memory) -> Memory:
        """Return a memory of these clips and, after them, those of `other`."""
        count = len(self.sections)
        views = {
            name: Vectors(
                np.concatenate([mine.values, other.views[name].values]),
                np.concatenate([mine.clips, other.views[name].clips + count]),
            )
            for name, mine in self.views.items()
        }
        return Memory(views, self.sections + other.sections, self.domains + other.domains)


class Comparison:
    """Scores clips against a memory, in every view: against their own section where it is known.

    A clip of another section, and any clip when `per_section` is off, is compared with all.
    """

    def __init__(self, settings: DetectSettings, memory: Memory) -> None:
        self.settings, self.memory = settings, memory
        self._sections = np.array(memory.sections)
        self._fitted: dict[tuple[str, str], Scorer] = {}

    def score(self, queries: Mapping[str, Vectors], sections: Sequence[str]) -> NDArray[np.float64]:
        """Return the scores (view, clip) of clips as `represent` describes them.

        `sections` (clip,) says where each clip belongs.
        """
        keys = np.array([self.key(section) for section in sections])
        return np.array([self._score(name, queries[name], keys) for name in self.memory.views])

    def calibrate(
        self, recordings: NDArray[np.int64] | None = None, together: bool = False
    ) -> NDArray[np.float64]:
        """Return each healthy clip's scores (view, clip) against the others, itself left out.

        The others are those of its section, or of all sections `together`. `recordings` (clip,)
        says which clips are the same recording, to be left out with it: each is its own otherwise.
        """
        keys = np.array([ALL if together else self.key(section) for section in self._sections])
        count = len(self._sections)
        recordings = np.arange(count) if recordings is None else recordings
        return np.array([self._left_out(name, keys, recordings) for name in self.memory.views])

    def key(self, section: str) -> str:
        """Return the section that clips of `section` are compared within, "" for all clips."""
        known = self.settings.per_section and section in self.memory.sections
        return section if known else ALL

    def compared_with(self, section: str) -> NDArray[np.bool_]:
        """Return which healthy clips (clip,) those of `section` are compared with."""
        key = self.key(section)
        return np.asarray((self._sections == key) | (key == ALL))

    def _score(self, view: str, queries: Vectors, keys: NDArray[np.str_]) -> NDArray[np.float64]:
        of = keys[queries.clips]
        scores = np.empty(len(of))
        for key in np.unique(of):
            mine = of == key
            scores[mine] = self._scorer(view, str(key)).score(queries.values[mine])
        return self._pool(scores, queries.clips, len(keys))

    def _left_out(
        self, view: str, keys: NDArray[np.str_], recordings: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        clips = self.memory.views[view].clips
        scores = np.empty(len(clips))
        for key in np.unique(keys):
            mine = keys[clips] == key
            groups = recordings[clips[mine]]
            scores[mine] = self._scorer(view, str(key)).score_references(groups)
        return self._pool(scores, clips, len(keys))

    def _scorer(self, view: str, key: str) -> Scorer:
        if (view, key) not in self._fitted:
            vectors = self.memory.views[view]
            mine = self.compared_with(key)[vectors.clips]
            clips = vectors.clips[mine]
            domains = np.array(self.memory.domains, str)[clips] if self.memory.domains else None
            scorer = build_scorer(self.settings, domains, clips)
            self._fitted[view, key] = scorer.fit(vectors.values[mine])
        return self._fitted[view, key]

    def _pool(
        self, scores: NDArray[np.float64], clips: NDArray[np.int64], count: int
    ) -> NDArray[np.float64]:
        windows = Windows(clips, np.zeros_like(clips), count)
        farthest = self.settings.pool == "max-distance"
        return windows.max(scores) if farthest else windows.mean(scores)


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
    known = Vectors(np.asarray(training), np.arange(len(training)))
    asked = Vectors(np.asarray(test), np.arange(len(test)))
    memory = Memory({LEARNED: known}, tuple(training_sections), tuple(training_domains))
    return np.asarray(Comparison(settings, memory).score({LEARNED: asked}, test_sections)[0])


def by_section(sections: Sequence[str]) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    """Yield each section and which clips (clip,) are of it."""
    names = np.array(sections, str)
    for section in sorted(set(sections)):
        yield section, names == section
