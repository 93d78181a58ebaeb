"""Healthy recordings that may not be healthy: far from all others, alone or a few alike, or broken.

A recording is odd by the score that it has against all others, in deviations of these, not by its
p-value: the most unusual of n has always 1 / n. Of several alike, each is near another; so a group
that lies apart is scored as one recording, against all that are not in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dgmix.detect.calibration import Calibration
from dgmix.detect.compare import compare_with
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.memory import Memory
from dgmix.detect.quality import Defect, Limits, defects, quality_in

ODD_SCORE, ODD_GROUP_SCORE = 8.0, 12.0
ENOUGH = 8  # recordings of a section
MOST_ALIKE = 4  # a group is at most one in so many recordings
CANDIDATES = 12
MOST_WORK = 1e9  # cubes of clips for candidates; a scorer inverts a matrix of clips for each
Numbers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Odd:
    """Healthy clips, by number, that are unlike the others, and alike where they are of several
    recordings; `score` is the least score of them against the others, `others` how many these are.
    """

    clips: tuple[int, ...]
    score: float
    others: int


@lru_cache(1)
def odd_clips(fitted: FittedDetector) -> tuple[Odd, ...]:
    """Return the healthy clips that are far from all others of their section, the farthest first.

    A single view has no deviations, and few recordings show none: nothing is returned there.
    """
    if len(fitted.views) == 1:
        return ()
    outliers: list[Odd] = []
    for section in fitted.sections:
        of = [section in ("", each) for each in fitted.memory.clips.sections]
        clips = np.flatnonzero(of)
        outliers += (_odd if _tries(len(clips)) else _alone)(fitted, clips)
    return tuple(sorted(outliers, key=lambda each: -each.score))


def broken_clips(fitted: FittedDetector) -> list[tuple[int, tuple[Defect, ...]]]:
    """Return the healthy clips, by number, with what is wrong with them beside most of the others.

    Most of them are eight of ten; nothing is returned where a section has few.
    """
    clips = fitted.memory.clips
    broken: list[tuple[int, tuple[Defect, ...]]] = []
    for section in fitted.sections:
        rows = np.flatnonzero([section in ("", each) for each in clips.sections])
        if len(rows) < ENOUGH:
            continue
        usual = Limits.usual(clips.measures[rows])
        wrong = ((row, defects(quality_in(clips.measures[row]), usual)) for row in rows.tolist())
        broken += [(row, each) for row, each in wrong if each]
    return broken


def _odd(fitted: FittedDetector, clips: Numbers) -> list[Odd]:
    """Return the odd ones among the clips of a section, which hide each other: one after another.

    They are a part of the recordings at most; what is more is no exception.
    """
    most, outliers = max(1, len(clips) // MOST_ALIKE), list[Odd]()
    while most > 0 and (farthest := _farthest(fitted, clips, most)):
        outliers.append(farthest)
        most -= len(farthest.clips)
        clips = clips[~np.isin(clips, farthest.clips)]
    return outliers


def _alone(fitted: FittedDetector, clips: Numbers) -> list[Odd]:
    """Return the odd ones among many clips, one by one, by the scores that they have anyway."""
    each = (
        _candidate(clips, np.array([row]), fitted.decision_scores[clips])
        for row in range(len(clips))
    )
    return [one for one in each if _is_odd(one)]


def _farthest(fitted: FittedDetector, clips: Numbers, most: int) -> Odd | None:
    """Return the odd one that is the farthest from the other clips, or a group of up to `most`."""
    memory = fitted.memory.select(clips)
    groups = np.unique(np.array(memory.clips.recordings, str), return_inverse=True)[1]
    if groups.max() + 1 < ENOUGH:
        return None
    alone = _scores(fitted, memory, [])
    single = [np.flatnonzero(groups == each) for each in range(groups.max() + 1)]
    candidates = [_candidate(clips, rows, alone) for rows in single]
    for recordings in _apart(memory, groups)[: _tries(len(clips))]:
        rows = np.flatnonzero(np.isin(groups, recordings))
        candidates.append(_candidate(clips, rows, _scores(fitted, memory, rows.tolist())))
    odd = [each for each in candidates if len(each.clips) <= most and _is_odd(each)]
    return max(odd, key=lambda each: (each.score, -len(each.clips)), default=None)


def _tries(clips: int) -> int:
    """Return how many groups of so many clips are looked at; of more than a thousand, none."""
    return min(CANDIDATES, int(MOST_WORK / max(clips, 1) ** 3))


def _is_odd(each: Odd) -> bool:
    least = ODD_SCORE if len(each.clips) == 1 else ODD_GROUP_SCORE
    return least < each.score < np.inf


def _candidate(clips: Numbers, rows: Numbers, scores: Floats) -> Odd:
    others = len(clips) - len(rows)
    return Odd(tuple(clips[rows].tolist()), float(scores[rows].min()), others)


def _scores(fitted: FittedDetector, memory: Memory, rows: Sequence[int]) -> Floats:
    """Return the scores (clip,) of the clips of a memory, those of some rows as one recording."""
    recordings = list(memory.clips.recordings)
    for row in rows:
        recordings[row] = recordings[rows[0]]
    joined = replace(memory, clips=replace(memory.clips, recordings=tuple(recordings)))
    comparison = compare_with(fitted.recipe.detect, joined, fitted.recipe.plugins)
    calibration = Calibration(comparison, tuple(recordings), memory.clips.conditions)
    scores = np.full(len(recordings), np.inf)
    scores[comparison.calibrating] = calibration.known.scores
    return scores


def _apart(memory: Memory, groups: Numbers) -> list[Numbers]:
    """Return small groups of recordings that lie apart from the others in some view.

    They are branches of the tree of single linkage; those come first that join the others at the
    greatest multiple of the distance at which recordings usually join.
    """
    from scipy.cluster.hierarchy import linkage  # type: ignore[import-untyped]

    count = int(groups.max()) + 1
    branches: dict[tuple[int, ...], float] = {}
    for view in memory.views.values():
        points = _means(_means(view.values, view.clips), groups)
        tree = linkage(points, "single")
        usual = max(float(np.median(tree[:, 2])), 1e-12)
        members: list[tuple[int, ...]] = [(number,) for number in range(count)]
        for first, second, height, _ in tree:
            pair = members[int(first)], members[int(second)]
            for part in pair:
                if 1 < len(part) <= count // MOST_ALIKE:
                    branches[part] = max(branches.get(part, 0.0), float(height) / usual)
            members.append(tuple(sorted(sum(pair, ()))))
    return [np.array(each) for each in sorted(branches, key=lambda each: -branches[each])]


def _means(values: NDArray[np.floating], groups: Numbers) -> Floats:
    """Return the mean (group, number) of the rows (row, number) of each group."""
    total = np.zeros((int(groups.max()) + 1, values.shape[1]))
    np.add.at(total, groups, values)
    return total / np.bincount(groups)[:, None]
