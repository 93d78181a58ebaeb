"""Verdicts follow from p-values, a rate and a promise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgmix.detect.judgement import ANOMALY, NEW_CONDITION, NORMAL, UNREADABLE, Judgement, Promise
from dgmix.errors import InputError

P_VALUES = st.floats(0.001, 1)
RATES = st.floats(0.001, 0.999)


@pytest.mark.parametrize(
    ("p_known", "p_new", "verdicts"),
    [
        (0.05, 0.1, (ANOMALY, ANOMALY, ANOMALY)),
        (0.05, 0.5, (ANOMALY, NORMAL, NEW_CONDITION)),
        (0.5, 0.05, (NORMAL, ANOMALY, NORMAL)),
        (0.5, 0.5, (NORMAL, NORMAL, NORMAL)),
    ],
)
def test_each_promise_has_its_verdict(
    p_known: float, p_new: float, verdicts: tuple[str, str, str]
) -> None:
    judgement = Judgement("a.wav", 1.0, p_known, 1.0, p_new)
    promises: tuple[Promise, ...] = ("known", "new", "both")
    assert tuple(judgement.verdict(0.1, promise) for promise in promises) == verdicts


@given(P_VALUES, P_VALUES, RATES)
def test_of_both_promises_an_anomaly_is_one_by_each(
    p_known: float, p_new: float, rate: float
) -> None:
    judgement = Judgement("a.wav", 1.0, p_known, 1.0, p_new)
    assert judgement.p_value("known") == p_known
    assert judgement.p_value("new") == p_new
    assert judgement.p_value("both") == max(p_known, p_new)
    known, new, both = (judgement.verdict(rate, each) for each in ("known", "new", "both"))
    assert (both == ANOMALY) == (known == new == ANOMALY)
    assert (both == NORMAL) == (known == NORMAL)


def test_a_p_value_of_exactly_the_rate_is_an_anomaly() -> None:
    assert Judgement("a.wav", 1.0, 1 / 3, 1.0, 1.0).verdict(1 / 3) == ANOMALY
    assert Judgement("a.wav", 1.0, 0.3333333334, 1.0, 1.0).verdict(1 / 3) == ANOMALY
    assert Judgement("a.wav", 1.0, 0.34, 1.0, 1.0).verdict(1 / 3) == NORMAL


def test_what_cannot_be_read_has_no_verdict() -> None:
    judgement = Judgement("a.wav", error=InputError("a.wav: truncated"))
    for promise in ("known", "new", "both"):
        assert judgement.verdict(0.5, promise) == UNREADABLE  # type: ignore[arg-type]
