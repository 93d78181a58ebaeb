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

import numpy as np
from numpy.typing import NDArray

from dgmix.detect.compare import Comparison, Distances
from dgmix.detect.conformal import Scale, rank_p_values, votes
from dgmix.detect.fusion import Units, joint_scores
from dgmix.errors import DgmixError

NOT_A_NUMBER = "an anomaly score is not a number; look for damaged recordings"
Floats = NDArray[np.float64]
Texts = tuple[str, ...]


@dataclass(frozen=True)
class Scores:
    """Scores of clips under both promises, each float64 (clip,); `views` int64 (clip,).

    `score` and `p_known` are of known conditions, `score_new` and `p_new` of new ones: the higher
    the score, the smaller or equal the p-value. `views` says which view gives a clip its score.
    """

    score: Floats
    p_known: Floats
    score_new: Floats
    p_new: Floats
    views: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Promise:
    """Healthy clips as a scale for one promise.

    `distances` float64 (view, clip) of the healthy clips that calibrate, `groups` (clip,): the
    recording or the condition of each, which have one vote together.
    """

    distances: Floats
    groups: Texts

    @property
    def count(self) -> int:
        """The number of groups that have a vote."""
        return len(set(self.groups))

    @cached_property
    def votes(self) -> Floats:
        """The vote (clip,) of each clip."""
        return np.asarray(votes(self.groups), np.float64)

    @cached_property
    def units(self) -> Units:
        """The units of each view."""
        return Units(self.distances, self.votes)

    @cached_property
    def scores(self) -> Floats:
        """The score (clip,) of each healthy clip, in units of the others."""
        if len(self.distances) == 1:
            return np.asarray(self.distances[0])
        return self.units.left_out(self.groups)

    def scale(self, chosen: NDArray[np.bool_] | None = None) -> Scale:
        """Return the scores of the healthy clips, or of those chosen (clip,), as a scale."""
        if chosen is None:
            return Scale(self.scores, self.votes)
        groups = tuple(np.array(self.groups, object)[chosen])
        return Scale(self.scores[chosen], votes(groups))

    def judge(
        self, own: Floats, healthy: Floats, chosen: NDArray[np.bool_] | None = None
    ) -> tuple[Floats, Floats]:
        """Return the scores and p-values (query,) of queries at distances `own` (view, query).

        `healthy` (view, query, clip) are the healthy clips' distances beside each query; the clips
        chosen (clip,) have votes, all by default. In a single view the score is the distance,
        unless the healthy clips have fewer neighbours than the query to be measured by.
        """
        scale = self.scale(chosen)
        alone = len(own) == 1
        scores = own[0] if alone else self.units.deviations(own).max(0)
        if not self.count:
            return scores, np.ones(own.shape[1])
        mine, others = (
            (own[0], healthy[0]) if alone else joint_scores(own, healthy, self.votes)
        )
        voting = others if chosen is None else others[:, chosen]
        exact = rank_p_values(mine, voting, scale.votes)
        scores = scale.limited(scores, exact) if alone else scale.confined(scores, exact)
        return scores, scale.p_values(scores)


class Calibration:
    """The healthy clips of one section, as scales for the clips that are compared with them.

    `known` and `new` are the two promises; `conditions` (clip,) those of the clips that calibrate.
    """

    def __init__(self, comparison: Comparison, recordings: Texts, conditions: Texts) -> None:
        self._calibrating = np.flatnonzero(comparison.calibrating)
        self.conditions = self._texts(conditions)
        self.known = Promise(self._of(comparison.known), self._texts(recordings))
        self.new = Promise(self._of(comparison.new), self.conditions if comparison.exact else ())

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
        for condition in set(conditions):
            those = np.array([each == condition for each in conditions])
            chosen = self._is(condition) if condition in self.conditions else None
            found = self.known.judge(own[:, those], known[:, those], chosen)
            score[those], p_known[those] = found
        score_new, p_new = self.new.judge(own, new) if self.new.groups else (score, np.ones(count))
        views = self.known.units.deviations(own).argmax(0)
        return Scores(score, p_known, score_new, p_new, views)

    def _is(self, condition: str | None) -> NDArray[np.bool_]:
        return np.array([each == condition for each in self.conditions], bool)

    def _of(self, values: Floats) -> Floats:
        return values[..., self._calibrating]

    def _texts(self, values: Texts) -> Texts:
        return tuple(values[i] for i in self._calibrating)
