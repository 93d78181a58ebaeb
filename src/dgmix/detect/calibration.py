"""Scores and p-values of clips, by the healthy clips that they are compared with.

Two promises. *Known conditions*: of healthy recordings made like the healthy ones, at most a part α
is flagged. *New conditions*: of healthy recordings of a condition drawn like the healthy ones'
conditions, at most a part α; there a whole condition has one vote, and its clips are measured from
the clips of other conditions (hierarchical conformal prediction: Dunn, Wasserman, Ramdas 2022,
arXiv 1809.07441; Lee, Barber, Willett 2023, arXiv 2306.06342).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dgmix.detect.compare import Comparison, Distances
from dgmix.detect.conformal import Scale, rank_p_values
from dgmix.detect.fusion import Points, logarithms, view_deviations
from dgmix.errors import DgmixError

NOT_A_NUMBER = "an anomaly score is not a number; look for damaged recordings"
Floats = NDArray[np.float64]
Texts = tuple[str, ...]


@dataclass(frozen=True)
class Scores:
    """Scores of clips under both promises, each float64 (clip,); `by_view` float64 (clip, view).

    `score` and `p_known` are of known conditions, `score_new` and `p_new` of new ones: the higher
    the score, the smaller or equal the p-value. `by_view` are the deviations in each view that the
    score is made of, and `by_row` (clip, row) those that they are made of, or the distance where
    there is one view of one part.
    """

    score: Floats
    p_known: Floats
    score_new: Floats
    p_new: Floats
    by_view: Floats
    by_row: Floats


class Judged(NamedTuple):
    """Scores and p-values (clip,) under one promise, and deviations (clip, view), (clip, row)."""

    score: Floats
    p_value: Floats
    by_view: Floats
    by_row: Floats


@dataclass(frozen=True, eq=False)
class Promise:
    """Healthy clips as a scale for one promise.

    `distances` float64 (row, clip) of the healthy clips that calibrate; `groups` (clip,): the
    recording or the condition of each, which have one vote together; `parts`: how many rows each
    view has; `apart` (row, clip): the distances with the nearest clips left out, or None.
    """

    distances: Floats
    groups: Texts
    parts: tuple[int, ...]
    apart: Floats | None = None

    @property
    def count(self) -> int:
        """The number of groups that have a vote."""
        return len(set(self.groups))

    @cached_property
    def points(self) -> Points:
        """The healthy clips."""
        return _points(self.groups)

    @cached_property
    def scores(self) -> Floats:
        """The score (clip,) of each healthy clip, against the others; of a single row, its
        distance.

        Infinite where there are no others.
        """
        if len(self.distances) == 1:
            return np.asarray(self.distances[0])
        finite = np.asarray(np.isfinite(self.distances).all(0))
        if not finite.any():
            return np.full(len(finite), np.inf)
        logs = logarithms(np.where(finite, self.distances, 1))
        apart = None if self.apart is None else logarithms(self.apart)
        points = Points(self.points.votes * finite, self.points.groups)
        views, _ = view_deviations(logs, points, self.parts, apart)
        return np.where(finite, views.max(0), np.inf)

    def scale(self, chosen: NDArray[np.bool_] | None = None) -> Scale:
        """Return the scores of the healthy clips, or of those chosen (clip,), as a scale."""
        if chosen is None:
            return self._whole_scale
        groups = tuple(np.array(self.groups, object)[chosen])
        return Scale(self.scores[chosen], _points(groups).votes)

    @cached_property
    def _whole_scale(self) -> Scale:
        return Scale(self.scores, self.points.votes)

    @cached_property
    def _joined_points(self) -> Points:
        """The healthy clips and, at the end, the one in question."""
        return _points((*self.groups, None))

    def judge(
        self,
        own: Floats,
        healthy: Floats,
        chosen: NDArray[np.bool_] | None = None,
        apart: Floats | None = None,
    ) -> Judged:
        """Return what becomes of queries by their distances `own` (row, query).

        `healthy` (row, query, clip) are those of the healthy clips beside each query; the clips
        chosen (clip,) have votes, all by default. `apart` (row, query, point) are the distances of
        the healthy clips and the query with the nearest left out, or None. Of a single row the
        score is the distance, unless the healthy clips have fewer others to be measured by.
        """
        scale = self.scale(chosen)
        own_logs, logs = logarithms(own), logarithms(healthy)
        all_logs = np.concatenate([logs, own_logs[..., None]], -1).swapaxes(0, 1)
        if len(own) == 1:
            ranked, scores, by_view = all_logs[:, 0], own[0], own.T
            by_row = by_view
        else:
            apart_logs = None if apart is None else logarithms(apart).swapaxes(0, 1)
            views, rows = view_deviations(all_logs, self._joined_points, self.parts, apart_logs)
            ranked, by_view, by_row = views.max(1), views[..., -1], rows[..., -1]
            scores = ranked[:, -1]
        if not self.count:
            return Judged(scores, np.ones(len(scores)), by_view, by_row)
        voting = ranked[:, :-1] if chosen is None else ranked[:, :-1][:, chosen]
        exact = rank_p_values(ranked[:, -1], voting, scale.votes)
        scores = (scale.limited if len(own) == 1 else scale.confined)(scores, exact)
        return Judged(scores, scale.p_values(scores), by_view, by_row)


def _points(groups: Sequence[str | None]) -> Points:
    """Return clips of these groups; that of None, at the end, is the one in question."""
    known = [group for group in groups if group is not None]
    of = np.unique(np.array(known, str), return_inverse=True)[1]
    numbers = np.append(of, [of.max(initial=-1) + 1] * (len(groups) - len(known))).astype(np.int64)
    return Points(1 / np.bincount(numbers)[numbers], numbers)


class Calibration:
    """The healthy clips of one section, as scales for the clips that are compared with them.

    `known` and `new` are the two promises; `conditions` (clip,) those of the clips that calibrate.
    """

    def __init__(self, comparison: Comparison, recordings: Texts, conditions: Texts) -> None:
        self._calibrating = np.flatnonzero(comparison.calibrating)
        self.conditions = self._texts(conditions)
        parts = comparison.parts
        self.known = Promise(
            self._of(comparison.known), self._texts(recordings), parts, comparison.known_apart
        )
        self.new = Promise(self._of(comparison.new), self.conditions, parts, comparison.new_apart)
        self.covers_new = comparison.exact and self.new.count > 1

    def count(self, condition: str | None = None) -> int:
        """Return the number of recordings that calibrate, all or those of a condition."""
        if condition is None:
            return self.known.count
        return len(set(np.array(self.known.groups, object)[self._is(condition)]))

    def threshold(self, rate: float, condition: str | None = None) -> float:
        """Return the score above which, and only above which, p of known conditions is ≤ `rate`."""
        chosen = None if condition is None else self._is(condition)
        return self.known.scale(chosen).threshold(rate)

    def judge(self, distances: Distances, conditions: Sequence[str | None]) -> Scores:
        """Return the scores of clips of these conditions (clip,), where known.

        A clip of a condition that the healthy ones have is judged by that condition; another by
        all. Raises `DgmixError` for a distance that is not a number.
        """
        if np.isnan(distances.own).any():
            raise DgmixError(NOT_A_NUMBER)
        own, known, new = distances.own, self._of(distances.known), self._of(distances.new)
        count = own.shape[1]
        score, p_known = np.empty(count), np.empty(count)
        by_view, by_row = np.empty((count, len(self.known.parts))), np.empty(own.T.shape)
        for condition in set(conditions):
            those = np.array([each == condition for each in conditions])
            chosen = self._is(condition) if condition in self.conditions else None
            apart = None if distances.known_apart is None else distances.known_apart[:, those]
            judged = self.known.judge(own[:, those], known[:, those], chosen, apart)
            score[those], p_known[those], by_view[those], by_row[those] = judged
        score_new, p_new = score, np.ones(count)
        if self.covers_new:
            score_new, p_new = self.new.judge(own, new, apart=distances.new_apart)[:2]
        return Scores(score, p_known, score_new, p_new, by_view, by_row)

    def _is(self, condition: str | None) -> NDArray[np.bool_]:
        return np.array([each == condition for each in self.conditions], bool)

    def _of(self, values: Floats) -> Floats:
        all_calibrate = len(self._calibrating) == values.shape[-1]
        return values if all_calibrate else values[..., self._calibrating]

    def _texts(self, values: Texts) -> Texts:
        return tuple(values[i] for i in self._calibrating)
