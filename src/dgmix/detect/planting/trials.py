"""Candidates tried on healthy recordings that they did not learn from, and on faults in these.

Candidates that need the same features and the same network, or none, share one memory of healthy
clips and one description of each clip in all their views.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.config import Recipe
from dgmix.detect import learn
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.planting.candidates import Candidate, with_views
from dgmix.detect.planting.faults import NOTHING, Fault
from dgmix.detect.planting.hosts import LONGEST_SECONDS, beginning, faults_by_section
from dgmix.detect.planting.plantings import Planting, bank_of
from dgmix.detect.recordings import Sounds
from dgmix.detect.views import Vectors, represent
from dgmix.progress import progress, quiet
from dgmix.workers import single_threaded

FOLDS = 4
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Trials:
    """How candidates score what was left out of their learning: rows of scores, of items.

    `scores` float64 (candidate, item); of each item (item,): `recordings`, its recording's number,
    its section and domain, and `faults`, the number of its kind of fault, -1 where it is healthy.
    """

    scores: Floats
    recordings: Numbers
    sections: NDArray[np.str_]
    domains: NDArray[np.str_]
    faults: Numbers


@dataclass(frozen=True, eq=False)
class Family:
    """Candidates that share features and network: `places` are theirs among all candidates.

    `recipe` has the views of all of them.
    """

    recipe: Recipe
    places: list[int]
    members: list[Recipe]
    healthy: Sounds
    seed: int
    cache: str | Path | None

    @cached_property
    def whole(self) -> FittedDetector:
        """A detector that has learned from all recordings."""
        return self._fit(self.healthy)

    def learned(self, chosen: Numbers) -> Learned:
        """Return the candidates when they have learned from clips of these ascending numbers."""
        if self.recipe.detect.learns:
            fitted = self._fit(self.healthy.select(chosen.tolist()))
        else:
            fitted = replace(self.whole, memory=self.whole.memory.select(chosen))
        own = [replace(fitted.with_views(r.detect.views), recipe=r) for r in self.members]
        return Learned(self.places, fitted, own)

    def _fit(self, healthy: Sounds) -> FittedDetector:
        with quiet():
            return learn.fit(healthy, self.recipe, seed=self.seed, cache=self.cache)


def families(
    candidates: Sequence[Candidate], healthy: Sounds, seed: int, cache: str | Path | None
) -> list[Family]:
    """Return the candidates by what they share."""
    alike: dict[str, list[int]] = {}
    for place, candidate in enumerate(candidates):
        alike.setdefault(_shared(candidate.recipe), []).append(place)
    result = []
    for places in alike.values():
        members = [candidates[place].recipe for place in places]
        views = dict.fromkeys(view for recipe in members for view in recipe.detect.views)
        recipe = with_views(members[0], list(views))
        result.append(Family(recipe, places, members, healthy, seed, cache))
    return result


def _shared(recipe: Recipe) -> str:
    """Return all of a recipe that decides its features, and where it learns its network."""
    detect = {"hop_seconds": recipe.detect.hop_seconds, "pool": recipe.detect.pool}
    parts: dict[str, object] = {"audio": recipe.audio, "features": recipe.features}
    if recipe.detect.learns:
        parts = {**recipe.model_dump(exclude={"detect", "evaluate"}), **detect}
    return repr(parts)


@dataclass(frozen=True, eq=False)
class Learned:
    """Candidates that have learned: `fitted` in all their views, `own` one detector for each."""

    places: list[int]
    fitted: FittedDetector
    own: list[FittedDetector]

    def scores(self, bank: MelBank, section: str) -> Floats:
        """Return the score (candidate, clip) of each clip of a bank for each candidate."""
        vectors = represent(self.fitted.recipe, self.fitted.network, bank)
        return np.array([_scores(each, vectors, section, len(bank)) for each in self.own])


def _scores(
    fitted: FittedDetector, vectors: Mapping[str, Vectors], section: str, count: int
) -> Floats:
    distances = fitted.comparison(section).measure(vectors, count)
    return fitted.calibration(section).judge(distances, [None] * count).score


def try_out(
    candidates: Sequence[Candidate],
    healthy: Sounds,
    times: Sequence[int],
    *,
    seed: int = 0,
    cache: str | Path | None = None,
) -> Trials:
    """Return how candidates score healthy recordings and faults, each left out of what they learn.

    In each recording every kind of fault is planted `times` (recording,) times, of random strength.
    The candidates leave nothing to the recordings (`dgmix.detect.resolve`).
    """
    groups = families(candidates, healthy, seed, cache)
    names = learn.recordings_of(healthy, groups[0].recipe, cache)
    folds = folds_of(names, healthy.sections, healthy.domains)
    faults = faults_by_section(healthy, healthy.sections, groups[0].recipe)
    scores, numbers, kinds = [], [], []
    with single_threaded(), progress("trying candidates", len(healthy)) as advance:
        for fold in range(FOLDS):
            learned = [group.learned(np.flatnonzero(folds != fold)) for group in groups]
            for number in np.flatnonzero(folds == fold).tolist():
                own = faults[healthy.sections[number]]
                plantings, of = _plantings(own, number, times[number], seed)
                scores.append(_of_recording(learned, healthy, number, plantings))
                numbers += [number] * len(plantings)
                kinds += of
                advance(1)
    return Trials(
        np.concatenate(scores, 1),
        np.unique(np.array(names, str), return_inverse=True)[1][numbers].astype(np.int64),
        np.array(healthy.sections, str)[numbers],
        np.array(healthy.domains, str)[numbers],
        np.array(kinds, np.int64),
    )


def folds_of(recordings: Sequence[str], sections: Sequence[str], domains: Sequence[str]) -> Numbers:
    """Return the fold (clip,) of each clip: one for each recording, each section and domain in all
    folds where it has as many recordings."""
    first = {name: place for place, name in reversed(list(enumerate(recordings)))}
    ordered = sorted(first, key=lambda name: (sections[first[name]], domains[first[name]], name))
    fold = {name: order % FOLDS for order, name in enumerate(ordered)}
    return np.array([fold[name] for name in recordings], np.int64)


def _plantings(
    faults: Sequence[Fault], number: int, times: int, seed: int
) -> tuple[list[Planting], list[int]]:
    """Return nothing and the faults to plant in a recording, and the numbers of their kinds."""
    plantings, kinds = [Planting(NOTHING, 0, ())], [-1]
    rng = np.random.default_rng([seed, number])
    for kind, fault in enumerate(faults):
        for time in range(times):
            strength = _between(fault, rng.random())
            plantings.append(Planting(fault, strength, (seed, number, kind, time)))
            kinds.append(kind)
    return plantings, kinds


def _between(fault: Fault, place: float) -> float:
    """Return the strength at a place between 0, the least, and 1, the greatest."""
    steps = np.linspace(0, 1, len(fault.strengths))
    return float(np.interp(place, steps, fault.strengths))


def _of_recording(
    learned: Sequence[Learned], healthy: Sounds, number: int, plantings: Sequence[Planting]
) -> Floats:
    """Return the score (candidate, planting) of a recording with each fault."""
    scores = np.empty((sum(len(each.places) for each in learned), len(plantings)))
    for each in learned:
        recipe = each.fitted.recipe
        signal = beginning(healthy, number, recipe, LONGEST_SECONDS)
        bank = bank_of(plantings, signal, recipe)
        scores[each.places] = each.scores(bank, healthy.sections[number])
    return scores
