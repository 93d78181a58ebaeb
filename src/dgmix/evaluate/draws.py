"""A section's test clips, drawn again and again with replacement, and the metrics of each draw."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from dgmix.evaluate.metrics import Convention, Floats, SectionScores, levels, metrics_of_counts

GROUPS = tuple(name.split("_") for name in SectionScores._fields)
CLIPS_AT_ONCE = 30_000  # so that a batch of resamples stays in the processor's cache


@dataclass(frozen=True)
class Clips:
    """A section's labelled test clips, by group and path: all arrays (clip,)."""

    scores: Floats
    groups: npt.NDArray[np.intp]
    paths: tuple[str, ...]


def resampled_metrics(
    clips: Clips, convention: Convention, resamples: int, rng: np.random.Generator
) -> Floats:
    """Return the metrics (1 + resample, metric) of one section; row 0 is of all its clips."""
    draws = _draws(clips.groups, resamples, rng)
    return np.concatenate([metrics_of_counts(_count(each, clips), convention) for each in draws])


def _draws(
    groups: npt.NDArray[np.intp], resamples: int, rng: np.random.Generator
) -> Iterator[Floats]:
    """Yield how often each clip is drawn, (resample, clip), in batches; in the first, once."""
    yield np.ones((1, len(groups)))
    sizes = np.bincount(groups, minlength=len(GROUPS))
    step = max(1, CLIPS_AT_ONCE // max(1, len(groups)))
    for start in range(0, resamples, step):
        number = min(step, resamples - start)
        yield np.concatenate([drawn(int(size), number, rng) for size in sizes], axis=1)


def drawn(size: int, resamples: int, rng: np.random.Generator) -> Floats:
    """Return how often each of `size` clips is drawn in `size` draws, (resample, clip)."""
    picked = rng.integers(max(1, size), size=(resamples, size))
    picked += np.arange(resamples)[:, None] * size
    times = np.bincount(picked.ravel(), minlength=resamples * size)
    return times.reshape(resamples, size).astype(np.float64)


def _count(weights: Floats, clips: Clips) -> Floats:
    """Return the clips' weights (resample, clip) summed by group and level of score.

    The result (group, resample, level) is what `metrics_of_counts` takes.
    """
    number, level = levels(clips.scores)
    counts = np.zeros((len(GROUPS), len(weights), number))
    for group in range(len(GROUPS)):
        members = np.flatnonzero(clips.groups == group)
        if len(members):
            members = members[np.argsort(level[members], kind="stable")]
            distinct, starts = np.unique(level[members], return_index=True)
            counts[group][:, distinct] = np.add.reduceat(weights[:, members], starts, axis=1)
    return counts
