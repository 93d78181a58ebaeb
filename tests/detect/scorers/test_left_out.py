"""Which references are left out together."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dgmix.config import DetectSettings
from dgmix.detect.scorers import Scorer
from dgmix.detect.scorers.knn import KNearest
from dgmix.detect.scorers.left_out import EXACT_GROUPS, FOLDS, left_out_scores


class Recorder:
    """Fits nearest neighbours and remembers what it was given."""

    def __init__(self, references: NDArray[np.float64]) -> None:
        self.references = references
        self.kept: list[NDArray[np.bool_]] = []

    def __call__(self, kept: NDArray[np.bool_]) -> Scorer:
        self.kept.append(kept)
        return KNearest(DetectSettings()).fit(self.references[kept])


@pytest.mark.parametrize("count", [2, EXACT_GROUPS, EXACT_GROUPS + 1, 3 * EXACT_GROUPS])
def test_every_group_is_left_out_whole_and_once(count: int) -> None:
    rng = np.random.default_rng(0)
    groups = rng.permutation(np.repeat(10 * np.arange(count), 2))
    fit = Recorder(rng.normal(size=(len(groups), 2)))
    scores = left_out_scores(fit, fit.references, groups)
    out = ~np.array(fit.kept)
    assert np.isfinite(scores).all()
    assert (scores > 0).all()
    assert (out.sum(0) == 1).all()
    assert all(not set(groups[row]) & set(groups[~row]) for row in out)
    assert len(out) == (count if count <= EXACT_GROUPS else FOLDS)


def test_a_group_alone_is_not_fitted_without() -> None:
    fit = Recorder(np.zeros((3, 2)))
    assert np.isposinf(left_out_scores(fit, fit.references, np.full(3, 7))).all()
    assert not fit.kept


def test_folds_leave_out_a_twentieth() -> None:
    groups = np.arange(2 * EXACT_GROUPS)
    fit = Recorder(np.random.default_rng(0).normal(size=(len(groups), 2)))
    left_out_scores(fit, fit.references, groups)
    assert {int((~kept).sum()) for kept in fit.kept} == {len(groups) // FOLDS}
