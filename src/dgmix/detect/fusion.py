"""One score from the distances in several views, without labels.

In each view, the distances of some clips, as logarithms, become deviations: by how many standard
deviations each exceeds the mean of the others, of its own group none. The variance is drawn to a
fixed one, which decides where there are few clips. A view may have several parts, as groups of mel
bands or the channels of a recording, which become one deviation first. The score is the largest
deviation over the views: a fault shows in some view, and which one is not known beforehand; the
mean would drown it (docs/decisions/0012-views.md, 0025-fixed-metrics.md).

The variance in a view is one half that of the others, and one half that which they have when their
nearest clips are left out, for these may be of one session
(docs/decisions/0034-neighbours-left-out.md).

All clips are treated alike, the one in question among them, as exact p-values need
(docs/decisions/0019-exact-verdicts.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

TINY = 1e-12
PRIOR_COUNT = 5.0
PRIOR_DEVIATION, PART_DEVIATION = 0.1, 0.5
Floats = NDArray[np.float64]


def logarithms(distances: Floats) -> Floats:
    """Return the natural logarithm of distances, of the same shape; of infinity, infinity."""
    return np.asarray(np.log(np.maximum(distances, TINY)), np.float64)


class Reference(NamedTuple):
    """What deviations are measured by, both (…, point).

    The mean of the others is that of `scores`; the variance is the mean of theirs about it and of
    that of `apart`, their scores with the nearest clips left out.
    """

    scores: Floats
    apart: Floats


@dataclass(frozen=True, eq=False)
class Points:
    """Clips whose distances are compared with each other.

    `votes` float64 (point,): how much each counts; `groups` int64 (point,): its recording or
    condition, numbered from 0.
    """

    votes: Floats
    groups: NDArray[np.int64]

    def deviations(
        self, values: Floats, prior: float, reference: Reference | None = None
    ) -> Floats:
        """Return by how many deviations values (…, point) exceed the mean of other groups.

        `reference` says what the mean and the deviation are of, the values themselves by default.
        The deviation is the root mean square of the others about their mean, drawn to `prior`,
        which counts as `PRIOR_COUNT` of them (externally studentised: Cook, Weisberg 1982, section
        2.2.1).
        """
        scores, apart = reference or Reference(values, values)
        total = self.votes.sum()
        centre = (scores @ self.votes / total)[..., None]
        count = np.maximum(total - self._of_group(self.votes), TINY)
        mean = self._of_others((scores - centre) * self.votes) / count
        squares = [self._squares(each - centre, mean, count) for each in (scores, apart)]
        variance = (sum(squares) / 2 + PRIOR_COUNT * prior**2) / (count + PRIOR_COUNT)
        return np.asarray((values - centre - mean) / np.sqrt(variance))

    def _squares(self, values: Floats, mean: Floats, count: Floats) -> Floats:
        """Return the sum of squares of the values of other groups about a mean (…, point)."""
        weighted = values * self.votes
        squares = self._of_others(weighted * values) - 2 * mean * self._of_others(weighted)
        return np.maximum(squares + count * mean**2, 0)

    def _of_others(self, values: Floats) -> Floats:
        """Return the sum over the points of other groups, of values (…, point)."""
        return np.asarray(values.sum(-1, keepdims=True) - self._of_group(values))

    def _of_group(self, values: Floats) -> Floats:
        """Return the sum over the group of each point, of values (…, point)."""
        order, firsts = self._sorted
        if len(firsts) == len(self.groups):
            return values
        return np.asarray(np.add.reduceat(values[..., order], firsts, -1)[..., self.groups])

    @cached_property
    def _sorted(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The points by group, and the place there of the first of each group."""
        order = np.argsort(self.groups, kind="stable")
        return order, np.flatnonzero(np.diff(self.groups[order], prepend=-1))


def view_deviations(
    logs: Floats, points: Points, parts: Sequence[int], apart: Floats | None = None
) -> tuple[Floats, Floats]:
    """Return the deviations in each view (…, view, point) and in each row (…, row, point).

    `logs` (…, row, point) are logarithms of distances, `parts` says how many rows each view has.
    `apart`, of the same shape, are those with the nearest clips left out. Of several rows of a
    view, the root mean square of the positive deviations counts, in deviations again.
    """
    both = np.stack([logs, logs if apart is None else apart])
    views, rows, first = [], [], 0
    for count in parts:
        part, prior = both[..., first : first + count, :], PRIOR_DEVIATION
        first += count
        if count > 1:
            part = points.deviations(part, prior, Reference(part[0], part[0]))
            rows.append(part[0])
            part = np.sqrt((np.maximum(part, 0) ** 2).mean(-2, keepdims=True))
            prior = PART_DEVIATION
        views.append(points.deviations(part[0], prior, Reference(*part)))
        if count == 1:
            rows.append(views[-1])
    return np.concatenate(views, -2), np.concatenate(rows, -2)
