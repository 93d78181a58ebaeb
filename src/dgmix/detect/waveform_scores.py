"""Scores and p-value of a clip as torch modules, so that they can be exported."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dgmix.detect.calibration import Promise
from dgmix.detect.conformal import EQUAL, ROUNDING
from dgmix.detect.fusion import PART_DEVIATION, PRIOR_COUNT, PRIOR_DEVIATION, TINY
from dgmix.detect.scorers.inverses import NUGGET
from dgmix.detect.scorers.kriging import LEAST, Blocks, Kriging
from dgmix.detect.scorers.nearest import Nearest
from dgmix.detect.scorers.neighbourhoods import TIE, Neighbourhoods

NOTHING = np.zeros((0, 0))


class Verdict(nn.Module):
    """Distances of one clip → its score and p-value, as `Promise` has them, of known conditions."""

    votes: Tensor
    members: Tensor
    lower: Tensor
    upper: Tensor
    levels: Tensor

    def __init__(self, promise: Promise) -> None:
        super().__init__()
        scale, groups = promise.scale(), promise.points.groups
        lower, upper = scale.bounds
        members = np.eye(int(groups.max()) + 2)[np.append(groups, groups.max() + 1)]
        arrays = {
            "votes": np.append(promise.points.votes, 1.0),
            "members": members,
            "lower": lower,
            "upper": upper,
            "levels": scale.levels,
        }
        for name, array in arrays.items():
            self.register_buffer(name, torch.from_numpy(np.asarray(array, np.float64)))
        self.parts = list(promise.parts)

    def forward(self, own: Tensor, healthy: Tensor, apart: Tensor) -> tuple[Tensor, Tensor]:
        """Return score and p-value, float64 (), of distances (row,).

        `healthy` (row, clip) are those of the healthy clips beside the clip, `apart` (row, point)
        those of the healthy clips and the clip when their nearest are left out.
        """
        logs = torch.cat([healthy, own[:, None]], 1).clamp(min=TINY).log()
        ranked = logs[0] if len(own) == 1 else self._combined(logs, apart.clamp(min=TINY).log())
        score = own[0] if len(own) == 1 else ranked[-1]
        reached = (ranked[:-1] >= ranked[-1] - EQUAL).double()
        exact = (1 + self.votes[:-1] @ reached) / self.votes.sum()
        level = (self.levels >= exact - ROUNDING).sum() - 1
        least = score if len(own) == 1 else self.lower[level]
        score = torch.minimum(torch.maximum(score, least), self.upper[level])
        return score, self.levels[(self.upper < score).sum()]

    def _combined(self, logs: Tensor, apart: Tensor) -> Tensor:
        """Return the largest of what `view_deviations` gives of logarithms (row, point)."""
        views = []
        rows = zip(torch.split(logs, self.parts), torch.split(apart, self.parts), strict=True)
        for part, spread in rows:
            if len(part) == 1:
                views.append(self._deviations(part, part, spread, PRIOR_DEVIATION))
                continue
            sizes = [
                self._deviations(each, part, part, PRIOR_DEVIATION)
                .clamp(min=0)
                .square()
                .mean(0, keepdim=True)
                .sqrt()
                for each in (part, spread)
            ]
            views.append(self._deviations(sizes[0], sizes[0], sizes[1], PART_DEVIATION))
        return torch.cat(views).amax(0)

    def _deviations(self, values: Tensor, scores: Tensor, apart: Tensor, prior: float) -> Tensor:
        """Return what `Points.deviations` does of values (row, point)."""
        total = self.votes.sum()
        centre = (scores @ self.votes / total)[:, None]
        count = total - self._of_group(self.votes[None])
        mean = self._of_others((scores - centre) * self.votes) / count
        squares = sum(self._squares(each - centre, mean, count) for each in (scores, apart))
        variance = (squares / 2 + PRIOR_COUNT * prior**2) / (count + PRIOR_COUNT)
        return (values - centre - mean) / variance.sqrt()

    def _squares(self, values: Tensor, mean: Tensor, count: Tensor) -> Tensor:
        weighted = values * self.votes
        squares = self._of_others(weighted * values) - 2 * mean * self._of_others(weighted)
        return (squares + count * mean.square()).clamp(min=0)

    def _of_others(self, values: Tensor) -> Tensor:
        return values.sum(1, keepdim=True) - self._of_group(values)

    def _of_group(self, values: Tensor) -> Tensor:
        return values @ self.members @ self.members.T


class NearestModule(nn.Module):
    """Vectors (query, dim) of a clip → its score, and those of the healthy clips beside it.

    What `dgmix.detect.scorers.nearest.Nearest` does of recordings.
    """

    centre: Tensor
    references: Tensor
    neighbours: Tensor
    clips: Tensor

    def __init__(self, scorer: Nearest) -> None:
        super().__init__()
        view, neighbours = scorer.view, scorer.neighbours[0]
        self.neighbors, self.count = neighbours.shape[1], scorer.count
        self.farthest = scorer.settings.pool == "max-distance"
        centre = view.values.mean(0, dtype=np.float64)
        self.register_buffer("centre", torch.from_numpy(centre))
        self.register_buffer("references", torch.from_numpy(view.values - centre))
        self.register_buffer("neighbours", torch.from_numpy(neighbours))
        self.register_buffer("clips", torch.from_numpy(view.clips))

    def forward(self, queries: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the score () of the clip and those (clip,) of the healthy ones, float64.

        And both together (point,): no neighbours are left out.
        """
        between = distances(queries.double() - self.centre, self.references)
        few = min(self.neighbors, len(self.references))
        own = between.topk(few, largest=False).values.mean(1)
        joined = torch.cat([self.neighbours, between.T], 1)
        joined = joined.topk(self.neighbors, largest=False).values
        finite = joined.isfinite()
        values = torch.where(finite, joined, 0).sum(1) / finite.sum(1)
        own = own.max() if self.farthest else own.mean()
        healthy = self._pooled(values)
        return own, healthy, torch.cat([healthy, own[None]])

    def _pooled(self, values: Tensor) -> Tensor:
        if self.count == len(self.clips):
            return values
        zeros = torch.zeros(self.count, dtype=torch.float64)
        how = "amax" if self.farthest else "mean"
        return zeros.scatter_reduce(0, self.clips, values, how, include_self=False)


