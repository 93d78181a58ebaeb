"""What a `Detector` does with vectors of one's own instead of sound."""

from __future__ import annotations

from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dgmix.config import Recipe
from dgmix.data.vectors import Column, VectorTable
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.forms import Terms
from dgmix.detect.given_vectors import fit_vectors, judge_vectors, update_vectors
from dgmix.detect.results import Results


class VectorMethods:
    """Methods of `Detector` that take vectors (recording, dim), an array or a data frame.

    All raise `InputError` for what are no vectors of finite numbers; of data frames the columns are
    taken by their names.
    """

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
        """Learn from vectors (recording, dim) of healthy recordings, and return itself.

        They are compared as they are by the recipe's scorer; the columns are those of `fit`. The
        detector is saved and loaded as any other.
        """
        self.fitted_ = fit_vectors(
            VectorTable.of(
                X, sections=sections, domains=domains, recordings=recordings, conditions=conditions
            ),
            self._recipe(),
            seed=self.seed,
            false_alarm_rate=self.false_alarm_rate,
        )
        return self

    def score_vectors(self, X: ArrayLike, *, sections: Column = None) -> NDArray[np.float64]:
        """Return the anomaly score (recording,) of vectors (recording, dim); see `fit_vectors`."""
        judged = judge_vectors(self._fitted(), VectorTable.of(X, sections=sections))
        return np.array([each.score for each in judged], np.float64)

    def judge_vectors(
        self, X: ArrayLike, *, sections: Column = None, conditions: Column = None
    ) -> Results:
        """Return score, p-values and verdict of each of vectors (recording, dim), as `judge`."""
        fitted = self._fitted()
        table = VectorTable.of(X, sections=sections)
        promise = fitted.promise(None, sections or ())
        terms = Terms(fitted.rate(None, sections or (), promise), promise)
        return Results(judge_vectors(fitted, table, conditions), terms)

    def update_vectors(
        self,
        X: ArrayLike,
        *,
        accept: bool = False,
        sections: Column = None,
        domains: Column = None,
        recordings: Column = None,
        conditions: Column = None,
    ) -> Self:
        """Remember more vectors (recording, dim) of healthy recordings, as `update` does."""
        more = VectorTable.of(
            X, sections=sections, domains=domains, recordings=recordings, conditions=conditions
        )
        self.fitted_ = update_vectors(self._fitted(), more, accept=accept)
        return self

    def _recipe(self) -> Recipe:
        raise NotImplementedError

    def _fitted(self) -> FittedDetector:
        raise NotImplementedError
