"""How sure a number is: bootstrap over clips and seeds, or the spread over repeats.

A resample draws, with replacement, as many test clips of each section, domain and label as there
are, and as many seeds as there are (Efron, Tibshirani 1993, chapter 6 and section 13.3: the
percentile interval). Every system meets the same resamples, so that differences are paired. Where
the data holds several train/test splits, the standard error over them is given instead.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

import numpy as np
import polars as pl

from dgmix.errors import DgmixError
from dgmix.evaluate.draws import GROUPS, Clips, drawn, resampled_metrics
from dgmix.evaluate.metrics import (
    METRICS_OF,
    Convention,
    Floats,
    arithmetic_mean,
    harmonic_mean,
)

Place = tuple[str, str]
"""A machine and one of its sections."""


class Unit(NamedTuple):
    """One section as one training of one system scored it."""

    system: str
    repeat: int
    seed: int
    machine: str
    section: str


class Training(NamedTuple):
    """What a seed learned of a train/test split, all machines and sections of it."""

    repeat: int
    seed: int


class Estimate(NamedTuple):
    """A number with its interval (one split) or its standard error (several); NaN where none."""

    value: float
    low: float = math.nan
    high: float = math.nan
    error: float = math.nan


@dataclass(frozen=True)
class Resampled:
    """The metrics of every section, on the clips as they are and on each resample of them.

    `cells` float64 (1 + resample, metric) holds the `metrics` of a unit under `convention`; row 0
    is of the clips as they are, NaN is undefined. `confidence` is the part of the resamples that an
    interval covers.
    """

    clips: dict[Unit, Clips]
    cells: dict[Unit, Floats]
    convention: Convention
    confidence: float

    @property
    def metrics(self) -> tuple[str, ...]:
        """The names of the metrics, in their order in `cells`."""
        return METRICS_OF[self.convention]

    def estimate(
        self,
        system: str,
        metrics: Sequence[str] = (),
        machine: str | None = None,
        places: Collection[Place] | None = None,
    ) -> Estimate:
        """Return the mean of a system's `metrics` over machines and sections, or over `places`.

        The mean is harmonic, or as the convention has it; with all metrics, which is without
        `metrics`, it is Ω. It is the mean over seeds of each seed's harmonic mean; a
        training that lacks a section which another one has is left out (see `partial_trainings`).
        """
        return self._estimate(_by_repeat(self._whole(system, metrics, machine, places)))

    def difference(
        self, system: str, other: str, metrics: Sequence[str] = (), machine: str | None = None
    ) -> Estimate:
        """Return how much higher `system` is than `other`, paired by clips, seeds and repeats.

        Seeds and repeats that one of them lacks are left out. Raises `DgmixError` when the two did
        not score the same clips.
        """
        both = set(self.trainings(system)) & set(self.trainings(other))
        if self._paths(system, machine, both) != self._paths(other, machine, both):
            raise DgmixError(
                f"{system} and {other} did not score the same clips; compare them where they did"
            )
        left, right = (self._whole(name, metrics, machine, None) for name in (system, other))
        pairs = {each: left[each] - right[each] for each in left if each in right}
        return self._estimate(_by_repeat(pairs))

    def trainings(self, system: str) -> list[Training]:
        """Return the trainings of a system that have scored something, sorted."""
        return sorted(self._trainings(system, None, None))

    def partial_trainings(self, system: str) -> list[Training]:
        """Return those of a system that lack sections which others of its trainings have."""
        trainings = self._trainings(system, None, None)
        whole = _places(trainings)
        return sorted(each for each, units in trainings.items() if _place(units) != whole)

    def places(self, system: str) -> set[Place]:
        """Return the machines and sections that a system has scored."""
        return {(u.machine, u.section) for u in self.cells if u.system == system}

    @property
    def resamples(self) -> int:
        """How many resamples there are of every section."""
        return max((len(values) - 1 for values in self.cells.values()), default=0)

    @property
    def several_repeats(self) -> bool:
        """Whether the scores are of several train/test splits."""
        return len({unit.repeat for unit in self.cells}) > 1

    def _trainings(
        self, system: str, machine: str | None, places: Collection[Place] | None
    ) -> dict[Training, list[Unit]]:
        units: dict[Training, list[Unit]] = {}
        for unit in self.cells:
            wanted = unit.system == system and machine in (None, unit.machine)
            if wanted and (places is None or (unit.machine, unit.section) in places):
                units.setdefault(Training(unit.repeat, unit.seed), []).append(unit)
        return units

    def _whole(
        self,
        system: str,
        metrics: Sequence[str],
        machine: str | None,
        places: Collection[Place] | None,
    ) -> dict[Training, Floats]:
        """Return the mean (1 + resample,) of each training that lacks no section."""
        columns = [self.metrics.index(metric) for metric in metrics or self.metrics]
        trainings = self._trainings(system, machine, places)
        whole = _places(trainings)
        return {
            each: self._mean(units, columns)
            for each, units in trainings.items()
            if _place(units) == whole
        }

    def _mean(self, units: Sequence[Unit], columns: Sequence[int]) -> Floats:
        """Return the mean (1 + resample,) over some units of one training."""
        if self.convention != "by-id":
            cells = np.stack([self.cells[unit][:, columns] for unit in units])
            return harmonic_mean(cells, axis=(0, 2))
        by_machine: dict[str, list[Floats]] = {}
        for unit in units:
            by_machine.setdefault(unit.machine, []).append(self.cells[unit][:, columns])
        means = [arithmetic_mean(np.stack(each), axis=(0, 2)) for each in by_machine.values()]
        return arithmetic_mean(np.stack(means), axis=0)

    def _paths(
        self, system: str, machine: str | None, trainings: Collection[Training]
    ) -> set[tuple[object, ...]]:
        return {
            (unit.repeat, unit.machine, unit.section, clips.paths)
            for unit, clips in self.clips.items()
            if unit.system == system
            and machine in (None, unit.machine)
            and Training(unit.repeat, unit.seed) in trainings
        }

    def _estimate(self, series: dict[int, Floats]) -> Estimate:
        if not series:
            return Estimate(math.nan)
        if self.several_repeats:
            return _over_repeats(np.array([values[0] for values in series.values()]))
        (values,) = series.values()
        if len(values) == 1:
            return Estimate(float(values[0]))
        tail = (1 - self.confidence) / 2
        low, high = np.quantile(values[1:], [tail, 1 - tail])
        return Estimate(float(values[0]), float(low), float(high))


def resample(
    scores: pl.DataFrame,
    convention: Convention = "official",
    bootstrap: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Resampled:
    """Return the metrics of every section of a table of scores, and of `bootstrap` resamples.

    `scores` has the columns of `dgmix.evaluate.scores.SCHEMA`. The result depends on `seed` and on
    the rows, not on their order; a section's resamples do not depend on the other sections. Of
    several train/test splits no resamples are made.
    """
    clips = clips_of(scores)
    several = len({unit.repeat for unit in clips}) > 1
    cells = {
        unit: resampled_metrics(
            section,
            convention,
            0 if several else bootstrap,
            np.random.default_rng([seed, crc32(f"{unit.machine}/{unit.section}".encode())]),
        )
        for unit, section in clips.items()
    }
    return Resampled(clips, cells, convention, confidence)


def clips_of(scores: pl.DataFrame) -> dict[Unit, Clips]:
    """Return the labelled test clips of every section; a section without any is there, empty."""
    group = pl.concat_str("domain", "label", separator="_").replace_strict(
        {f"{domain}_{label}": number for number, (domain, label) in enumerate(GROUPS)}, default=-1
    )
    test = scores.filter(pl.col("split") == "test").with_columns(group=group)
    ordered = test.sort(*Unit._fields, "group", "path")
    clips = {}
    for key, rows in ordered.group_by(*Unit._fields, maintain_order=True):
        known = rows.filter(pl.col("group") >= 0)
        clips[Unit(*key)] = Clips(
            known["score"].to_numpy(), known["group"].to_numpy(), tuple(known["path"])
        )
    return clips


def _by_repeat(series: dict[Training, Floats]) -> dict[int, Floats]:
    """Return the mean (1 + resample,) over (resampled) seeds, by repeat."""
    repeats: dict[int, dict[int, Floats]] = {}
    for each in sorted(series):
        repeats.setdefault(each.repeat, {})[each.seed] = series[each]
    return {repeat: _over_seeds(seeds) for repeat, seeds in repeats.items()}


def _over_seeds(series: dict[int, Floats]) -> Floats:
    """Return the mean (1 + resample,) over seeds; each resample draws its own seeds."""
    seeds = sorted(series)
    values = np.stack([series[seed] for seed in seeds], axis=1)
    rng = np.random.default_rng(crc32(repr(seeds).encode()))
    times = drawn(len(seeds), len(values) - 1, rng)
    weights = np.concatenate([np.ones((1, len(seeds))), times]) / len(seeds)
    mean: Floats = (values * weights).sum(axis=1)
    return mean


def _over_repeats(values: Floats) -> Estimate:
    values = values[~np.isnan(values)]
    if not len(values):
        return Estimate(math.nan)
    error = values.std(ddof=1) / math.sqrt(len(values)) if len(values) > 1 else math.nan
    return Estimate(float(values.mean()), error=float(error))


def _place(units: Sequence[Unit]) -> set[Place]:
    return {(unit.machine, unit.section) for unit in units}


def _places(trainings: dict[Training, list[Unit]]) -> set[Place]:
    return _place([unit for units in trainings.values() for unit in units])
