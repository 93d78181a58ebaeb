"""One score from the distances in several views, without labels.

In each view, the distances of some clips, as logarithms, become deviations: by how many standard
deviations each exceeds the mean of the others, of its own group none. The variance is drawn to a
fixed one, which decides where there are few clips. A view may have several parts, as groups of mel
bands or the channels of a recording, which become one deviation first. The score is the largest
deviation over the views: a fault shows in some view, and which one is not known beforehand; the
mean would drown it (docs/decisions/0012-views.md, 0025-fixed-metrics.md).

All clips are treated alike, the one in question among them, as exact p-values need
(docs/decisions/0019-exact-verdicts.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

TINY = 1e-12
PRIOR_COUNT = 5.0
PRIOR_DEVIATION, PART_DEVIATION = 0.1, 0.5
Floats = NDArray[np.float64]


def logarithms(distances: Floats) -> Floats:
    """Return the natural logarithm of distances, of the same shape; of infinity, infinity."""
    return np.asarray(np.log(np.maximum(distances, TINY)), np.float64)


@dataclass(frozen=True, eq=False)
class Points:
    """Clips whose distances are compared with each other.

    `votes` float64 (point,): how much each counts; `groups` int64 (point,): its recording or
    condition, numbered from 0.
    """

    votes: Floats
    groups: NDArray[np.int64]

    def deviations(self, values: Floats, prior: float) -> Floats:
        """Return by how many deviations values (…, point) exceed the mean of other groups.

        The variance of the others is drawn to `prior`², which counts as `PRIOR_COUNT` of them
        (externally studentised: Cook, Weisberg 1982, section 2.2.1).
        """
        total = self.votes.sum()
        centred = values - (values @ self.votes / total)[..., None]
        weighted = centred * self.votes
        count = np.maximum(total - self._of_group(self.votes), TINY)
        mean = (weighted.sum(-1, keepdims=True) - self._of_group(weighted)) / count
        squares = weighted * centred
        others = squares.sum(-1, keepdims=True) - self._of_group(squares) - count * mean**2
        prior_squares = PRIOR_COUNT * prior**2
        variance = (np.maximum(others, 0) + prior_squares) / (count + PRIOR_COUNT)
        return np.asarray((centred - mean) / np.sqrt(variance))

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


def view_deviations(logs: Floats, points: Points, parts: Sequence[int]) -> Floats:
    """Return the deviations (…, view, point) of the logarithms (…, row, point) of distances.

    `parts` says how many rows each view has; see `joined`.
    """
    return joined(row_deviations(logs, points), points, parts)


def row_deviations(logs: Floats, points: Points) -> Floats:
    """Return the deviations of the logarithms of distances, both (…, row, point)."""
    return points.deviations(logs, PRIOR_DEVIATION)


def joined(rows: Floats, points: Points, parts: Sequence[int]) -> Floats:
    """Return the deviations (…, view, point) of views from those (…, row, point) of their rows.

    Of several rows of a view, the root mean square of the positive deviations counts, in deviations
    again.
    """
    views, first = [], 0
    for count in parts:
        part = rows[..., first : first + count, :]
        first += count
        if count > 1:
            size = np.sqrt((np.maximum(part, 0) ** 2).mean(-2, keepdims=True))
            part = points.deviations(size, PART_DEVIATION)
        views.append(part)
    return np.concatenate(views, -2)
