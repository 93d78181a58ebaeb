"""Scores of the references themselves, each by a scorer that was fitted without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from dgmix.detect.scorers import Scorer

EXACT_GROUPS = 200
FOLDS = 20


def left_out_scores(
    fit: Callable[[NDArray[np.bool_]], Scorer],
    references: NDArray[np.floating],
    groups: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the score (reference,) of each reference by `fit` on the references of other groups.

    `fit` takes which references (reference,) to learn from. Up to 200 groups are left out one by
    one. More are left out in 20 folds of whole groups, as in cross-conformal prediction (Vovk 2015,
    arXiv 1208.0806): then a reference is compared with 5 % fewer others than a new clip is.
    Infinite where no reference would remain.
    """
    of = np.unique(groups, return_inverse=True)[1]
    folds = of if of.max(initial=0) < EXACT_GROUPS else of % FOLDS
    scores = np.full(len(groups), np.inf)
    for fold in np.unique(folds):
        out = folds == fold
        if not out.all():
            scores[out] = fit(~out).score(references[out])
    return scores
