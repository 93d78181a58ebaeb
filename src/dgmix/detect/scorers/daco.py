"""The distance to the nearest clip, on the scale of the domains that a clip seems to be of.

DACo, soft domain calibration: Mkrtchian, arXiv 2607.04526. A clip's domains are weighted by how
near it is to each, and its distance is replaced by the quantile that it is among the distances of a
domain's own healthy clips, so that one threshold means the same false-alarm rate in each.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dgmix.config import DetectSettings
from dgmix.detect.scorers.knn import METRICS, mean_of_nearest

ROWS = 512
LEAST = 1e-9
Floats = NDArray[np.float64]


class SoftDomains:
    """Σ over domains of w(x) · F(d(x)): d is the mean distance to the k nearest references.

    F is the quantile function of d over a domain's references, each left out in turn; with
    `domain_prior` m it is (n F + m F of all) / (n + m), n being the number of the domain's
    references. w are the softmax of −(distance to the nearest of the domain) / t, and t is the
    median of d over all references. `domains` text (reference,) are theirs.
    """

    by_domains = True

    def __init__(self, settings: DetectSettings, domains: NDArray[np.str_] | None = None) -> None:
        self.settings, self.domains = settings, domains
        self._distances = METRICS[settings.metric]

    def fit(self, references: NDArray[np.floating]) -> SoftDomains:
        """Learn the quantiles of each domain from its references among (reference, dim)."""
        self._references = np.asarray(references, np.float64)
        domains = np.zeros(len(references), str) if self.domains is None else self.domains
        names, self._domain = np.unique(domains, return_inverse=True)
        left_out = self._left_out()
        self._all = Quantiles(left_out)
        self._own = [Quantiles(left_out[self._domain == each]) for each in range(len(names))]
        self._unit = max(float(np.median(left_out)), LEAST)
        return self

    def score(self, queries: NDArray[np.floating]) -> Floats:
        """Return the scores (query,), from 0 to 1, of queries (query, dim)."""
        parts = [queries[start : start + ROWS] for start in range(0, len(queries), ROWS)]
        return np.concatenate([np.zeros(0), *map(self._scores, parts)])

    def _scores(self, queries: NDArray[np.floating]) -> Floats:
        from scipy.special import softmax  # type: ignore[import-untyped]

        between = self._distances(queries, self._references)
        values = mean_of_nearest(between, self.settings.neighbors)
        nearest = [between[:, self._domain == each].min(1) for each in range(len(self._own))]
        weights = softmax(-np.stack(nearest, 1) / self._unit, axis=1)
        return np.asarray((weights * self._quantiles(values)).sum(1))

    def _quantiles(self, values: Floats) -> Floats:
        """Return the quantiles (query, domain) of distances (query,)."""
        prior, of_all = self.settings.domain_prior, self._all(values)
        mixed = [(len(q) * q(values) + prior * of_all) / (len(q) + prior) for q in self._own]
        return np.stack(mixed, 1)

    def _left_out(self) -> Floats:
        """Return the mean distance (reference,) of each to its k nearest others; 0 without any."""
        total = len(self._references)
        values = np.zeros(total)
        for start in range(0, total if total > 1 else 0, ROWS):
            rows = np.arange(start, min(start + ROWS, total))
            between = self._distances(self._references[rows], self._references)
            between[np.arange(len(rows)), rows] = np.inf
            values[rows] = mean_of_nearest(between, self.settings.neighbors)
        return values


class Quantiles:
    """Which part of some values another is above: i / (n + 1) at the i-th, with straight lines
    between them.

    Above the largest it comes nearer to 1 the farther a value is, measured in the largest's
    distance from the median, so that values far away remain apart.
    """

    def __init__(self, values: Floats) -> None:
        self._places = np.concatenate([[0.0], np.sort(values)])
        self._levels = np.arange(len(values) + 1) / (len(values) + 1)
        largest = float(self._places[-1])
        self._unit = max(largest - float(np.median(values)), LEAST * largest) or 1.0

    def __len__(self) -> int:
        return len(self._places) - 1

    def __call__(self, values: Floats) -> Floats:
        """Return the quantiles (value,) of values (value,) that are not negative."""
        beyond = np.maximum(values - self._places[-1], 0)
        rest = (1 - self._levels[-1]) * beyond / (beyond + self._unit)
        return np.asarray(np.interp(values, self._places, self._levels) + rest)
