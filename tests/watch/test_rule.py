from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgmix.detect.conformal import rate_shape
from dgmix.watch.expected import MONTH, expected_raises, raises_per_window
from dgmix.watch.rule import Change, Rule, RuleState, Verdict, expire, step

CALM: tuple[Verdict, float] = ("normal", 0.9)
GREY: tuple[Verdict, float] = ("normal", 0.06)
ODD: tuple[Verdict, float] = ("ANOMALY", 0.01)
NEW: tuple[Verdict, float] = ("new condition?", 0.01)
UNREAD: tuple[Verdict, float] = ("unreadable", 0.0)
WINDOWS = st.lists(st.sampled_from([CALM, GREY, ODD, NEW, UNREAD]), max_size=120)
RULES = st.builds(
    lambda k, more, clear: Rule.of(k, k + more, clear, 0.05, 2.0),
    st.integers(1, 4),
    st.integers(0, 4),
    st.integers(1, 6),
)
THREE = Rule.of(3, 3, 5, 0.05, 2.0)


def run(rule: Rule, windows: Sequence[tuple[Verdict, float]]) -> list[tuple[int, Change]]:
    state, events = RuleState(), []
    for number, (verdict, p_value) in enumerate(windows):
        state, changes = step(rule, state, verdict, p_value)
        events += [(number, change) for change in changes]
    return events


def test_raises_at_the_third_in_a_row_and_clears_after_five_calm_ones() -> None:
    events = run(THREE, [CALM, ODD, ODD, CALM, ODD, ODD, ODD, ODD, *[CALM] * 6])
    assert [(at, change.action, change.kind) for at, change in events] == [
        (6, "raise", "anomaly"),
        (12, "clear", "anomaly"),
    ]


def test_a_grey_window_neither_raises_nor_clears() -> None:
    odd_then_grey = [ODD] * 3 + [GREY] * 50
    assert len(run(THREE, odd_then_grey)) == 1
    assert len(run(THREE, [*odd_then_grey, *[CALM] * 4, GREY, *[CALM] * 4])) == 1


def test_k_of_m_needs_no_row() -> None:
    rule = Rule.of(3, 5, 5, 0.05, 2.0)
    assert run(rule, [ODD, CALM, ODD, CALM, ODD])[0][0] == 4
    assert not run(rule, [ODD, CALM, ODD, CALM, CALM, ODD, CALM, CALM])


def test_a_new_condition_is_no_anomaly_and_may_become_one() -> None:
    events = run(THREE, [NEW, ODD, NEW, NEW, ODD, ODD, ODD])
    assert [(change.action, change.kind) for _, change in events] == [
        ("raise", "new condition"),
        ("clear", "new condition"),
        ("raise", "anomaly"),
    ]


def test_unreadable_windows_have_their_own_event_and_keep_the_anomaly() -> None:
    events = run(THREE, [ODD, ODD, UNREAD, UNREAD, UNREAD, ODD, CALM, CALM])
    assert [(at, change.action, change.kind) for at, change in events] == [
        (4, "raise", "unusable"),
        (5, "raise", "anomaly"),
        (7, "clear", "unusable"),
    ]


def test_an_event_that_nothing_can_end_expires_once() -> None:
    state = RuleState(active="anomaly")
    state, changes = expire(state)
    assert [change.action for change in changes] == ["clear"]
    assert expire(state) == (state, ())


@given(RULES, WINDOWS)
def test_raises_and_clears_of_a_kind_take_turns(
    rule: Rule, windows: list[tuple[Verdict, float]]
) -> None:
    events = run(rule, windows)
    for kind in ("anomaly", "new condition", "unusable"):
        actions = [change.action for _, change in events if change.kind == kind]
        assert actions == (["raise", "clear"] * len(actions))[: len(actions)]


@given(RULES, WINDOWS)
def test_never_an_anomaly_and_a_new_condition_at_once(
    rule: Rule, windows: list[tuple[Verdict, float]]
) -> None:
    active: set[str] = set()
    for _, change in run(rule, windows):
        (active.add if change.action == "raise" else active.discard)(change.kind)
        assert not {"anomaly", "new condition"} <= active


