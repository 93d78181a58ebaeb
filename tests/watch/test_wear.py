from __future__ import annotations

import numpy as np

from dgmix.watch.wear import HOUR, WearState, hours_between, step

DRIFT, LIMIT = 0.5, 12.0


def run(p_values: np.ndarray, per_hour: int = 6) -> list[tuple[int, str]]:
    state, events = WearState(), []
    for number, p_value in enumerate(p_values):
        at = number * HOUR / per_hour
        state, changes = step(state, float(p_value), at, DRIFT, LIMIT)
        events += [(number // per_hour, change.action) for change in changes]
    return events


def test_a_slow_rise_is_raised_and_its_repair_clears() -> None:
    rng = np.random.default_rng(0)
    healthy, worn = rng.uniform(size=6 * 200), rng.uniform(size=6 * 24) ** 3
    events = run(np.concatenate([healthy, worn, rng.uniform(size=6 * 200)]))
    assert [action for _, action in events] == ["raise", "clear"]
    assert 200 < events[0][0] < 224


def test_healthy_weeks_raise_nothing() -> None:
    assert not run(np.random.default_rng(1).uniform(size=6 * 24 * 60))


def test_one_loud_hour_is_no_wear() -> None:
    p_values = np.full(6 * 50, 0.5)
    p_values[60:66] = 0.0001
    assert not run(p_values)


def test_a_clock_that_jumps_back_closes_no_hour_twice() -> None:
    state, _ = step(WearState(), 0.5, 10 * HOUR, DRIFT, LIMIT)
    state, _ = step(state, 0.5, 2 * HOUR, DRIFT, LIMIT)
    assert (state.hour, state.count) == (10, 2)


def test_mean_time_between_false_alarms_is_as_simulated() -> None:
    rng = np.random.default_rng(2)
    hours, total, runs = 0, 0.0, 0
    while runs < 400:
        hours += 1
        total = max(0.0, total + rng.exponential() - 1 - DRIFT)
        if total > 5:
            runs, total = runs + 1, 0.0
    assert abs(hours / runs / hours_between(DRIFT, 5.0) - 1) < 0.15
    assert hours_between(DRIFT, LIMIT) > 365 * 24
    assert hours_between(DRIFT, 1000.0) == np.inf
    assert hours_between(1.0, 60.0) == np.inf
