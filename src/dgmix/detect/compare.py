"""How far clips are from the healthy ones, in every view, and the healthy ones from each other.

With the scorer `knn` the distance of two clips does not depend on what else was recorded, so that
each healthy clip can be measured as if the clip in question were one of them: exact conformal
p-values need no more. Scorers that estimate something from the healthy clips learn it from some of
the recordings, and the others calibrate (docs/decisions/0019-exact-verdicts.md).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dgmix.config import DetectSettings
from dgmix.detect.embed import Windows
from dgmix.detect.memory import Memory
from dgmix.detect.scorers import build_scorer
from dgmix.detect.scorers.knn import distances, mean_of_nearest
from dgmix.detect.views import Vectors

ROWS = 256
TINY = 1e-12
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Distances:
    """How far some clips are from the healthy ones.

    `own` float64 (view, query): the distance of each query; `known`, `new` (view, query, clip):
    that of each healthy clip from the clips of other recordings, or of other conditions, and the
    query; `nearest` int64 (query,): the healthy clip that is most like the query over all views.
    """

    own: Floats
    known: Floats
    new: Floats
    nearest: NDArray[np.int64]


class Comparison(Protocol):
    """Healthy clips that others are compared with.

    `known`, `new` float64 (view, clip): the distance of each healthy clip from the clips of other
    recordings, and from those of other conditions; `calibrating` bool (clip,): which of them count
    for p-values; `exact`: whether distances depend on nothing but the two clips.
    """

    known: Floats
    new: Floats
    calibrating: NDArray[np.bool_]
    exact: bool

    def measure(self, queries: Mapping[str, Vectors], count: int) -> Distances:
        """Return how far `count` clips are, described by their vectors in each view."""
        ...


def compare_with(settings: DetectSettings, memory: Memory) -> Comparison:
    """Return the comparison with the clips of a memory that the settings describe."""
    return (Estimated if settings.estimates else Direct)(settings, memory)


class Direct:
    """Distances to the nearest healthy clips, in a metric that nothing was estimated for.

    `views`: the vectors of the healthy clips; `nearest_known`, `nearest_new`, by view, (vector, k):
    the distances of each vector to its nearest of other recordings, and of other conditions.
    """

    exact = True

    def __init__(self, settings: DetectSettings, memory: Memory) -> None:
        self._settings = settings
        self.views = dict(memory.views)
        clips = memory.clips
        self.calibrating = np.ones(len(clips), bool)
        self.nearest_known = self._nearest(clips.recordings)
        self.nearest_new = self._nearest(clips.conditions)
        self.known, self.new = (
            self._pooled_own(each) for each in (self.nearest_known, self.nearest_new)
        )

    def measure(self, queries: Mapping[str, Vectors], count: int) -> Distances:
        """Return how far `count` clips are, described by their vectors in each view."""
        shape = len(self.views), count, len(self.calibrating)
        own, known, new = np.empty(shape[:2]), np.empty(shape), np.empty(shape)
        closeness = np.zeros(shape[1:])
        for number, (name, view) in enumerate(self.views.items()):
            between = distances(queries[name].values, view.values)
            near = mean_of_nearest(between, self._settings.neighbors)
            own[number] = pool(self._settings, near, queries[name].clips, count)
            for query in range(count):
                rows = between[queries[name].clips == query]
                known[number, query] = self._joined(self.nearest_known[name], rows, view.clips)
                new[number, query] = self._joined(self.nearest_new[name], rows, view.clips)
                least = np.minimum.reduceat(rows.min(0), _firsts(view.clips, shape[2]))
                closeness[query] += np.log(np.maximum(least, TINY))
        return Distances(own, known, new, closeness.argmin(1))

    def _joined(self, nearest: Floats, rows: Floats, clips: NDArray[np.int64]) -> Floats:
        """Return the distances (clip,) of healthy clips when a clip joins their references.

        `nearest` (vector, k) are the distances to the nearest references of each vector, `rows`
        (vector of the clip, vector) those to the vectors of the clip.
        """
        if nearest.shape[1] == 1:
            values = np.minimum(nearest[:, 0], rows.min(0))
        else:
            values = mean_of_nearest(np.concatenate([nearest, rows.T], 1), nearest.shape[1])
        return pool(self._settings, values, clips, len(self.calibrating))

    def _nearest(self, groups: Sequence[str]) -> dict[str, Floats]:
        """Return, by view, the k least distances (vector, k) of vectors to those of other groups.

        Infinite where there are fewer.
        """
        of = np.unique(np.array(groups, str), return_inverse=True)[1]
        return {name: self._nearest_in(view, of[view.clips]) for name, view in self.views.items()}

    def _nearest_in(self, view: Vectors, groups: NDArray[np.int64]) -> Floats:
        count, k = len(view.values), self._settings.neighbors
        nearest = np.full((count, k), np.inf)
        for first in range(0, count, ROWS):
            rows = slice(first, first + ROWS)
            between = distances(view.values[rows], view.values)
            between[groups[rows, None] == groups] = np.inf
            few = min(k, count)
            nearest[rows, :few] = np.sort(np.partition(between, few - 1, 1)[:, :few], 1)
        return nearest

    def _pooled_own(self, nearest: Mapping[str, Floats]) -> Floats:
        count = len(self.calibrating)
        return np.array(
            [
                pool(
                    self._settings,
                    mean_of_nearest(nearest[name], nearest[name].shape[1]),
                    view.clips,
                    count,
                )
                for name, view in self.views.items()
            ]
        )


class Estimated:
    """Scores of scorers that estimate something: from some recordings, while the others calibrate.

    Nothing is promised about new conditions.
    """

    exact = False

    def __init__(self, settings: DetectSettings, memory: Memory) -> None:
        self._settings = settings
        clips = memory.clips
        self.calibrating = held_out(clips.recordings, clips.domains, settings.held_out)
        estimating = memory.select(np.flatnonzero(~self.calibrating))
        domains = np.array(estimating.clips.domains, str)
        self._scorers = {
            name: build_scorer(settings, domains[view.clips], view.clips).fit(view.values)
            for name, view in estimating.views.items()
        }
        self.known = self._scores(memory.views, len(clips))
        self.known[:, ~self.calibrating] = np.inf
        self.new = np.full_like(self.known, np.inf)

    def measure(self, queries: Mapping[str, Vectors], count: int) -> Distances:
        """Return how far `count` clips are, described by their vectors in each view."""
        own = self._scores(queries, count)
        healthy = np.broadcast_to(self.known[:, None], (*own.shape, self.known.shape[1]))
        return Distances(own, healthy, healthy, np.zeros(count, np.int64))

    def _scores(self, views: Mapping[str, Vectors], count: int) -> Floats:
        return np.array(
            [
                pool(self._settings, scorer.score(views[name].values), views[name].clips, count)
                for name, scorer in self._scorers.items()
            ]
        )


def held_out(recordings: Sequence[str], domains: Sequence[str], part: float) -> NDArray[np.bool_]:
    """Return which clips (clip,) calibrate: those of `part` of the recordings, spread over domains.

    Which they are depends on nothing but names; one recording of each domain at least is kept to
    estimate from.
    """
    first_domain = dict(zip(reversed(recordings), reversed(domains), strict=True))
    chosen: set[str] = set()
    for domain in set(first_domain.values()):
        names = sorted(name for name, of in first_domain.items() if of == domain)
        chosen |= {name for i, name in enumerate(names) if int((i + 1) * part) > int(i * part)}
        chosen -= {names[0]}
    return np.array([name in chosen for name in recordings], bool)


def pool(settings: DetectSettings, values: Floats, clips: NDArray[np.int64], count: int) -> Floats:
    """Return one value (clip,) for each of `count` clips, of those (vector,) of their vectors."""
    if len(clips) == count:
        return values
    windows = Windows(clips, np.zeros_like(clips), count)
    return windows.max(values) if settings.pool == "max-distance" else windows.mean(values)


def _firsts(clips: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    return np.searchsorted(clips, np.arange(count))
