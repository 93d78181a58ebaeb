"""How many false alarms a month a rule lets through, from the promise of single windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from dgmix.watch.rule import Rule, RuleState, step

MONTH = 30 * 86_400.0


@dataclass(frozen=True)
class Expected:
    """False raises of a healthy machine in 30 days.

    `independent`: where windows err independently of each other; `at_most`: whatever the
    dependence; `days_between`: of independent windows, infinite where there is none.
    """

    independent: float
    at_most: float

    @property
    def days_between(self) -> float:
        """Mean days between false raises."""
        return 30 / self.independent if self.independent else float("inf")


def expected_raises(rule: Rule, rate: float, every: float) -> Expected:
    """Return the false raises a month of a rule on windows that begin `every` seconds.

    `rate` is the promised false-alarm rate of one window. A raise takes `rule.windows` anomalies of
    its own, which bounds the number under any dependence.
    """
    windows = MONTH / every
    return Expected(windows * raises_per_window(rule, rate), windows * rate / rule.windows)


def raises_per_window(rule: Rule, rate: float) -> float:
    """Return how often a window raises an event, where windows are independent.

    The rule itself is the Markov chain: `step` gives the states that can follow, a p-value below
    the rate, between rate and `calm_above`, or above, the probabilities.
    """
    steps = [
        ("ANOMALY", rate / 2, rate),
        ("normal", (rate + rule.calm_above) / 2, rule.calm_above - rate),
        ("normal", 1.0, 1 - rule.calm_above),
    ]
    numbers = {RuleState(): 0}
    waiting, moves, raised = [RuleState()], [], []
    while waiting:
        state = waiting.pop()
        for verdict, p_value, chance in steps:
            after, changes = step(rule, state, verdict, p_value)  # type: ignore[arg-type]
            after = replace(after, run=0)
            if after not in numbers:
                numbers[after] = len(numbers)
                waiting.append(after)
            moves.append((numbers[state], numbers[after], chance))
            if any(change.action == "raise" for change in changes):
                raised.append((numbers[state], chance))
    stationary = _stationary(moves, len(numbers))
    return float(sum(stationary[state] * chance for state, chance in raised))


def _stationary(moves: Sequence[tuple[int, int, float]], states: int) -> np.ndarray:
    """Return how often a chain with these moves (from, to, probability) is in each state."""
    balance = -np.eye(states)
    for begin, end, chance in moves:
        balance[end, begin] += chance
    balance[-1] = 1.0
    right = np.zeros(states)
    right[-1] = 1.0
    return np.linalg.solve(balance, right)
