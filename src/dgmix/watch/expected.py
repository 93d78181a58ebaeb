"""How many false alarms a month a rule lets through, from the promise of single windows.

What is promised is the mean false-alarm rate over detectors. That of one detector is fixed once it
is learned, and is distributed as Beta(a, b) (`dgmix.detect.conformal.rate_shape`). A raise at k
windows in a row goes by its k-th power, whose mean over detectors,

    E[p^k] = a (a + 1) … (a + k − 1) / ((a + b) (a + b + 1) … (a + b + k − 1)),

is larger than the k-th power of the promise: 2.4 times for 5 %, 99 recordings and k = 3. So the
raises of a rule are taken at many rates p, each weighted by how probable it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from dgmix.watch.rule import ANOMALY_MARK, Rule, RuleState, step

MONTH = 30 * 86_400.0
TAIL = 0.05

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Expected:
    """False raises of a healthy machine in 30 days.

    `mean`: over detectors that are learned from so many recordings, where windows err independently
    of each other; 90 % of these detectors have between `low` and `high`. `at_most`: the mean
    whatever the dependence.
    """

    mean: float
    low: float
    high: float
    at_most: float


def expected_raises(rule: Rule, rate: float, every: float, recordings: int) -> Expected:
    """Return the false raises a month of a rule on windows that begin `every` seconds.

    `rate` is the promised false-alarm rate of one window, `recordings` how many healthy ones the
    promise rests on. A raise takes `rule.windows` anomalies of its own, which bounds the number
    under any dependence. Raises `InputError` where they are too few for the rate.
    """
    from dgmix.detect.conformal import rate_distribution

    windows = MONTH / every
    realised, weights = rate_distribution(recordings, rate)
    raises = windows * raises_per_window(rule, rate, realised)
    order = np.argsort(raises)
    below = np.cumsum(weights[order]) - weights[order] / 2
    low, high = np.interp((TAIL, 1 - TAIL), below, raises[order])
    at_most = windows * rate / rule.windows
    return Expected(float(weights @ raises), float(low), float(high), at_most)


def raises_per_window(rule: Rule, rate: float, realised: Sequence[float] | Floats) -> Floats:
    """Return how often a window raises an event, where windows are independent, (detector,).

    `rate` is promised, `realised` (detector,) is what detectors do. The rule itself is the Markov
    chain: `step` gives the states that can follow.
    """
    moves, raised, states = _chain(rule, rate)
    calm = (1 - rule.calm_above) / (1 - rate)
    result = []
    for each in realised:
        chances = np.array([each, (1 - each) * (1 - calm), (1 - each) * calm])
        stationary = _stationary(moves, chances, states)
        result.append(sum(stationary[state] * chances[outcome] for state, outcome in raised))
    return np.array(result)


Moves = list[tuple[int, int, int]]


def _chain(rule: Rule, rate: float) -> tuple[Moves, list[tuple[int, int]], int]:
    """Return the moves (state, next state, outcome), the raises (state, outcome), how many states.

    Outcomes: 0 an anomaly, 1 a p-value between rate and `calm_above`, 2 one above.
    """
    outcomes = [
        ("ANOMALY", rate / 2),
        ("normal", (rate + rule.calm_above) / 2),
        ("normal", 1.0),
    ]
    numbers = {RuleState(): 0}
    waiting, moves, raised = [RuleState()], [], []
    while waiting:
        state = waiting.pop()
        for outcome, (verdict, p_value) in enumerate(outcomes):
            after, changes = step(rule, state, verdict, p_value)  # type: ignore[arg-type]
            after = replace(after, run=0, recent=_relevant(rule, after.recent))
            if after not in numbers:
                numbers[after] = len(numbers)
                waiting.append(after)
            moves.append((numbers[state], numbers[after], outcome))
            if any(change.action == "raise" for change in changes):
                raised.append((numbers[state], outcome))
    return moves, raised, len(numbers)


def _relevant(rule: Rule, recent: str) -> str:
    """Return the last marks without the first ones that are too old for any raise to come."""
    for first, mark in enumerate(recent):
        missing = rule.windows - recent.count(ANOMALY_MARK, first)
        if mark == ANOMALY_MARK and len(recent) - first + missing <= rule.among:
            return recent[first:]
    return ""


def _stationary(moves: Moves, chances: Floats, states: int) -> Floats:
    """Return how often a chain is in each state, by the chance of each outcome."""
    begin, end, outcome = np.array(moves).T
    balance = -np.eye(states)
    np.add.at(balance, (end, begin), chances[outcome])
    balance[-1] = 1.0
    right = np.zeros(states)
    right[-1] = 1.0
    return np.asarray(np.linalg.solve(balance, right))
