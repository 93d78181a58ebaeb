"""Clips that are described once, to make many detectors of: for benchmarks of verdicts and speed.

A detector of some clips is the detector of all of them with a smaller memory
(`dgmix.detect.fitted.FittedDetector`), as long as no network was trained on the others.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.config import Recipe
from dgmix.detect.calibration import Scores
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.learn import remember
from dgmix.detect.memory import HealthyClips, Memory, digests, durations
from dgmix.detect.quality import measures_of
from dgmix.detect.views import Vectors
from dgmix.errors import InputError
from dgmix.model.network import Network

Numbers = NDArray[np.int64]
Names = Sequence[str] | None


def describe(
    recipe: Recipe,
    bank: MelBank,
    recordings: Names = None,
    conditions: Names = None,
    network: Network | None = None,
) -> FittedDetector:
    """Return a detector that remembers the clips of a bank, of one section and domain.

    Each is a recording by itself unless `recordings` name what was recorded together. Raises
    `InputError` where the recipe has a learned view and there is no network.
    """
    if recipe.detect.learns and network is None:
        raise InputError("this benchmark needs a recipe without the view dgmix")
    clips = named(len(bank), recordings, conditions)
    clips = replace(clips, digests=digests(bank), seconds=durations(bank, recipe))
    return remember(recipe, network, bank, clips)


def detector_of_vectors(
    recipe: Recipe,
    views: Mapping[str, NDArray[np.floating]],
    recordings: Names = None,
    conditions: Names = None,
    domains: Names = None,
) -> FittedDetector:
    """Return a detector that remembers clips by a vector of each in each view (clip, dim)."""
    vectors = of_vectors(views)
    count = len(next(iter(views.values())))
    clips = named(count, recordings, conditions)
    if domains is not None:
        clips = replace(clips, domains=tuple(domains))
    return FittedDetector(recipe, None, Memory(vectors, clips), (), trained=0)


def of_vectors(views: Mapping[str, NDArray[np.floating]]) -> dict[str, Vectors]:
    """Return views of clips with one vector each (clip, dim)."""
    return {name: Vectors(np.asarray(v), np.arange(len(v))) for name, v in views.items()}


def named(count: int, recordings: Names, conditions: Names) -> HealthyClips:
    """Return so many clips without features, of section "00" and domain "source"."""
    numbers = np.arange(count)
    own = tuple(map(str, numbers)) if recordings is None else tuple(recordings)
    source = ("source",) * count
    given = source if conditions is None else tuple(conditions)
    return HealthyClips(
        ("00",) * count, source, own, given, numbers, np.zeros(count), measures_of([None] * count)
    )


def detector_of(described: FittedDetector, chosen: Numbers) -> FittedDetector:
    """Return the detector that remembers the clips of these ascending numbers only."""
    return replace(described, memory=described.memory.select(chosen))


def judged(
    detector: FittedDetector, views: Mapping[str, Vectors], condition: str | None = None
) -> Scores:
    """Return the scores and p-values of clips, one vector each in each view, of a condition."""
    count = len(next(iter(views.values())).values)
    distances = detector.comparison().measure(views, count)
    return detector.calibration().judge(distances, [condition] * count)
