"""A detector of vectors that the user gives: of vibration, of currents, or of other programs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dgmix.config import GIVEN, Recipe
from dgmix.data.vectors import Column, VectorTable
from dgmix.detect.conformal import check_is_rate
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.judgement import ANOMALY, Judgement
from dgmix.detect.learn import with_update
from dgmix.detect.localize import BandStatistics
from dgmix.detect.memory import HealthyClips, Memory
from dgmix.detect.quality import measures_of
from dgmix.detect.resolve import recipe_at
from dgmix.detect.views import Vectors
from dgmix.errors import InputError, check_length

RATE = 16_000  # Hz, where the recipe leaves it open: nothing here depends on it
Texts = tuple[str, ...]


def fit_vectors(
    healthy: VectorTable, recipe: Recipe, *, seed: int = 0, false_alarm_rate: float = 0.05
) -> FittedDetector:
    """Return a detector that has learned from vectors of healthy recordings.

    Vectors that are equal count once. Raises `InputError` where there is none,
    and for a false-alarm rate that is none.
    """
    check_is_rate(false_alarm_rate)
    if not len(healthy):
        raise InputError(f"{healthy.source}: no vector; give one of each healthy recording")
    if recipe.audio.sample_rate == "auto":
        recipe = recipe_at(recipe, RATE)
    settings = recipe.detect.model_copy(update={"views": [GIVEN], "pool": "mean-embedding"})
    recipe = recipe.model_copy(update={"detect": settings})
    return FittedDetector(
        recipe,
        None,
        _memory(healthy),
        (_no_bands(recipe, len(healthy)),),
        len(healthy),
        seed,
        false_alarm_rate,
        feature_names=healthy.feature_names,
    )


def judge_vectors(
    fitted: FittedDetector, given: VectorTable, conditions: Sequence[str | None] | None = None
) -> list[Judgement]:
    """Return the judgement of each vector; `conditions` are their operating conditions where known.

    Those of a table say what to learn, and decide nothing here, as for recordings. Raises
    `InputError` for vectors of another size, and where the detector learned from sound.
    """
    given = _fitting(fitted, given)
    count = len(given)
    check_length("conditions", conditions, count)
    section = fitted.sections[0] if len(fitted.sections) == 1 else ""
    return fitted.judge_views(
        {GIVEN: Vectors(given.values, np.arange(count))},
        given.names or [f"vector {number}" for number in range(count)],
        _filled(given.sections, [section] * count),
        conditions,
        np.isin(_digests(given.values), fitted.memory.clips.digests),
    )


def update_vectors(
    fitted: FittedDetector, more: VectorTable, *, accept: bool = False
) -> FittedDetector:
    """Return a detector that remembers more vectors of healthy recordings, as `learn.update`.

    Those that it calls anomalies are left out unless they are accepted, and those that it knows.
    """
    more = _fitting(fitted, more)
    promise = fitted.promise(None, more.sections or ())
    rate = fitted.rate(None, more.sections or (), promise)
    judged = judge_vectors(fitted, more)
    faulty = np.array([each.verdict(rate, promise) == ANOMALY for each in judged], bool)
    new = ~np.array([each.learned for each in judged], bool)
    faulty &= new & (not accept)
    chosen = np.flatnonzero(new & ~faulty)
    memory: Memory | None = None
    bands: tuple[BandStatistics, ...] = ()
    if len(chosen):
        memory = _memory(more, fitted.sections[0]).select(chosen)
        bands = (_no_bands(fitted.recipe, len(chosen)),)
    return with_update(fitted, memory, bands, int(faulty.sum()))


def _fitting(fitted: FittedDetector, given: VectorTable) -> VectorTable:
    """Return vectors that can be compared with those that a detector learned from."""
    if GIVEN not in fitted.memory.views:
        raise InputError(
            "this detector was fitted on recordings, not on vectors; use score_samples"
        )
    given = given.ordered(fitted.feature_names)
    size = fitted.memory.views[GIVEN].values.shape[1]
    if given.values.shape[1] != size:
        raise InputError(
            f"{given.source}: vectors of {given.values.shape[1]} numbers; this detector was fitted "
            f"on vectors of {size}"
        )
    return given


def _memory(table: VectorTable, section: str = "00") -> Memory:
    """Return what is remembered of vectors; without a name, each is a recording by itself."""
    count = len(table)
    digests = _digests(table.values)
    own = [f"{number & (1 << 64) - 1:016x}" for number in digests.tolist()]
    domains = _filled(table.domains, ["source"] * count)
    clips = HealthyClips(
        _filled(table.sections, [section or "00"] * count),
        domains,
        _filled(table.recordings, own),
        _filled(table.conditions, domains),
        digests,
        np.zeros(count),
        measures_of([None] * count),
    )
    return Memory({GIVEN: Vectors(table.values, np.arange(count))}, clips)


def _filled(column: Column, default: Sequence[str]) -> Texts:
    """Return a column with the default where it is empty."""
    return tuple(value or other for value, other in zip(column or default, default, strict=True))


def _digests(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return a number (recording,) that tells vectors apart."""
    each = (hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in values)
    return np.frombuffer(b"".join(each), "<i8").astype(np.int64)


def _no_bands(recipe: Recipe, count: int) -> BandStatistics:
    n_mels = recipe.features.n_mels
    none, edges = np.zeros(n_mels, np.float32), np.zeros((2, n_mels), np.float32)
    return BandStatistics(none, none, edges, edges, 0.0, count)
