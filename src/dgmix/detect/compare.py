"""How far clips are from the healthy ones, in every view, and the healthy ones from each other.

With the scorers `knn` and `kriging` the score of a clip depends on the distances between clips
only, and these on nothing else, so that each healthy clip can be measured as if the clip in
question were one of them: exact conformal p-values need no more. Scorers that estimate something
from the healthy clips learn it from some of the recordings, and the others calibrate
(docs/decisions/0019-exact-verdicts.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from dgmix.config import DetectSettings
from dgmix.detect.memory import Memory
from dgmix.detect.scorers import JointScorer, build_joint_scorer, build_scorer, estimates
from dgmix.detect.scorers.pooling import pool
from dgmix.detect.scorers.protocols import Measured
from dgmix.detect.views import Vectors, parts_of, view_of
from dgmix.plugins import Plugins

TINY = 1e-12
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Distances:
    """How far some clips are from the healthy ones.

    `own` float64 (view, query): the distance of each query; `known`, `new` (view, query, clip):
    that of each healthy clip from the clips of other recordings, or of other conditions, and the
    query; `nearest` int64 (query,): the healthy clip that is most like the query over all views;
    `known_apart`, `new_apart` (view, query, point): the distances of the healthy clips and, last,
    of the query when their nearest clips are left out too, or None where they are not.
    """

    own: Floats
    known: Floats
    new: Floats
    nearest: NDArray[np.int64]
    known_apart: Floats | None = None
    new_apart: Floats | None = None


class Comparison(Protocol):
    """Healthy clips that others are compared with.

    `parts`: how many rows each view has, over all signals; `rows`: the name of the view and signal
    that each row is of; `known`, `new` float64 (row, clip): the distance of each healthy clip from
    the clips of other recordings, and from those of other conditions; `known_apart`, `new_apart`:
    these with the nearest left out, or None; `calibrating` bool (clip,): which of them count for
    p-values; `exact`: whether distances depend on nothing but the two clips.
    """

    parts: tuple[int, ...]
    rows: tuple[str, ...]
    known: Floats
    new: Floats
    known_apart: Floats | None
    new_apart: Floats | None
    calibrating: NDArray[np.bool_]
    exact: bool

    def measure(self, queries: Mapping[str, Vectors], count: int) -> Distances:
        """Return how far `count` clips are, described by their vectors in each view."""
        ...


def compare_with(settings: DetectSettings, memory: Memory, plugins: Plugins) -> Comparison:
    """Return the comparison with the clips of a memory that the settings describe."""
    kind = Estimated if estimates(settings, plugins) else Direct
    return kind(settings, memory, plugins)


class Direct:
    """Scores that depend on nothing but the distances between clips.

    `scorers`, by view, measure a clip and the healthy ones beside it, one for each part.
    """

    exact = True

    def __init__(self, settings: DetectSettings, memory: Memory, plugins: Plugins) -> None:
        self._plugins = plugins
        groupings = [_numbered(memory.clips.recordings), _numbered(memory.clips.conditions)]
        self.calibrating = np.ones(len(memory.clips), bool)
        self.scorers: dict[str, list[JointScorer]] = {
            name: [
                build_joint_scorer(settings, part, groupings, plugins)
                for part in parts_of(name, view, plugins)
            ]
            for name, view in memory.views.items()
        }
        self.rows = tuple(name for name, scorers in self.scorers.items() for _ in scorers)
        self.parts = _counts(self.rows)
        left_out = [each.left_out for scorers in self.scorers.values() for each in scorers]
        self.known, self.new = (np.array(values) for values in zip(*left_out, strict=True))
        apart = [
            getattr(each, "left_out_apart", (None, None))
            for scorers in self.scorers.values()
            for each in scorers
        ]
        self.known_apart, self.new_apart = map(_together, zip(*apart, strict=True))

    def measure(self, queries: Mapping[str, Vectors], count: int) -> Distances:
        """Return how far `count` clips are, described by their vectors in each view."""
        shape = sum(self.parts), count, len(self.calibrating)
        own, known, new = np.empty(shape[:2]), np.empty(shape), np.empty(shape)
        closeness = np.zeros(shape[1:])
        apart = []
        parts = [
            each
            for name, scorers in self.scorers.items()
            for each in zip(scorers, parts_of(name, queries[name], self._plugins), strict=True)
        ]
        for row, (scorer, vectors) in enumerate(parts):
            measured = Measured(*scorer.measure(vectors, count))
            own[row], (known[row], new[row]) = measured.own, measured.healthy
            closeness += np.log(np.maximum(measured.between, TINY))
            apart.append(measured.apart)
        return Distances(
            own, known, new, closeness.argmin(1), *map(_together, zip(*apart, strict=True))
        )


class Estimated:
    """Scores of scorers that estimate something: from some recordings, while the others calibrate.

    Nothing is promised about new conditions.
    """

    exact = False
    known_apart: Floats | None = None
    new_apart: Floats | None = None

    def __init__(self, settings: DetectSettings, memory: Memory, plugins: Plugins) -> None:
        self._settings = settings
        clips = memory.clips
        self.calibrating = held_out(clips.recordings, clips.domains, settings.held_out)
        estimating = memory.select(np.flatnonzero(~self.calibrating))
        domains = np.array(estimating.clips.domains, str)
        self._scorers = {
            name: build_scorer(settings, domains[view.clips], view.clips, plugins).fit(view.values)
            for name, view in estimating.views.items()
        }
        self.rows = tuple(memory.views)
        self.parts = _counts(self.rows)
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
                pool(
                    self._settings.pool, scorer.score(views[name].values), views[name].clips, count
                )
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


def _together(rows: Sequence[Floats | None]) -> Floats | None:
    """Return what all rows have as one array, or None where one has nothing."""
    known = [row for row in rows if row is not None]
    return np.array(known) if len(known) == len(rows) else None


def _counts(rows: Sequence[str]) -> tuple[int, ...]:
    """Return how many rows each view has, those of a view one after the other."""
    return tuple(Counter(map(view_of, rows)).values())


def _numbered(groups: Sequence[str]) -> NDArray[np.int64]:
    return np.unique(np.array(groups, str), return_inverse=True)[1].astype(np.int64)