class KrigingModule(nn.Module):
    """Vectors (1, dim) of a clip → its score, and those of the healthy clips beside it.

    What `dgmix.detect.scorers.kriging.Kriging` does of recordings.
    """

    centre: Tensor
    axes: Tensor
    spreads: Tensor
    roots: Tensor
    alone: Tensor
    inverses: Tensor
    together: Tensor
    points: Tensor

    def __init__(self, scorer: Kriging) -> None:
        super().__init__()
        blocks = scorer.blocks[0]
        self.several, self.singles = blocks.several, blocks.singles
        grouped = blocks.several and not blocks.singles
        arrays = {
            "centre": scorer.centre,
            "axes": scorer.axes,
            "spreads": scorer.spreads,
            "roots": scorer.roots,
            "alone": blocks.alone,
            "inverses": by_group(blocks, True) if grouped else NOTHING,
            "together": by_group(blocks, False) if grouped else NOTHING,
            "points": NOTHING if blocks.several else scorer.points(scorer.values),
        }
        for name, array in arrays.items():
            self.register_buffer(name, torch.from_numpy(np.asarray(array, np.float64)))
        near = scorer.neighbourhoods if self.singles else None
        self.neighbourhoods = None if near is None else NeighbourhoodsModule(near, scorer.values)

    def forward(self, queries: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the score () of the clip and those (clip,) of the healthy ones, float64.

        And those of the healthy ones and the clip (point,) when their nearest are left out.
        """
        point = queries[0].double() / queries.shape[1] ** 0.5
        centred = point - self.centre
        along = self.axes @ centred
        scaled = along / self.spreads
        ones = torch.full((1,), len(self.roots) ** -0.5, dtype=torch.float64)
        weights = self.roots @ torch.cat([ones, scaled])
        beyond = (centred.square().sum() - along.square().sum()).clamp(min=0)
        size = 1 + 1 / len(self.roots) + scaled.square().sum()
        variance = (NUGGET * size + 2 * beyond).clamp(min=LEAST)
        healthy = self._beside(point, weights, variance)
        apart = (
            torch.cat([healthy, variance[None]])
            if self.neighbourhoods is None
            else self.neighbourhoods(queries, weights, variance, healthy)
        )
        own, healthy, apart = map(self._as_distance, (variance, healthy, apart))
        return own, healthy, apart

    def _beside(self, point: Tensor, weights: Tensor, variance: Tensor) -> Tensor:
        if not self.several:
            return 2 * ((self.points - point).square().sum(1) + NUGGET)
        if self.singles:
            return 1 / (1 / self.alone + weights.square() / variance)
        moved = self.inverses @ weights
        return self.alone - moved.square() / (variance + self.together @ (weights * moved))

    def _as_distance(self, variances: Tensor) -> Tensor:
        return variances.clamp(min=LEAST).sqrt()


class NeighbourhoodsModule(nn.Module):
    """What `dgmix.detect.scorers.neighbourhoods.Neighbourhoods` says beside one clip."""

    references: Tensor
    members: Tensor
    inverses: Tensor
    fewer: Tensor
    reach: Tensor
    roots: Tensor

    def __init__(self, near: Neighbourhoods, values: NDArray[np.floating]) -> None:
        super().__init__()
        self.count = near.count
        units = np.broadcast_to(np.eye(1 + self.count), (len(values), *[1 + self.count] * 2))
        self.register_buffer("references", torch.from_numpy(values))
        self.register_buffer("members", torch.from_numpy(near.members))
        self.register_buffer("inverses", torch.from_numpy(near.inverses.times(units)))
        self.register_buffer("fewer", torch.from_numpy(near.fewer))
        self.register_buffer("reach", torch.from_numpy(near.reach.T.copy()))
        self.register_buffer("roots", torch.from_numpy(near.roots))

    def forward(self, queries: Tensor, weights: Tensor, variance: Tensor, near: Tensor) -> Tensor:
        """Return the variances (point,) of the healthy clips and, last, of the clip."""
        between = distances(queries.double(), self.references.double())[0]
        columns = weights[self.members]
        moved = (self.inverses @ columns[..., None])[..., 0]
        apart = self.inverses[:, 0, 0] - moved[:, 0].square() / (
            variance + (columns * moved).sum(1)
        )
        before, last, following = self.reach
        apart = torch.where(between < last, self.fewer, apart)
        first = torch.minimum(torch.maximum(between, before), last)
        second = torch.minimum(torch.maximum(between, last), following)
        apart = torch.where(tied(first, second), near, apart)
        nearest = between.topk(self.count + 1, largest=False)
        members = nearest.indices[:-1]
        roots = self.roots[members]
        block = (torch.eye(self.count, dtype=torch.float64) - roots @ roots.T) / NUGGET
        own = variance + quadratic_form(block, weights[members])
        own = torch.where(tied(*nearest.values[-2:]), variance, own)
        return torch.cat([apart, own[None]])


def tied(first: Tensor, second: Tensor) -> Tensor:
    """Return where the second distance is no larger than the first, but for rounding."""
    return second <= first * (1 + TIE)


def quadratic_form(matrix: Tensor, vector: Tensor) -> Tensor:
    """Return vᵀ M⁻¹ v of a positive definite matrix, by elimination: ONNX has no inverse."""
    last = torch.cat([vector, vector.new_zeros(1)])
    rest = torch.cat([torch.cat([matrix, vector[:, None]], 1), last[None]])
    for _ in range(len(vector)):
        rest = rest[1:, 1:] - rest[1:, :1] * rest[:1, 1:] / rest[0, 0]
    return -rest[0, 0]


def by_group(blocks: Blocks, inverted: bool) -> NDArray[np.float64]:
    """Return the inverted blocks of groups in their places (clip, clip), or ones; else zeros."""
    values = np.zeros((len(blocks.alone),) * 2)
    for each in blocks.inverses:
        units = np.broadcast_to(
            np.eye(each.members.shape[1]), (*each.members.shape, each.members.shape[1])
        )
        places = each.members[:, :, None], each.members[:, None, :]
        values[places] = each.times(units) if inverted else 1
    return values


MODULES: dict[type, Callable[[Any], nn.Module]] = {Nearest: NearestModule, Kriging: KrigingModule}


def distances(queries: Tensor, references: Tensor) -> Tensor:
    """Return the Euclidean distance (query, reference), of the differences themselves."""
    return (queries[:, None] - references).square().sum(-1).sqrt()
