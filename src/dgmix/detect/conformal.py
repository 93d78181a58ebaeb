"""Conformal p-values: how few healthy recordings are as unusual as a given one.

A recording and the healthy ones are scored alike, each against all the others. If they are
exchangeable, the rank of the new one among the n + 1 is uniform or higher, so that its p-value is
at most α with a probability of at most α (Vovk, Gammerman, Shafer 2005, chapter 2). The healthy
pieces of one group (a recording, a condition) share one vote (Lee, Barber, Willett 2023, arXiv
2306.06342). docs/decisions/0019-exact-verdicts.md has the proof.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dgmix.errors import InputError

ROUNDING = 1e-9
EQUAL = 1e-5  # scores in deviations that the rounding of an inverse may have made different
MARGIN = 0.01
BETA_STEPS, LEAST_STEPS, NEGLIGIBLE = 20_000, 64, 1e-12
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scale:
    """The scores of healthy pieces (piece,), and their votes (piece,), as a scale for other scores.

    The p-value of a score s is (1 + votes of the pieces that score at least s) / (1 + all votes):
    a step function, so that a threshold says exactly which scores have a p-value of at most α.
    """

    scores: Floats
    votes: Floats

    @cached_property
    def _distinct(self) -> tuple[Floats, NDArray[np.int64]]:
        """The distinct scores (step,), ascending, and which of them each piece (piece,) has."""
        steps, of = np.unique(self.scores, return_inverse=True)
        return steps, of

    @property
    def steps(self) -> Floats:
        """The distinct scores (step,), ascending."""
        return self._distinct[0]

    @cached_property
    def levels(self) -> Floats:
        """The p-values (step + 1,) of scores up to each step, and beyond the last."""
        weights = np.bincount(self._distinct[1], self.votes, len(self.steps))
        above = np.append(np.cumsum(weights[::-1])[::-1], 0)
        return np.asarray(np.round(1 + above, 9) / np.round(1 + self.votes.sum(), 9))

    def p_values(self, scores: Floats) -> Floats:
        """Return the p-value (query,) of each score (query,)."""
        return self.levels[np.searchsorted(self.steps, scores, side="left")]

    def threshold(self, rate: float) -> float:
        """Return the score above which, and only above which, the p-value is at most `rate`.

        Infinity where no score is high enough, −infinity where each is.
        """
        unflagged = int((self.levels > rate + ROUNDING).sum())
        if unflagged > len(self.steps):
            return math.inf
        return float(self.steps[unflagged - 1]) if unflagged else -math.inf

    def confined(self, scores: Floats, p_values: Floats) -> Floats:
        """Return scores (query,), moved no further than their p-values (query,) on this scale need.

        The p-value of the result is the smallest level of the scale that is at least `p_values`.
        """
        least, most = self.bounds
        level = self._level(p_values)
        return np.clip(scores, least[level], most[level])

    def limited(self, scores: Floats, p_values: Floats) -> Floats:
        """Return scores (query,), lowered where they would have less than `p_values` (query,)."""
        return np.minimum(scores, self.bounds[1][self._level(p_values)])

    def _level(self, p_values: Floats) -> NDArray[np.int64]:
        return np.asarray((self.levels[None, :] >= p_values[:, None] - ROUNDING).sum(1) - 1)

    @cached_property
    def bounds(self) -> tuple[Floats, Floats]:
        """The least and the highest score (step + 1,) that `confined` gives at each level.

        The least one is above the step below by an amount that is visible where scores are printed.
        """
        below, most = np.append(-np.inf, self.steps), np.append(self.steps, np.inf)
        least = np.full(len(below), -np.inf)
        finite = np.isfinite(below)
        gap = np.minimum(most[finite] - below[finite], np.maximum(np.abs(below[finite]), 1))
        least[finite] = np.maximum(
            below[finite] + MARGIN * gap, np.nextafter(below[finite], np.inf)
        )
        return least, most


def rank_p_values(own: Floats, others: Floats, weights: Floats) -> Floats:
    """Return (1 + votes of the others that reach the own score) / (1 + all votes), (query,).

    `own` (query,); `others` (query, piece), the healthy pieces' scores beside each query; `weights`
    (piece,). Scores that differ by rounding only count as equal.
    """
    reached = (others >= own[:, None] - EQUAL) @ weights
    return np.asarray(np.round(1 + reached, 9) / np.round(1 + weights.sum(), 9))


def batch_p_value(p_values: Floats) -> float:
    """Return one p-value for a set of recordings: small where more are strange than chance allows.

    The least of p₍ₖ₎ · m / k over the sorted p-values (Simes 1986), which is valid for conformal
    p-values that share their healthy scores (Bates, Candès, Lei, Romano, Sesia 2023, arXiv
    2104.08279, theorem 2).
    """
    ordered = np.sort(p_values)
    return float(min(1.0, (ordered * len(ordered) / np.arange(1, len(ordered) + 1)).min()))


def smallest_rate(count: int) -> float:
    """Return the smallest p-value, and so the smallest false-alarm rate, of so many groups."""
    return 1 / (count + 1)


def groups_needed(rate: float) -> int:
    """Return how many healthy groups a false-alarm rate between 0 and 1 needs."""
    return math.ceil(1 / rate - ROUNDING) - 1


def check_is_rate(rate: float) -> None:
    """Raise `InputError` unless a false-alarm rate is between 0 and 1."""
    if not 0 < rate < 1:
        raise InputError(f"false-alarm rate {rate}: choose one between 0 and 1, for example 0.05")


def check_rate(rate: float, count: int, groups: str = "healthy recordings") -> None:
    """Raise `InputError` if `rate` is no rate, or needs more than `count` groups.

    `groups` says what they are of in the message.
    """
    check_is_rate(rate)
    needed = groups_needed(rate)
    if count < needed:
        raise InputError(
            f"a false-alarm rate of {rate:g} needs {needed} {groups}, and there are {count}; "
            f"record {needed - count} more or choose a rate of at least "
            f"{rounded_up(smallest_rate(count)):g}"
        )


def rate_interval(
    count: int, rate: float, confidence: float = 0.95, design_effect: float = 2.0
) -> tuple[float, float]:
    """Return the interval in which the false-alarm rate of one fit lies with this probability."""
    tail = (1 - confidence) / 2
    edges, mass = _beta_mass(*rate_shape(count, rate, design_effect), BETA_STEPS)
    low, high = np.interp((tail, 1 - tail), np.append(0, np.cumsum(mass)), edges)
    return float(np.sin(low) ** 2), float(np.sin(high) ** 2)


def rate_distribution(count: int, rate: float) -> tuple[Floats, Floats]:
    """Return false-alarm rates that a fit may have, ascending, and how probable each is, (step,).

    They stand for the distribution of `rate_shape`: sums over them, weighted, are integrals, of
    smooth functions to three digits and more.
    """
    a, b = rate_shape(count, rate)
    edges, mass = _beta_mass(a, b, max(LEAST_STEPS, math.ceil(4 * math.sqrt(a + b))))
    kept = mass > NEGLIGIBLE
    return np.sin((edges[1:] + edges[:-1])[kept] / 2) ** 2, mass[kept]


def rate_shape(count: int, rate: float, design_effect: float = 2.0) -> tuple[float, float]:
    """Return a, b of the Beta distribution of the false-alarm rate that one fit realises.

    With n independent calibration scores it is Beta(m, n + 1 − m), m = ⌊rate · (n + 1)⌋ (Vovk 2012,
    arXiv 1209.2673). Scores of recordings against each other are not independent: two that are each
    other's nearest share one distance. So the n + 1 are counted as (n + 1) / `design_effect`; give
    1 for recordings set apart for calibration. That 2 is enough is measured
    (benchmarks/calibration.py). Raises `InputError` where the recordings are too few.
    """
    check_rate(rate, count)
    alarms = math.floor(rate * (count + 1) + ROUNDING)
    return alarms / design_effect, (count + 1 - alarms) / design_effect


def _beta_mass(a: float, b: float, steps: int) -> tuple[Floats, Floats]:
    """Return angles θ (step + 1,) and the mass of Beta(a, b), a, b ≥ ½, between them, x = sin² θ.

    The density of θ is proportional to sin^(2a − 1) θ · cos^(2b − 1) θ, and has no poles; it is
    summed up by the midpoint rule. scipy's takes longer to load.
    """
    edges = np.linspace(0, np.pi / 2, steps + 1)
    middles = (edges[1:] + edges[:-1]) / 2
    density = (2 * a - 1) * np.log(np.sin(middles)) + (2 * b - 1) * np.log(np.cos(middles))
    mass = np.exp(density - density.max())
    return edges, mass / mass.sum()


def rounded_up(rate: float) -> float:
    """Return a rate in three digits, never below what it is."""
    unit = 10.0 ** (math.floor(math.log10(rate)) - 2)
    return float(f"{math.ceil(rate / unit - ROUNDING) * unit:.3g}")
