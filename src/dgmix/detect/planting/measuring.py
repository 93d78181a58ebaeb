"""Which share of planted faults a detector finds: kind by kind, at which strength.

Faults are planted in healthy recordings that are left out of what they are compared with, together
with all that was recorded with them; what is an anomaly at the detector's own false-alarm rate is
detected. A fault detected at one strength is assumed to be detected at any greater one, so that
three of seven strengths have to be tried.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.memory import digests
from dgmix.detect.planting.faults import FAULTS, NOTHING, Fault
from dgmix.detect.planting.hosts import (
    LONGEST_SECONDS,
    beginning,
    faults_by_section,
    spread,
)
from dgmix.detect.planting.plantings import Planting, bank_of
from dgmix.detect.recordings import Sounds
from dgmix.detect.sensitivity import Response, Sensitivity
from dgmix.errors import InputError
from dgmix.progress import progress
from dgmix.workers import single_threaded

PLANTINGS, FEW_PLANTINGS = 24, 8  # of each kind and strength
MOST_SECONDS = 3 * 3600  # of sound that is made and judged
TRIALS = 3 * (len(FAULTS) + 1)  # for each recording
LEAST_RECORDINGS = 3  # of a section: one to plant in, two to compare with
LEFT_OUT_AT_ONCE = 0.1
Samples = NDArray[np.float32]
Numbers = NDArray[np.int64]


def measure(
    fitted: FittedDetector,
    healthy: Sounds,
    *,
    seed: int = 0,
    quick: bool = False,
    cache: str | Path | None = None,
) -> Sensitivity:
    """Return which share of planted faults a detector finds.

    `healthy` are recordings as those that it learned from, or these themselves; of a long one the
    first two minutes count. `quick` plants a third as many. `cache` is the folder of features.
    Raises `InputError` where no section has three healthy recordings.
    """
    hosts = _hosts(fitted, healthy, FEW_PLANTINGS if quick else PLANTINGS)
    known = healthy.select(hosts.numbers).features(fitted.recipe, cache)
    left_out = _left_out(fitted, known)
    sections = [healthy.sections[number] for number in hosts.numbers]
    faults = faults_by_section(healthy, sections, fitted.recipe)
    trials = []
    with single_threaded(), progress("planting faults", len(hosts.numbers)) as advance:
        for fold in _folds(fitted, healthy, hosts.numbers):
            without = np.unique(np.concatenate([left_out[place] for place in fold]))
            kept = np.setdiff1d(np.arange(len(fitted.memory.clips)), without)
            detector = replace(fitted, memory=fitted.memory.select(kept))
            for place in fold:
                number = hosts.numbers[place]
                of = faults[healthy.sections[number]]
                trials.append(_trial(detector, healthy, number, of, hosts.times, seed))
                advance(1)
    return _summed_up(fitted, trials, hosts)


def with_sensitivity(
    fitted: FittedDetector,
    healthy: Sounds,
    *,
    seed: int = 0,
    quick: bool = False,
    cache: str | Path | None = None,
) -> FittedDetector:
    """Return the detector with what `measure` returns of it."""
    sensitivity = measure(fitted, healthy, seed=seed, quick=quick, cache=cache)
    return replace(fitted, sensitivity=sensitivity)


@dataclass(frozen=True)
class _Hosts:
    """The recordings that faults are planted in, and how many of each kind and strength."""

    numbers: list[int]
    times: int


@dataclass(frozen=True)
class _Trial:
    """What is detected in one recording: `least` (fault, time), from which of the strengths on.

    `flagged`: whether it is an anomaly without a fault; `rate`: the false-alarm rate of verdicts.
    """

    faults: tuple[Fault, ...]
    least: Numbers
    flagged: bool
    rate: float


def _hosts(fitted: FittedDetector, healthy: Sounds, plantings: int) -> _Hosts:
    """Return which recordings faults are planted in: of each section in turn."""
    counts = _recordings_by_section(fitted)
    if max(counts.values()) < LEAST_RECORDINGS:
        raise InputError(
            f"planting faults needs {LEAST_RECORDINGS} healthy recordings of a section, and there "
            f"are {max(counts.values())}; add others"
        )
    seconds = min(float(np.median(fitted.memory.clips.seconds)), LONGEST_SECONDS)
    wanted = min(plantings, max(FEW_PLANTINGS, int(MOST_SECONDS / (TRIALS * seconds))))
    numbers: dict[str, list[int]] = {}
    for number in healthy.one_of_each():
        key = fitted.key(healthy.sections[number])
        if counts.get(key, 0) >= LEAST_RECORDINGS:
            numbers.setdefault(key, []).append(number)
    if not numbers:
        raise InputError(
            "none of these recordings is of a section that the detector learned; give healthy "
            "recordings of the sections it was fitted on"
        )
    chosen = spread(numbers, wanted)
    return _Hosts(chosen, -(-wanted // len(chosen)))


def _recordings_by_section(fitted: FittedDetector) -> dict[str, int]:
    clips = fitted.memory.clips
    pairs = set(zip(clips.sections, clips.recordings, strict=True))
    return Counter(fitted.key(section) for section, _ in pairs)


def _left_out(fitted: FittedDetector, bank: MelBank) -> list[Numbers]:
    """Return which healthy clips are of the recording of each clip of a bank."""
    clips = fitted.memory.clips
    recordings = np.array(clips.recordings, str)
    own = (recordings[clips.digests == digest] for digest in digests(bank))
    return [np.flatnonzero(np.isin(recordings, names)) for names in own]


def _folds(fitted: FittedDetector, healthy: Sounds, numbers: Sequence[int]) -> list[list[int]]:
    """Return the places of recordings that are left out together: a tenth of a section at most."""
    counts, places = _recordings_by_section(fitted), defaultdict(list)
    for place, number in enumerate(numbers):
        places[fitted.key(healthy.sections[number])].append(place)
    folds: dict[int, list[int]] = defaultdict(list)
    for key, of in places.items():
        size = max(1, int(LEFT_OUT_AT_ONCE * counts[key]))
        for order, place in enumerate(of):
            folds[order // size].append(place)
    return list(folds.values())


class _Judge:
    """Says of plantings in one recording which are anomalies for a detector."""

    def __init__(self, detector: FittedDetector, signal: Samples, section: str) -> None:
        self._detector, self._signal, self._section = detector, signal, section
        self._promise = detector.promise(None, [section])
        self.rate = detector.rate(None, [section], self._promise)

    def detects(self, plantings: Sequence[Planting]) -> NDArray[np.bool_]:
        """Return which plantings (planting,) are detected."""
        bank = bank_of(plantings, self._signal, self._detector.recipe)
        judged = self._detector.judge(bank, [""] * len(bank), [self._section] * len(bank))
        return np.array([each.anomalous(self.rate, self._promise) for each in judged], bool)


def _trial(
    detector: FittedDetector,
    healthy: Sounds,
    number: int,
    faults: tuple[Fault, ...],
    times: int,
    seed: int,
) -> _Trial:
    recipe, section = detector.recipe, healthy.sections[number]
    signal = beginning(healthy, number, recipe, LONGEST_SECONDS)
    judge = _Judge(detector, signal, section)
    seeds = [(seed, number, kind, time) for kind in range(len(faults)) for time in range(times)]
    least = least_detected(judge.detects, [faults[kind] for _, _, kind, _ in seeds], seeds)
    flagged = bool(judge.detects([Planting(NOTHING, 0, (0,))])[0])
    return _Trial(faults, least.reshape(len(faults), times), flagged, judge.rate)


def least_detected(
    detects: Callable[[Sequence[Planting]], NDArray[np.bool_]],
    faults: Sequence[Fault],
    seeds: Sequence[tuple[int, ...]],
) -> Numbers:
    """Return the number (planting,) of the least strength that is detected, by halving.

    `detects` returns which plantings are detected. Where no strength is, their count is returned.
    """
    above = np.array([len(fault.strengths) for fault in faults])
    below = np.full(len(faults), -1)
    while (between := np.flatnonzero(above - below > 1)).size:
        middle = (above + below) // 2
        plantings = [
            Planting(faults[i], faults[i].strengths[middle[i]], seeds[i]) for i in between.tolist()
        ]
        hits = detects(plantings)
        above[between[hits]] = middle[between[hits]]
        below[between[~hits]] = middle[between[~hits]]
    return above


def _summed_up(fitted: FittedDetector, trials: Sequence[_Trial], hosts: _Hosts) -> Sensitivity:
    responses = []
    for kind, fault in enumerate(trials[0].faults):
        least = np.concatenate([trial.least[kind] for trial in trials])
        shares = [float((least <= place).mean()) for place in range(len(fault.strengths))]
        responses.append(Response(fault.name, fault.unit, fault.strengths, tuple(shares)))
    return Sensitivity(
        rate=float(np.mean([trial.rate for trial in trials])),
        recordings=len(trials),
        plantings=len(trials) * hosts.times,
        flagged=float(np.mean([trial.flagged for trial in trials])),
        learned_from=sum(_recordings_by_section(fitted).values()),
        trained_on=fitted.network is not None,
        responses=tuple(responses),
    )
