"""Scores that treat a new clip and the n healthy ones alike, in closed form.

All of them are functions of distances by a fixed metric, symmetric over the n + 1 clips; so the
rank of a clip's score among them is a full conformal p-value (Vovk, Gammerman & Shafer 2005).
Arrays are (clip, query): a row for each healthy clip and, last, one for the query itself; each
column has the scores that the clips have when that query is among them.

`kriging` is the variance of prediction that each clip has from all others, for the generalised
covariance −distance^β: ordinary kriging with a power variogram (Cressie, Statistics for Spatial
Data, 1993, §2.3 and §3.2; left out one at a time: Dubrule, Mathematical Geology 15, 1983). The
smaller β, the more the nearest clip alone counts. For β = 2 it is `mahalanobis`, the distance from
the others by their scatter with a fixed ridge, which needs no matrix of clips.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

PRIOR_CLIPS, PRIOR_SPREAD, PRIOR_SPREAD_OF_PARTS = 5, 0.1, 0.5
LEAST_NUGGET = 1e-6  # copies of a recording give no singular matrix
TINY = 1e-12
Floats = NDArray[np.float64]


class Kernel(NamedTuple):
    """−distance^`power`, and `nugget` on the diagonal; the nearest other clip for power 0.

    So many `neighbours` of a clip are left out to see in what unit its score is; see `apart`.
    """

    power: float
    nugget: float = 0.0
    neighbours: int = 0


class Fusion(NamedTuple):
    """The norm over views of an `order`, of what lies above so many standard deviations."""

    order: float
    above: float = 0.0

    def __str__(self) -> str:
        if math.isinf(self.order):
            return "largest"
        return f"{self.order:g}-norm" + (f" of what is above {self.above:g}" if self.above else "")


def distances(first: Floats, second: Floats) -> Floats:
    """Return the Euclidean distance of each of `first` (a, dim) to each of `second` (b, dim)."""
    squares = (first**2).sum(1)[:, None] + (second**2).sum(1) - 2 * first @ second.T
    return np.asarray(np.sqrt(np.maximum(squares, 0)))


def logarithms(healthy: Floats, queries: Floats, kernel: Kernel) -> Floats:
    """Return the logarithm of each clip's distance from the others (n + 1, query).

    `healthy` (n, dim) and `queries` (query, dim) are points; n is at least 2.
    """
    if kernel.power == 2:
        return np.log(mahalanobis(healthy, queries, kernel.nugget)) / 2
    among, to_queries = distances(healthy, healthy), distances(healthy, queries)
    if kernel.power == 0:
        return np.log(np.maximum(nearest(among, to_queries), TINY))
    return np.log(kriging(among, to_queries, kernel)) / kernel.power


def nearest(among: Floats, to_queries: Floats) -> Floats:
    """Return each clip's distance to the nearest other one (n + 1, query)."""
    others = among + np.diag(np.full(len(among), np.inf))
    healthy = np.minimum(others.min(1)[:, None], to_queries)
    return np.vstack([healthy, to_queries.min(0)])


def mahalanobis(healthy: Floats, queries: Floats, nugget: float) -> Floats:
    """Return what `kriging` does for power 2, by the scatter S of the healthy clips alone.

    With their mean m and A = (S + λ / 2)⁻¹, a query's variance is s = λ (1 + 1 / n + (q - m)ᵀ A
    (q - m)), and a healthy clip's one over (1 - 1 / n - (x - m)ᵀ A (x - m)) / λ + w² / s, where
    w = 1 / n + (x - m)ᵀ A (q - m) is its weight in the prediction of the query. One healthy clip
    has the score of the query.
    """
    clips, nugget = len(healthy), max(nugget, LEAST_NUGGET)
    mean = healthy.mean(0)
    centred, away = healthy - mean, queries - mean
    ridge = nugget / 2 * np.eye(healthy.shape[1])
    precise = np.linalg.solve(centred.T @ centred + ridge, away.T)
    own = nugget * (1 + 1 / clips + (away.T * precise).sum(0))
    leverage = (centred.T * np.linalg.solve(centred.T @ centred + ridge, centred.T)).sum(0)
    weights = 1 / clips + centred @ precise
    healthy_ones = np.maximum(1 - 1 / clips - leverage, 0)[:, None] / nugget + weights**2 / own
    return np.vstack([1 / np.maximum(healthy_ones, TINY), own])


def kriging(among: Floats, to_queries: Floats, kernel: Kernel) -> Floats:
    """Return each clip's variance of prediction from the others (n + 1, query).

    With the matrix B of the healthy clips' kernel, bordered by ones, its inverse G, the query's
    column b and w = G b, the query's variance is s = λ − b · w. A healthy clip's is one over its
    diagonal element of the inverse that has the query in it too: G + w wᵀ / s.
    """
    nugget = max(kernel.nugget, LEAST_NUGGET)
    inverse = bordered_inverse(among, kernel)
    column = np.vstack([-(to_queries**kernel.power), np.ones(to_queries.shape[1])])
    weights = inverse @ column
    own = np.maximum(nugget - (column * weights).sum(0), TINY)
    clips = len(among)
    healthy = np.diag(inverse)[:clips, None] + weights[:clips] ** 2 / own
    return np.vstack([1 / np.maximum(healthy, TINY), own])


