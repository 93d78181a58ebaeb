"""Which of several recipes tells planted faults best from healthy recordings, without labels.

Diverse pseudo-anomalies choose a detector about as well as the labels of other machines do
(Wilkinghoff and Tan 2026). Here they are faults of every kind and of random strength.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dgmix.config import Recipe
from dgmix.detect import learn
from dgmix.detect.memory import durations
from dgmix.detect.planting.candidates import Candidate, candidates
from dgmix.detect.planting.faults import FAULTS
from dgmix.detect.planting.hosts import LONGEST_SECONDS, spread
from dgmix.detect.planting.measuring import measure
from dgmix.detect.planting.trials import Trials, try_out
from dgmix.detect.plugging import plugged
from dgmix.detect.recordings import Sounds
from dgmix.detect.resolve import resolve
from dgmix.detect.sensitivity import Sensitivity
from dgmix.detect.sources import Source, healthy_sounds
from dgmix.errors import InputError
from dgmix.progress import quiet as quieted

MOST_RECORDINGS, FEW_RECORDINGS = 96, 32
LEAST_RECORDINGS = 8  # of a section: two for each fold
PLANTINGS, FEW_PLANTINGS, LEAST_PLANTINGS = 96, 32, 12  # of each kind of fault
MOST_SECONDS = 4 * 3600  # of sound with faults
PARTIAL = 0.1  # of the ROC curve, as in the official score of DCASE
WORTH, ERRORS = 2.0, 2.0  # in %, and in standard errors: what a gain has to exceed
LOSS = 0.5  # in %: what may be lost of the separation of any kind of fault
KIND_NAMES = (*(fault.name for fault in FAULTS), "another sound")
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]


def separation(trials: Trials) -> tuple[Floats, Numbers]:
    """Return how well each candidate tells each planted fault (candidate, fault), in %.

    A fault counts by the share of the healthy recordings of each domain that score less than it,
    and by what it adds to the partial AUC: their mean over faults is that of the AUC of each domain
    and the standardised partial AUC, as in the official score. Also returns the numbers of the
    faults among the items of the trials (fault,).
    """
    values, items = [], []
    for section in np.unique(trials.sections):
        own = trials.sections == section
        healthy, planted = own & (trials.faults < 0), own & (trials.faults >= 0)
        if planted.any():
            domains = np.unique(trials.domains[healthy])
            parts = [healthy & (trials.domains == domain) for domain in domains]
            shares = [_below(trials.scores, part, planted) for part in parts]
            whole = _partial(_below(trials.scores, healthy, planted))
            values.append(np.mean([*shares, whole], axis=0))
            items.append(np.flatnonzero(planted))
    return 100 * np.concatenate(values, 1), np.concatenate(items)


def _below(scores: Floats, healthy: NDArray[np.bool_], planted: NDArray[np.bool_]) -> Floats:
    """Return the share of healthy items that score less than each planted one (candidate, fault);
    half of those that score the same."""
    shares = []
    for row in scores:
        ordered = np.sort(row[healthy])
        sides = [np.searchsorted(ordered, row[planted], side) for side in ("left", "right")]
        shares.append(np.mean(sides, axis=0) / len(ordered))
    return np.array(shares)


def _partial(shares: Floats) -> Floats:
    """Return what each fault adds to the standardised partial AUC (McClish 1989)."""
    area = np.maximum(PARTIAL - (1 - shares), 0)
    chance = PARTIAL**2 / 2
    return np.asarray(0.5 * (1 + (area - chance) / (PARTIAL - chance)))


@dataclass(frozen=True)
class Tried:
    """A candidate and how well it separates planted faults from healthy recordings, in %.

    `gain`: how much better than the first candidate, with its standard `error` over recordings;
    `worst`: the name of the kind of fault for which the gain is least, and that gain.
    """

    candidate: Candidate
    value: float
    gain: float
    error: float
    worst: tuple[str, float]

    @property
    def better(self) -> bool:
        """Whether it is better by more than chance explains, and loses for no kind of fault."""
        return self.gain > max(WORTH, ERRORS * self.error) and self.worst[1] >= -LOSS


@dataclass(frozen=True)
class Choice:
    """What was chosen among candidates: `tried` are all of them, the default first.

    `recordings`: how many healthy ones they were tried on; `faults`: how many were planted in
    these; `sensitivity`: what the chosen one would find when it has learned from all recordings.
    """

    tried: tuple[Tried, ...]
    recordings: int
    faults: int
    sensitivity: Sensitivity | None = None

    @property
    def chosen(self) -> Tried:
        """The best of those better than the default by more than chance, or the default itself."""
        better = [each for each in self.tried if each.better]
        return max(better, key=lambda each: each.value, default=self.tried[0])

    @property
    def recipe(self) -> Recipe:
        """The recipe that was chosen."""
        return self.chosen.candidate.recipe

    def as_values(self) -> dict[str, Any]:
        """Return it as values that JSON has."""
        return {
            "chosen": self.chosen.candidate.name,
            "recordings": self.recordings,
            "faults": self.faults,
            "candidates": [
                {
                    "name": each.candidate.name,
                    "views": list(each.candidate.recipe.detect.views),
                    "separation, %": each.value,
                    "gain": each.gain,
                    "standard error of the gain": each.error,
                    "least gain": {"fault": each.worst[0], "gain": each.worst[1]},
                }
                for each in self.tried
            ],
            "sensitivity": self.sensitivity.as_values() if self.sensitivity else None,
            "recipe": self.recipe.model_dump(mode="json"),
        }


def choose(
    healthy: Source,
    recipe: str | Path | Recipe = "default",
    also: Sequence[str | Path | Recipe] = (),
    *,
    changes: Sequence[str] = (),
    sample_rate: int | None = None,
    seed: int = 0,
    quick: bool = False,
    cache: str | Path | None = None,
) -> Choice:
    """Choose the views of a detector for a machine from its healthy recordings alone.

    Faults of many kinds are planted in recordings that the candidates do not learn from; the best
    is the one that tells them best from recordings without. Candidates are `recipe`, its variants
    in views, and the recipes `also`; one replaces `recipe` only where it is better by more than
    chance, and as good for every kind of fault. `changes` are `a.b=value` texts for all of these
    recipes; `sample_rate` is that of arrays without their own, in Hz. `quick` takes a third of
    recordings and faults; `seed` decides everything random; `cache` is the folder of features.
    Raises `InputError` for recordings that cannot be used, and where no section has eight of them.
    """
    given = healthy_sounds(healthy, sample_rate)
    base, *others = (resolve(plugged(each, changes=changes), given) for each in (recipe, *also))
    options = candidates(base, _name(recipe))
    options += [Candidate(_name(each), own) for each, own in zip(also, others, strict=True)]
    chosen = given.select(recordings_to_try(given, FEW_RECORDINGS if quick else MOST_RECORDINGS))
    times = plantings_of_each(chosen, base, FEW_PLANTINGS if quick else PLANTINGS, cache)
    choice = choice_of(options, try_out(options, chosen, times, seed=seed, cache=cache))
    with quieted():
        fitted = learn.fit(given, choice.recipe, seed=seed, cache=cache)
    sensitivity = measure(fitted, given, seed=seed, quick=quick, cache=cache)
    return replace(choice, sensitivity=sensitivity)


def recordings_to_try(healthy: Sounds, most: int) -> list[int]:
    """Return the numbers of the recordings that candidates are tried on: `most`, spread evenly.

    They are of sections that have enough recordings; raises `InputError` where none has.
    """
    numbers = healthy.one_of_each()
    counts = Counter(healthy.sections[number] for number in numbers)
    if max(counts.values()) < LEAST_RECORDINGS:
        raise InputError(
            f"choosing needs {LEAST_RECORDINGS} healthy recordings of a section, and there are "
            f"{max(counts.values())}; record more, or keep the default"
        )
    groups: dict[tuple[str, str], list[int]] = {}
    for number in numbers:
        section, domain = healthy.sections[number], healthy.domains[number]
        if counts[section] >= LEAST_RECORDINGS:
            groups.setdefault((section, domain), []).append(number)
    return spread(groups, most)


def plantings_of_each(
    healthy: Sounds, recipe: Recipe, wanted: int, cache: str | Path | None
) -> list[int]:
    """Return how many faults of each kind are planted in each recording (recording,).

    There are `wanted` of each kind, and fewer where the recordings are long.
    """
    seconds = float(np.median(durations(healthy.features(recipe, cache), recipe)))
    affordable = int(MOST_SECONDS / (len(KIND_NAMES) * min(seconds, LONGEST_SECONDS)))
    count = min(wanted, max(LEAST_PLANTINGS, affordable))
    hosts = np.zeros(len(healthy), int)
    hosts[spread({"all": range(len(healthy))}, count)] = -(-count // len(healthy))
    return hosts.tolist()


def choice_of(options: Sequence[Candidate], trials: Trials) -> Choice:
    """Return the choice that trials of candidates lead to."""
    values, items = separation(trials)
    gains, kinds = values - values[0], trials.faults[items]
    of_host, of_kind = _means(gains, trials.recordings[items]), _means(gains, kinds)
    errors = of_host.std(1, ddof=1) / np.sqrt(of_host.shape[1])
    names = [KIND_NAMES[kind] for kind in np.unique(kinds)]
    tried = tuple(
        Tried(
            option,
            value=float(values[row].mean()),
            gain=float(gains[row].mean()),
            error=float(errors[row]),
            worst=(names[of_kind[row].argmin()], float(of_kind[row].min())),
        )
        for row, option in enumerate(options)
    )
    return Choice(tried, len(np.unique(trials.recordings)), values.shape[1])


def _means(values: Floats, groups: Numbers) -> Floats:
    """Return the mean (candidate, group) of values (candidate, fault) over each group."""
    return np.stack([values[:, groups == group].mean(1) for group in np.unique(groups)], 1)


def _name(given: str | Path | Recipe) -> str:
    return "as given" if isinstance(given, Recipe) else str(given)
