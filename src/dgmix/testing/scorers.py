"""What every scorer must do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dgmix.config import DetectSettings
from dgmix.detect.scorers import Scorer, build_joint_scorer, build_scorer, goes_by_distances
from dgmix.detect.views import Vectors
from dgmix.plugins import Plugins
from dgmix.testing.claims import require, require_equal

Floats = NDArray[np.floating]
Rows = NDArray[np.int64]
Fit = Callable[[Floats, Rows], Scorer]
"""Makes a scorer of some rows of the references."""


def check_scorer(given: Any) -> None:
    """Raise `AssertionError` unless what is given can be plugged in as a scorer.

    It is an object with `fit` and `score`, of which copies are made, or a class that
    `DetectSettings` are given to; or a class of joint scorers, with `measure`.
    """
    plugins = Plugins(scorers={"checked": given})
    settings = DetectSettings(scorer="checked")
    if goes_by_distances(given):
        _check_joint(settings, plugins)
        return

    def fit(data: Floats, rows: Rows) -> Scorer:
        everything = np.array_equal(rows, np.arange(len(data)))
        return build_scorer(settings, plugins=plugins).fit(data if everything else data[rows])

    for check in SCORER_CHECKS:
        check(fit)


def references(count: int = 24, dim: int = 6) -> Floats:
    """Return references (reference, dim) drawn at random, always the same."""
    return np.random.default_rng(0).normal(size=(count, dim))


def away(data: Floats, *distances: float) -> Floats:
    """Return points so far from the mean of the data, in one direction that is in none's favour."""
    direction = np.ones(data.shape[1]) / data.shape[1] ** 0.5
    points: Floats = data.mean(0) + np.array(distances)[:, None] * direction
    return points


def of_all(fit: Fit, data: Floats) -> Scorer:
    """Return the scorer of all rows."""
    return fit(data, np.arange(len(data)))


def _queries() -> Floats:
    return np.random.default_rng(1).normal(size=(9, 6))


def _rises(scores: Floats) -> bool:
    return bool(np.isfinite(scores).all() and (np.diff(scores) > 0).all())


def scores_are_finite_float64_one_a_query(fit: Fit) -> None:
    """Whatever the floating type of references and queries."""
    for kind in (np.float32, np.float64):
        scores = of_all(fit, references().astype(kind)).score(references(7).astype(kind))
        require(scores.dtype == np.float64, f"scores are {scores.dtype}, not float64")
        require(scores.shape == (7,), f"scores have shape {scores.shape} of 7 queries, not (7,)")
        require(np.isfinite(scores).all(), "a score is not a finite number")


def no_query_has_no_score(fit: Fit) -> None:
    """An empty array goes in and out."""
    scores = of_all(fit, references()).score(np.zeros((0, 6)))
    require(scores.shape == (0,), f"scores have shape {scores.shape} of no queries, not (0,)")


def farther_is_more_anomalous(fit: Fit) -> None:
    """Scores rise with the distance, above those of the references."""
    scorer = of_all(fit, references())
    scores = scorer.score(away(references(), 8, 16, 64))
    require(_rises(scores), f"scores do not rise with the distance from the references: {scores}")
    known = np.median(scorer.score(references()[:12]))
    require(scores[0] > known, "a query far away scores no higher than the references themselves")


def a_score_is_the_query_s_own(fit: Fit) -> None:
    """It does not depend on the other queries, nor on their order."""
    scorer, queries = of_all(fit, references()), _queries()
    together = scorer.score(queries)
    message = "a score depends on the other queries"
    require_equal(scorer.score(queries[::-1])[::-1], together, message, 1e-12)
    require_equal([scorer.score(each[None])[0] for each in queries], together, message, 1e-12)


def the_order_of_references_does_not_matter(fit: Fit) -> None:
    """Scores are the same of references in another order."""
    shuffled = np.random.default_rng(2).permutation(24)
    first = of_all(fit, references()).score(_queries())
    second = fit(references(), shuffled).score(_queries())
    require_equal(first, second, "scores depend on the order of the references")


def nothing_that_is_given_is_changed(fit: Fit) -> None:
    """References and queries stay as they are."""
    data, queries = references(), references(5) + 1
    before = data.copy(), queries.copy()
    of_all(fit, data).score(queries)
    require(np.array_equal(data, before[0]), "fit or score changes the references")
    require(np.array_equal(queries, before[1]), "score changes the queries")


def few_references_are_enough(fit: Fit) -> None:
    """One, two or three."""
    for count in (1, 2, 3):
        scores = of_all(fit, references(count)).score(away(references(count), 8, 16, 64))
        require(_rises(scores), f"of {count} references scores do not rise with distance: {scores}")


def hard_references_are_no_obstacle(fit: Fit) -> None:
    """More dimensions than references, a constant one, copies, and no spread at all."""
    constant = references()
    constant[:, 2] = 5.0
    for what, data, farther in (
        ("more dimensions than references", references(8, 50), (30, 60, 120)),
        ("a constant dimension", constant, (8, 16, 64)),
        ("references that are there twice", np.repeat(references(), 2, axis=0), (8, 16, 64)),
        ("references without spread", np.full((12, 6), 0.1), (1, 2, 8)),
    ):
        scores = of_all(fit, data).score(away(data, *farther))
        require(_rises(scores), f"with {what} scores do not rise with the distance: {scores}")


def an_offset_changes_nothing(fit: Fit) -> None:
    """Of a million, in all numbers."""
    there = of_all(fit, references() + 1e6).score(_queries() + 1e6)
    here = of_all(fit, references()).score(_queries())
    require_equal(there, here, "an offset in all numbers changes scores", 1e-6)


def float32_scores_like_float64(fit: Fit) -> None:
    """To four figures."""
    single = of_all(fit, references().astype(np.float32)).score(_queries().astype(np.float32))
    double = of_all(fit, references()).score(_queries())
    require_equal(single, double, "scores of float32 are not those of float64", 1e-4)


SCORER_CHECKS: tuple[Callable[[Fit], None], ...] = (
    scores_are_finite_float64_one_a_query,
    no_query_has_no_score,
    farther_is_more_anomalous,
    a_score_is_the_query_s_own,
    the_order_of_references_does_not_matter,
    nothing_that_is_given_is_changed,
    few_references_are_enough,
    hard_references_are_no_obstacle,
    an_offset_changes_nothing,
    float32_scores_like_float64,
)


def _check_joint(settings: DetectSettings, plugins: Plugins) -> None:
    """Raise `AssertionError` unless all clips are treated alike, whichever comes last."""
    values = np.random.default_rng(0).normal(size=(9, 5)).astype(np.float32)

    def of(rows: Rows) -> Any:
        view = Vectors(values[rows], np.arange(len(rows)))
        return build_joint_scorer(settings, view, [np.arange(len(rows))], plugins)

    all_of_them = of(np.arange(9))
    expected = all_of_them.left_out[0]
    (expected_apart,) = getattr(all_of_them, "left_out_apart", (None,))
    for last in range(9):
        others = np.delete(np.arange(9), last)
        query = Vectors(values[[last]], np.arange(1))
        own, (beside,), between, *more = of(others).measure(query, 1)
        message = (
            "scores of all clips depend on which of them comes last, so p-values are not exact"
        )
        require_equal(own[0], expected[last], message, 1e-6)
        require_equal(beside[0], expected[others], message, 1e-6)
        if expected_apart is not None:
            apart = more[0][0][0]
            require_equal(apart, expected_apart[np.append(others, last)], message, 1e-6)
        require(np.isfinite(between).all(), "a distance is not a finite number")