def bordered_inverse(among: Floats, kernel: Kernel) -> Floats:
    """Return the inverse of the matrix of a kernel of clips (n, n), bordered by ones."""
    clips = len(among)
    bordered = np.ones((clips + 1, clips + 1))
    bordered[-1, -1] = 0
    nugget = max(kernel.nugget, LEAST_NUGGET)
    bordered[:clips, :clips] = nugget * np.eye(clips) - among**kernel.power
    return np.asarray(np.linalg.inv(bordered))


def apart(healthy: Floats, queries: Floats, kernel: Kernel) -> Floats:
    """Return what `logarithms` does with the nearest of the other clips left out too.

    With G the inverse of `kriging`, the variance of a clip from those outside a group is its
    element of the diagonal of the inverse of G's block of the group; a query changes G by w wᵀ / s.
    Two clips at least are left to predict from. Without a kernel nothing is left out.
    """
    count = min(kernel.neighbours, len(healthy) - 2)
    if count < 1 or not kernel.power:
        return logarithms(healthy, queries, kernel)
    among, to_queries = distances(healthy, healthy), distances(healthy, queries)
    inverse = bordered_inverse(among, kernel)
    column = np.vstack([-(to_queries**kernel.power), np.ones(len(queries))])
    weights = inverse @ column
    own = np.maximum(max(kernel.nugget, LEAST_NUGGET) - (column * weights).sum(0), TINY)
    inverse, weights = inverse[:-1, :-1], weights[:-1]
    np.fill_diagonal(among, -1)
    groups = np.argsort(among, 1)[:, : count + 1]
    blocks, fewer = (np.linalg.inv(block(inverse, each)) for each in (groups, groups[:, :-1]))
    columns = weights[groups]
    moved = blocks @ columns
    variances = blocks[:, :1, 0] - moved[:, 0] ** 2 / (own + (columns * moved).sum(1))
    nearer = to_queries < np.take_along_axis(among, groups[:, -1:], 1)
    variances = np.where(nearer, fewer[:, :1, 0], variances)
    nearest = np.argsort(to_queries, 0)[:count].T
    columns = np.take_along_axis(weights.T, nearest, 1)[..., None]
    raised = (columns * np.linalg.solve(block(inverse, nearest), columns)).sum((1, 2))
    return np.asarray(np.log(np.maximum(np.vstack([variances, own + raised]), TINY)) / kernel.power)


def block(matrix: Floats, groups: NDArray[np.int64]) -> Floats:
    """Return the blocks (group, clip, clip) of a matrix for groups (group, clip)."""
    return np.asarray(matrix[groups[:, :, None], groups[:, None]])


def units(
    scores: Floats, prior_spread: float = PRIOR_SPREAD, beside: Sequence[Floats] = ()
) -> Floats:
    """Return scores (..., n + 1, query) by mean and standard deviation of the n others' each.

    The others' variance is joined by that of `PRIOR_CLIPS` clips with `prior_spread`. Were a
    clip's own score among those that its unit is made of, no score could exceed n / √(n + 1), and
    views that differ in how unusual they find a clip would agree (externally studentised
    residuals: Cook & Weisberg 1982, §2.2). `beside` are scores whose mean is taken instead, and
    others, of the same shape: the mean of the variances of both about that mean is the variance.
    """
    own, others = beside or (scores, scores)
    count = scores.shape[-2] - 1
    centre = own.mean(-2, keepdims=True)
    mean = -(own - centre) / count
    variance = (squares(own - centre, mean) + squares(others - centre, mean)) / 2
    prior = PRIOR_CLIPS * prior_spread**2
    return np.asarray(
        (scores - centre - mean) / np.sqrt((variance + prior) / (count + PRIOR_CLIPS))
    )


def squares(scores: Floats, mean: Floats) -> Floats:
    """Return the sum of squares, about a mean, of the others of each (..., n + 1, query)."""
    first, second = (each.sum(-2, keepdims=True) - each for each in (scores, scores**2))
    return np.maximum(second - 2 * mean * first + (scores.shape[-2] - 1) * mean**2, 0)


def view_scores(parts: Floats, spread: Floats | None = None) -> Floats:
    """Return the score (n + 1, query) of a view, in units, from those of its parts.

    `parts` (part, n + 1, query) are logarithms; `spread` are those of which the unit is made. Of
    several parts the root mean square of what lies above the others' mean counts.
    """
    spread = parts if spread is None else spread
    if len(parts) == 1:
        return units(parts[0], PRIOR_SPREAD, (parts[0], spread[0]))
    sizes = [
        np.sqrt((np.maximum(units(each, PRIOR_SPREAD, (parts, parts)), 0) ** 2).mean(0))
        for each in (parts, spread)
    ]
    return units(sizes[0], PRIOR_SPREAD_OF_PARTS, sizes)


def fused(scores: Floats, fusion: Fusion) -> Floats:
    """Return one score of those of several views (view, ...): the norm of an order, or largest.

    Only what lies above `fusion.above` counts, except where all views lie below it.
    """
    over = scores - fusion.above
    highest = over.max(0)
    if np.isinf(fusion.order):
        return np.asarray(highest)
    norm = (np.maximum(over, 0) ** fusion.order).sum(0) ** (1 / fusion.order)
    return np.asarray(np.where(highest > 0, norm, highest))
