"""Creeping wear: a slow CUSUM over −log p (Page 1954, Biometrika 41).

The p-value of a healthy window is uniform, so −ln p is exponential with mean 1. Windows of one hour
are far from independent, so that an hour counts as one: with x the mean of its −ln p,

    S ← max(0, S + x − 1 − drift),    raised at S > limit, cleared at S < limit / 2.

Small p-values of single windows are bounded by 1 / (healthy recordings + 1), so is what one hour
adds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from dgmix.watch.rule import Change

HOUR = 3600.0
GRID = 400
LONGEST = 1e12  # hours


@dataclass(frozen=True, slots=True)
class WearState:
    """The sum S; the hour that is being collected, with the sum and number of its −ln p."""

    total: float = 0.0
    hour: int = 0
    collected: float = 0.0
    count: int = 0
    active: bool = False


def step(
    state: WearState, p_value: float, at: float, drift: float, limit: float
) -> tuple[WearState, tuple[Change, ...]]:
    """Return the state after one more window at a time (UTC seconds), and what there is to tell.

    A clock that jumps back continues the hour that is being collected.
    """
    hour = int(at // HOUR)
    changes: tuple[Change, ...] = ()
    if state.count and hour > state.hour:
        state, changes = _closed(state, drift, limit)
    hour = max(hour, state.hour)
    surprise = -math.log(min(max(p_value, 1e-12), 1.0))
    state = replace(state, hour=hour, collected=state.collected + surprise, count=state.count + 1)
    return state, changes


def _closed(state: WearState, drift: float, limit: float) -> tuple[WearState, tuple[Change, ...]]:
    total = max(0.0, state.total + state.collected / state.count - 1 - drift)
    total = min(total, 2 * limit)
    active = total >= limit / 2 if state.active else total > limit
    changes: tuple[Change, ...] = ()
    if active != state.active:
        changes = (Change("raise", "wear"),) if active else (Change("clear", "wear", "less"),)
    return replace(state, total=total, collected=0.0, count=0, active=active), changes


def hours_between(drift: float, limit: float) -> float:
    """Return the mean number of hours until a healthy machine is reported as worn.

    It is for the worst case: all windows of an hour alike, hours independent. Source: the Markov
    chain of Brook and Evans (1972, Biometrika 59), on a grid of `GRID` steps. More hours than
    `LONGEST`, which float64 does not resolve, are infinite.
    """
    edges = np.linspace(0, limit, GRID + 1)
    middle = (edges[1:] + edges[:-1]) / 2
    starts = np.concatenate([[0.0], middle])
    # x − 1 − drift + S lies below an edge with the probability of an exponential variable
    below = -np.expm1(-np.maximum(edges[None, :] - starts[:, None] + 1 + drift, 0))
    chain = np.concatenate([below[:, :1], np.diff(below, axis=1)], axis=1)
    lengths = np.linalg.solve(np.eye(len(starts)) - chain, np.ones(len(starts)))
    hours = float(lengths[0])
    return hours if 0 < hours < LONGEST else math.inf
