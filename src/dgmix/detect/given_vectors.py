"""A detector of vectors that the user gives: of vibration, of currents, or of other programs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dgmix.config import GIVEN, Recipe
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.judgement import Judgement
from dgmix.detect.localize import BandStatistics
from dgmix.detect.memory import HealthyClips, Memory
from dgmix.detect.quality import measures_of
from dgmix.detect.recordings import check_length
from dgmix.detect.resolve import recipe_at
from dgmix.detect.views import Vectors
from dgmix.errors import InputError

RATE = 16_000  # Hz, where the recipe leaves it open: nothing here depends on it
Column = Sequence[str] | None


def fit_vectors(
    X: ArrayLike,
    recipe: Recipe,
    *,
    seed: int = 0,
    false_alarm_rate: float = 0.05,
    sections: Column = None,
    domains: Column = None,
    recordings: Column = None,
    conditions: Column = None,
) -> FittedDetector:
    """Return a detector that has learned from vectors (recording, dim) of healthy recordings.

    The columns are those of `Detector.fit`, one value a recording. Vectors that are equal count
    once. Raises `InputError` for what are no vectors of finite numbers.
    """
    values = as_vectors(X)
    count = len(values)
    if not count:
        raise InputError("X: no vector; give one of each healthy recording")
    digests = _digests(values)
    own = [f"{number & (1 << 64) - 1:016x}" for number in digests.tolist()]
    domain = _column("domains", domains, ["source"] * count)
    clips = HealthyClips(
        _column("sections", sections, ["00"] * count),
        domain,
        _column("recordings", recordings, own),
        _column("conditions", conditions, domain),
        digests,
        np.zeros(count),
        measures_of([None] * count),
    )
    if recipe.audio.sample_rate == "auto":
        recipe = recipe_at(recipe, RATE)
    settings = recipe.detect.model_copy(update={"views": [GIVEN], "pool": "mean-embedding"})
    recipe = recipe.model_copy(update={"detect": settings})
    memory = Memory({GIVEN: Vectors(values, np.arange(count))}, clips)
    bands = (_no_bands(recipe.features.n_mels, count),)
    return FittedDetector(recipe, None, memory, bands, count, seed, false_alarm_rate)


def judge_vectors(
    fitted: FittedDetector, X: ArrayLike, sections: Column = None, conditions: Any = None
) -> list[Judgement]:
    """Return the judgement of each vector (recording, dim). Raises `InputError` for others."""
    if GIVEN not in fitted.memory.views:
        raise InputError(
            "this detector was fitted on recordings, not on vectors; use score_samples"
        )
    values, known = as_vectors(X), fitted.memory.views[GIVEN].values
    if values.shape[1] != known.shape[1]:
        raise InputError(
            f"X: vectors of {values.shape[1]} numbers; this detector was fitted on vectors of "
            f"{known.shape[1]}"
        )
    count = len(values)
    check_length("conditions", conditions, count)
    return fitted.judge_views(
        {GIVEN: Vectors(values, np.arange(count))},
        [f"vector {number}" for number in range(count)],
        _column("sections", sections, [fitted.sections[0]] * count),
        conditions,
        np.isin(_digests(values), fitted.memory.clips.digests),
    )


def as_vectors(X: ArrayLike) -> NDArray[np.float32]:
    """Return X as float32 (recording, dim). Raises `InputError` where it is no such thing."""
    try:
        values = np.array(X, np.float32)
    except (TypeError, ValueError) as error:
        raise InputError("X: not an array of numbers; give vectors (recording, dim)") from error
    if values.ndim != 2 or not values.shape[1]:
        raise InputError(f"X: shape {values.shape}; give vectors (recording, dim)")
    if not np.isfinite(values).all():
        row = int(np.flatnonzero(~np.isfinite(values).all(1))[0])
        raise InputError(f"X: row {row} holds a value that is not a finite number; leave it out")
    return values


def _column(name: str, given: Column, default: Sequence[str]) -> tuple[str, ...]:
    check_length(name, given, len(default))
    return tuple(map(str, default if given is None else given))


def _digests(values: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return a number (recording,) that tells vectors apart."""
    each = (hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in values)
    return np.frombuffer(b"".join(each), "<i8").astype(np.int64)


def _no_bands(n_mels: int, count: int) -> BandStatistics:
    none, edges = np.zeros(n_mels, np.float32), np.zeros((2, n_mels), np.float32)
    return BandStatistics(none, none, edges, edges, 0.0, count)


class VectorMethods:
    """What a `Detector` does with vectors of one's own."""

    fitted_: FittedDetector
    seed: int
    false_alarm_rate: float

    def fit_vectors(
        self,
        X: ArrayLike,
        *,
        sections: Column = None,
        domains: Column = None,
        recordings: Column = None,
        conditions: Column = None,
    ) -> Self:
        """Learn from vectors (recording, dim) of one's own instead of sound, and return itself.

        They are compared in their own metric by the recipe's scorer; the columns are those of
        `fit`. The detector is saved and loaded as any other. Raises `InputError` for what are no
        vectors of finite numbers.
        """
        self.fitted_ = fit_vectors(
            X,
            self._recipe(),
            seed=self.seed,
            false_alarm_rate=self.false_alarm_rate,
            sections=sections,
            domains=domains,
            recordings=recordings,
            conditions=conditions,
        )
        return self

    def score_vectors(self, X: ArrayLike, *, sections: Column = None) -> NDArray[np.float64]:
        """Return the anomaly score (recording,) of vectors (recording, dim); see `fit_vectors`."""
        judged = judge_vectors(self._fitted(), X, sections)
        return np.array([each.score for each in judged], np.float64)

    def judge_vectors(
        self, X: ArrayLike, *, sections: Column = None, conditions: Column = None
    ) -> list[Judgement]:
        """Return what the detector finds of each of vectors (recording, dim): score, p, verdict."""
        return judge_vectors(self._fitted(), X, sections, conditions)

    def _recipe(self) -> Recipe:
        raise NotImplementedError

    def _fitted(self) -> FittedDetector:
        raise NotImplementedError