@given(RULES, WINDOWS)
def test_a_raise_has_its_anomalies_within_the_last_windows(
    rule: Rule, windows: list[tuple[Verdict, float]]
) -> None:
    for at, change in run(rule, windows):
        if (change.action, change.kind) == ("raise", "anomaly"):
            judged = [verdict for verdict, _ in windows[: at + 1] if verdict != "unreadable"]
            assert judged[-rule.among :].count("ANOMALY") >= rule.windows
            assert judged[-1] == "ANOMALY"


@given(RULES, WINDOWS, st.integers(0, 120))
def test_a_state_that_was_kept_continues_as_if_nothing_had_happened(
    rule: Rule, windows: list[tuple[Verdict, float]], cut: int
) -> None:
    state, events = RuleState(), []
    for number, (verdict, p_value) in enumerate(windows):
        if number == cut:
            state = RuleState(*[getattr(state, name) for name in RuleState.__slots__])
        state, changes = step(rule, state, verdict, p_value)
        events += [(number, change) for change in changes]
    assert events == run(rule, windows)


@pytest.mark.parametrize(("windows", "among"), [(1, 1), (2, 2), (2, 4), (3, 3)])
def test_expected_raises_are_those_that_happen(windows: int, among: int) -> None:
    rate, length = 0.2, 50_000
    rule = Rule.of(windows, among, 3, rate, 2.0)
    p_values = np.random.default_rng(0).uniform(size=length)
    verdicts: list[tuple[Verdict, float]] = [
        ("ANOMALY" if p <= rate else "normal", float(p)) for p in p_values
    ]
    raised = sum(change.action == "raise" for _, change in run(rule, verdicts))
    (expected,) = length * raises_per_window(rule, rate, [rate])
    assert abs(raised - expected) < 4 * expected**0.5 + 1


def test_more_windows_are_fewer_false_alarms_and_never_more_than_the_bound() -> None:
    rules = [Rule.of(k, k, 5, 0.05, 2.0) for k in range(1, 7)]
    means = [expected_raises(rule, 0.05, 10, 99).mean for rule in rules]
    assert means == sorted(means, reverse=True)
    for k in range(1, 7):
        each = expected_raises(Rule.of(k, min(k + 3, 10), 5, 0.05, 2.0), 0.05, 10, 99)
        assert each.low <= each.mean <= min(each.high, each.at_most)


@pytest.mark.parametrize(("windows", "rate", "recordings"), [(1, 0.1, 19), (3, 0.05, 99)])
def test_the_mean_over_detectors_is_that_of_the_beta_distribution(
    windows: int, rate: float, recordings: int
) -> None:
    every_run = Rule.of(windows, windows, 1, rate, 1.0)  # raised once in each run so long
    a, b = rate_shape(recordings, rate)
    power = [np.prod([(a + i) / (a + b + i) for i in range(k)]) for k in (windows, windows + 1)]
    raises = expected_raises(every_run, rate, MONTH, recordings)
    assert raises.mean == pytest.approx(power[0] - power[1], rel=1e-3)


def test_detectors_raise_as_often_as_they_are_expected_to() -> None:
    """Each sets its threshold by n healthy scores of its own, as 2 n + 1 alike in pairs would."""
    rate, n, windows, detectors = 0.1, 39, 400, 4000
    rng = np.random.default_rng(0)
    smallest = np.sort(rng.uniform(size=(detectors, n)))[:, round(rate * (n + 1)) - 1]
    odd = rng.uniform(size=(detectors, windows)) <= smallest[:, None]
    begun = odd[:, 2:] & odd[:, 1:-1] & ~odd[:, :-2]  # two in a row, after one that is not
    raised = begun.sum(1) + (odd[:, 0] & odd[:, 1])
    expected = expected_raises(Rule.of(2, 2, 1, rate, 1.0), rate, MONTH / windows, 2 * n + 1)
    error = np.std(raised) / detectors**0.5
    assert np.mean(raised) == pytest.approx(expected.mean, abs=4 * error)
    assert np.mean(raised) > windows * (rate**2 - rate**3) + 5 * error
    each = windows * (smallest**2 - smallest**3)
    between = np.mean((each >= expected.low) & (each <= expected.high))
    assert between == pytest.approx(0.9, abs=0.02)
