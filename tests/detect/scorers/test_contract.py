"""What every scorer must do, per domain and balanced too; a new one is picked up here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from dgmix.config import ERROR_SCORERS, DetectSettings
from dgmix.detect.scorers import SCORERS, Scorer, build_scorer, estimating
from dgmix.detect.scorers.balance import BALANCES
from dgmix.testing import check_scorer
from dgmix.testing.scorers import SCORER_CHECKS, Fit, references

Floats = NDArray[np.floating]
ESTIMATING = [
    name for name, given in SCORERS.items() if estimating(given) and name not in ERROR_SCORERS
]
CASES: dict[str, dict[str, Any]] = {
    **{name: {"scorer": name} for name in ESTIMATING},
    **{f"{name} by bands": {"scorer": name, "bands": 3} for name in ("knn", "varmin")},
    **{
        f"{name} per domain": {"scorer": name, "per_domain": True}
        for name in ESTIMATING
        if not hasattr(SCORERS[name], "by_domains")
    },
    **{f"{name} balanced": {"balance": name} for name in BALANCES if name != "none"},
    **{
        f"{name} balanced per domain": {"balance": name, "per_domain": True}
        for name in BALANCES
        if name != "none"
    },
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> DetectSettings:
    return DetectSettings(**CASES[request.param])


def test_the_settings_know_every_balance() -> None:
    assert set(get_args(DetectSettings.model_fields["balance"].annotation)) == {*BALANCES}


def test_fitting_returns_the_scorer(case: DetectSettings) -> None:
    scorer = build_scorer(case, np.array(["source", "target"] * 12))
    assert scorer.fit(references()) is scorer


@pytest.mark.parametrize("check", SCORER_CHECKS, ids=lambda check: check.__name__)
def test_keeps_the_contract(case: DetectSettings, check: Callable[[Fit], None]) -> None:
    """Every fourth reference is of the target domain."""

    def fit(data: Floats, rows: NDArray[np.int64]) -> Scorer:
        domains = np.where(np.arange(len(data)) % 4, "source", "target")
        return build_scorer(case, domains[rows]).fit(data[rows])

    check(fit)


@pytest.mark.parametrize("name", [name for name in SCORERS if name not in ERROR_SCORERS])
def test_can_be_plugged_in(name: str) -> None:
    check_scorer(SCORERS[name])


class Faulty:
    """A scorer with one fault, by its name."""

    def __init__(self, fault: str) -> None:
        self.fault = fault

    def fit(self, references: Floats) -> Faulty:
        self.mean = references[0] if self.fault == "order" else references.mean(0)
        if self.fault == "changes":
            references -= self.mean
        return self

    def score(self, queries: Floats) -> Floats:
        scores = np.linalg.norm(queries - self.mean, axis=1).astype(np.float64)
        if self.fault == "others":
            scores = scores + len(queries)
        return {"sign": -scores, "shape": scores[:, None]}.get(self.fault, scores)


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        ("order", "depend on the order of the references"),
        ("changes", "changes the references"),
        ("others", "depends on the other queries|far away scores no higher"),
        ("sign", "do not rise with the distance"),
        ("shape", "shape"),
    ],
)
def test_a_fault_is_met_by_a_sentence(fault: str, sentence: str) -> None:
    check_scorer(Faulty(""))
    with pytest.raises(AssertionError, match=sentence):
        check_scorer(Faulty(fault))
