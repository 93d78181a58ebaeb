"""From a waveform to a verdict in one torch module, all of it tensors, so that it can be exported.

It gives what `Detector` gives for one signal (sample,) that has the detector's sample rate already.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dgmix.audio.bank import FLOAT16_MAX
from dgmix.audio.features import MelSpectrogram, decibels
from dgmix.config import DetectSettings, Recipe
from dgmix.detect.calibration import Promise
from dgmix.detect.conformal import EQUAL, ROUNDING
from dgmix.detect.fusion import PART_DEVIATION, POWER, PRIOR_COUNT, PRIOR_DEVIATION, TINY
from dgmix.detect.scorers import JointScorer
from dgmix.detect.scorers.kriging import LEAST, Kriging
from dgmix.detect.scorers.nearest import Nearest
from dgmix.detect.views import LEARNED, RAW_VIEWS, view_size
from dgmix.detect.views.course import TENTHS
from dgmix.detect.views.levels import LEAST_CHANGE
from dgmix.detect.views.rhythm import RHYTHM_FRAMES, band_groups, hann, modulation_bands
from dgmix.model.network import Network


class WaveformEmbedding(nn.Module):
    """Signal (sample,) → the mean embedding (dim,) of its windows, float32; without a network,
    none.

    Any length from one sample on: what is shorter than a window wraps around. `hop` is that of the
    windows, in frames.
    """

    def __init__(self, recipe: Recipe, network: Network | None, hop: int) -> None:
        super().__init__()
        self.remove_mean = recipe.audio.remove_mean
        self.mel = MelSpectrogram(recipe.features, recipe.audio.sample_rate)
        self.network = copy.deepcopy(network).cpu().eval() if network else None
        self.hop = hop

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the mean embedding of a signal (sample,)."""
        return mean(self.embeddings(self.spectrogram(waveform)))

    def spectrogram(self, waveform: Tensor) -> Tensor:
        """Return the linear mel magnitudes (frame, mel) of a signal (sample,).

        Computed in float64, since the encoder magnifies a value that is rounded to another float16
        than in `half_mel` several hundred times.
        """
        if self.remove_mean:
            waveform = waveform - mean(waveform)
        padded = reflected(waveform, self.mel.frame_length // 2)
        return self.mel.spectrogram(padded.double()).T.clamp(max=FLOAT16_MAX).half().float()

    def embeddings(self, mels: Tensor) -> Tensor:
        """Return the embeddings (window, dim) of linear mel magnitudes (frame, mel)."""
        assert self.network is not None
        embeddings: Tensor = self.network(windows(mels, self.network.crop_frames, self.hop))
        return embeddings


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

    def forward(self, own: Tensor, healthy: Tensor) -> tuple[Tensor, Tensor]:
        """Return score and p-value, float64 (), of distances (row,).

        `healthy` (row, clip) are those of the healthy clips beside the clip.
        """
        logs = torch.cat([healthy, own[:, None]], 1).clamp(min=TINY).log()
        ranked = logs[0] if len(own) == 1 else self._combined(logs)
        score = own[0] if len(own) == 1 else ranked[-1]
        reached = (ranked[:-1] >= ranked[-1] - EQUAL).double()
        exact = (1 + self.votes[:-1] @ reached) / self.votes.sum()
        level = (self.levels >= exact - ROUNDING).sum() - 1
        least = score if len(own) == 1 else self.lower[level]
        score = torch.minimum(torch.maximum(score, least), self.upper[level])
        return score, self.levels[(self.upper < score).sum()]

    def _combined(self, logs: Tensor) -> Tensor:
        """Return what `view_deviations` and `combined` do of logarithms (row, point)."""
        rows = self._deviations(logs, PRIOR_DEVIATION)
        views = []
        for part in torch.split(rows, self.parts):
            if len(part) > 1:
                size = part.clamp(min=0).square().mean(0, keepdim=True).sqrt()
                part = self._deviations(size, PART_DEVIATION)
            views.append(part)
        deviations = torch.cat(views)
        most = deviations.amax(0)
        norm = deviations.clamp(min=0).pow(POWER).sum(0).pow(1 / POWER)
        return torch.where(most > 0, norm, most)

    def _deviations(self, values: Tensor, prior: float) -> Tensor:
        """Return what `Points.deviations` does of values (row, point)."""
        total = self.votes.sum()
        centred = values - (values @ self.votes / total)[:, None]
        weighted = centred * self.votes
        count = total - self._of_group(self.votes[None])
        mean = (weighted.sum(1, keepdim=True) - self._of_group(weighted)) / count
        squares = weighted * centred
        others = squares.sum(1, keepdim=True) - self._of_group(squares) - count * mean.square()
        variance = (others.clamp(min=0) + PRIOR_COUNT * prior**2) / (count + PRIOR_COUNT)
        return (centred - mean) / variance.sqrt()

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

    def forward(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Return the score () of the clip and those (clip,) of the healthy ones, float64."""
        between = distances(queries.double() - self.centre, self.references)
        few = min(self.neighbors, len(self.references))
        own = between.topk(few, largest=False).values.mean(1)
        joined = torch.cat([self.neighbours, between.T], 1)
        joined = joined.topk(self.neighbors, largest=False).values
        finite = joined.isfinite()
        values = torch.where(finite, joined, 0).sum(1) / finite.sum(1)
        return own.max() if self.farthest else own.mean(), self._pooled(values)

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
    references: Tensor
    inverse: Tensor
    alone: Tensor
    blocks: Tensor
    together: Tensor

    def __init__(self, scorer: Kriging) -> None:
        super().__init__()
        blocks = scorer.blocks[0]
        self.exponent, self.nugget = scorer.exponent, scorer.nugget
        self.several = blocks.several
        centre = scorer.values.mean(0, dtype=np.float64)
        arrays = {
            "centre": centre,
            "references": scorer.values - centre,
            "inverse": scorer.inverse,
            "alone": blocks.alone,
            "blocks": blocks.inverses if blocks.several else blocks.together,
            "together": blocks.together,
        }
        for name, array in arrays.items():
            self.register_buffer(name, torch.from_numpy(np.asarray(array)))

    def forward(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Return the score () of the clip and those (clip,) of the healthy ones, float64."""
        dim = self.references.shape[1]
        between = distances(queries.double() - self.centre, self.references)[0] / dim**0.5
        variogram = between.pow(self.exponent)
        column = torch.cat([-variogram, torch.ones(1, dtype=torch.float64)])
        solved = self.inverse @ column
        variance = (self.nugget - column @ solved).clamp(min=LEAST)
        if not self.several:
            return self._as_distance(variance), self._as_distance(2 * (variogram + self.nugget))
        moved = self.blocks @ solved[:-1]
        sums = self.together @ (solved[:-1] * moved)
        beside = self.alone - moved.square() / (variance + sums)
        return self._as_distance(variance), self._as_distance(beside)

    def _as_distance(self, variances: Tensor) -> Tensor:
        return variances.clamp(min=LEAST).pow(1 / self.exponent)


MODULES: dict[type, Callable[[Any], nn.Module]] = {Nearest: NearestModule, Kriging: KrigingModule}


class WaveformVerdict(nn.Module):
    """Signal (sample,) → score, p-value, anomaly, and its mean embedding (dim,).

    `scorers` compare each view of a signal; it is an anomaly when its p-value is at
    most `rate`.
    """

    def __init__(
        self,
        embedding: WaveformEmbedding,
        settings: DetectSettings,
        scorers: Mapping[str, Sequence[JointScorer]],
        promise: Promise,
        rate: float,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.views = list(scorers)
        bands = embedding.mel.features.n_mels
        self.sizes = {view: view_size(view, bands) for view in scorers if view != LEARNED}
        self.pool = settings.pool
        self.scorers = nn.ModuleList(
            [MODULES[type(each)](each) for parts in scorers.values() for each in parts]
        )
        self.parts = [len(parts) for parts in scorers.values()]
        self.verdict = Verdict(promise)
        self.rate = rate

    def forward(self, waveform: Tensor) -> tuple[Tensor, ...]:
        """Return score float64 (), p-value float32 (), anomaly bool ().

        And, where a view is learned, the embedding (dim,). A signal that holds a value that is not
        a number has no number for score and p-value, and is an anomaly.
        """
        mels = self.embedding.spectrogram(waveform)
        embeddings = self.embedding.embeddings(mels) if self.embedding.network else None
        vectors = [
            part
            for view, parts in zip(self.vectors(mels, embeddings), self.parts, strict=True)
            for part in view.chunk(parts, dim=1)
        ]
        measured = [scorer(each) for scorer, each in zip(self.scorers, vectors, strict=True)]
        own, healthy = (torch.stack(values) for values in zip(*measured, strict=True))
        score, p_value = self.verdict(own, healthy)
        no_number = own.isnan().any()
        score, p_value = (torch.where(no_number, torch.nan, each) for each in (score, p_value))
        verdict = score, p_value.float(), ~(p_value > self.rate + ROUNDING)
        return verdict if embeddings is None else (*verdict, mean(embeddings))

    def vectors(self, mels: Tensor, embeddings: Tensor | None) -> list[Tensor]:
        """Return the vectors (vector, dim) of each view of a signal.

        `mels` (frame, mel) are its spectrogram, `embeddings` (window, dim) those of its windows.
        """
        levels = decibels(mels).double()
        vectors = []
        for view in self.views:
            if view != LEARNED:
                scale = torch.from_numpy(RAW_VIEWS[view].scale(self.sizes[view])).double()
                vectors.append((STATISTICS[view](levels) * scale).float()[None])
            elif embeddings is not None:
                whole = self.pool == "mean-embedding"
                vectors.append(mean(embeddings)[None] if whole else embeddings)
        return vectors


def distances(queries: Tensor, references: Tensor) -> Tensor:
    """Return the Euclidean distance (query, reference), of the differences themselves."""
    return (queries[:, None] - references).square().sum(-1).sqrt()


def mean(values: Tensor) -> Tensor:
    """Return the mean over the first axis, summed in float64, as float32."""
    return values.double().mean(0).float()


def change(levels: Tensor) -> Tensor:
    """Return what `dgmix.detect.views.change` does of levels (frame, mel)."""
    steps = levels[1:] - levels[:-1]
    count = torch.sym_max(levels.shape[0] - 1, 1)  # type: ignore[no-untyped-call]
    centred = steps - steps.sum(0) / count
    deviation = (centred.square().sum(0) / count).sqrt()
    level: Tensor = 20 * deviation.clamp(min=LEAST_CHANGE).log10()
    return level


def steadiness(levels: Tensor) -> Tensor:
    """Return what `dgmix.detect.views.levels.steadiness` does of levels (frame, mel)."""
    frames = levels.shape[0]
    apart = torch.sym_min(2, frames - 1)  # type: ignore[no-untyped-call]
    frame = torch.arange(frames)
    steps = levels - levels[(frame - apart).clamp(min=0)]
    kept = (frame >= apart)[:, None].double()
    count = kept.sum()
    centred = (steps - (steps * kept).sum(0) / count) * kept
    deviation = (centred.square().sum(0) / count).sqrt()
    level: Tensor = 20 * deviation.clamp(min=LEAST_CHANGE).log10()
    return level


def course(levels: Tensor) -> Tensor:
    """Return what `dgmix.detect.views.course.course` does of levels (frame, mel)."""
    loudness = 10 * (10 ** (levels / 10)).sum(1).log10()
    ordered, last = loudness.sort().values, levels.shape[0] - 1
    order = [ordered[tenths * last // 10] for tenths in TENTHS]
    steps = (loudness[1:] - loudness[:-1]).abs()
    count = torch.sym_max(last, 1)  # type: ignore[no-untyped-call]
    mean = steps.sum() / count
    most = torch.cat([torch.zeros(1, dtype=steps.dtype), steps]).max()
    deviation = ((steps - mean).square().sum() / count).sqrt()
    return torch.stack([*order, loudness.mean(), loudness.std(correction=0), mean, most, deviation])


def q90(levels: Tensor) -> Tensor:
    """Return what `dgmix.detect.views.q90` does of levels (frame, mel)."""
    return levels.sort(0).values[9 * (levels.shape[0] - 1) // 10]


def rhythm(levels: Tensor) -> Tensor:
    """Return what `dgmix.detect.views.rhythm` does of levels (frame, mel), by a matrix product."""
    frame = torch.arange(RHYTHM_FRAMES, dtype=torch.float64)
    angles = 2 * np.pi / RHYTHM_FRAMES * frame * frame[1 : RHYTHM_FRAMES // 2 + 1, None]
    waves = torch.cat([angles.cos(), angles.sin()]) * torch.from_numpy(hann())
    grouped = levels @ torch.from_numpy(band_groups(levels.shape[1])).T
    parts = windows(grouped, RHYTHM_FRAMES, RHYTHM_FRAMES // 2)
    parts = waves @ (parts - parts.mean(1, keepdim=True))
    power = (
        parts.square().mean(0).reshape(2, -1, grouped.shape[1]).sum(0) * (4 / RHYTHM_FRAMES) ** 2
    )
    bands = torch.from_numpy(modulation_bands()) @ power
    spectrum: Tensor = 10 * (bands + LEAST_CHANGE**2).log10().flatten()
    return spectrum


STATISTICS: dict[str, Callable[[Tensor], Tensor]] = {
    "logmel-mean": lambda levels: levels.mean(0),
    "logmel-q90": q90,
    "logmel-max": lambda levels: levels.amax(0),
    "logmel-min": lambda levels: levels.amin(0),
    "logmel-change": change,
    "logmel-steadiness": steadiness,
    "logmel-rhythm": rhythm,
    "level-course": course,
}


def reflected(waveform: Tensor, half: int) -> Tensor:
    """Return (sample + 2 · half,), what `MelSpectrogram.pad` does, at any length by one gather."""
    samples = waveform.shape[0]
    repeated = torch.sym_max(samples, half + 1)  # type: ignore[no-untyped-call]
    index = (torch.arange(repeated + 2 * half) - half).abs()
    index = repeated - 1 - (repeated - 1 - index).abs()
    return waveform[wrapped(index, samples)]


def windows(mels: Tensor, length: int, hop: int) -> Tensor:
    """Return the windows (window, length, mel) of (frame, mel) that `window_starts` names."""
    frames = mels.shape[0]
    last = torch.sym_max(frames - length, 0)  # type: ignore[no-untyped-call]
    frame = torch.arange(frames)
    starts = frame[((frame % hop == 0) & (frame < last)) | (frame == last)]
    torch._check(starts.shape[0] > 0)  # type: ignore[no-untyped-call]
    return mels[wrapped(starts[:, None] + torch.arange(length), frames)]


def wrapped(index: Tensor, size: int) -> Tensor:
    """Return `index` modulo `size`; torch cannot export `%` by a size that varies."""
    return index - index // size * size
