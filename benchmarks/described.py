"""Healthy clips that are described once, to make many detectors of: for benchmarks of verdicts.

A detector of some clips is the detector of all of them with a smaller memory
(`dgmix.detect.fitted.FittedDetector`), as long as no network was trained on the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.config import Recipe
from dgmix.detect.calibration import Scores
from dgmix.detect.duplicates import merge_copies
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.learn import remember
from dgmix.detect.memory import HealthyClips, Memory, digests, durations
from dgmix.errors import InputError

Numbers = NDArray[np.int64]


def describe(
    recipe: Recipe,
    bank: MelBank,
    recordings: Sequence[str],
    conditions: Sequence[str],
    copies: bool = False,
) -> FittedDetector:
    """Return a detector that remembers the clips of a bank.

    `copies`: whether recordings of the same sound are sought, as `fit` does. Raises `InputError`
    for a recipe with a view that is learned.
    """
    if recipe.detect.learns:
        raise InputError("this benchmark needs a recipe without the view dgmix")
    same = ("",) * len(bank)
    named = tuple(merge_copies(bank, recordings) if copies else recordings)
    clips = HealthyClips(
        same, same, named, tuple(conditions), digests(bank), durations(bank, recipe)
    )
    return remember(recipe, None, bank, clips)


def detector_of(described: FittedDetector, chosen: Numbers) -> FittedDetector:
    """Return the detector that remembers the clips of these ascending numbers only."""
    return replace(described, memory=described.memory.select(chosen))


def judged(detector: FittedDetector, clips: Memory) -> Scores:
    """Return the scores and p-values of clips under both promises, of no named condition."""
    count = len(clips.clips)
    distances = detector.comparison().measure(clips.views, count)
    return detector.calibration().judge(distances, [None] * count)
