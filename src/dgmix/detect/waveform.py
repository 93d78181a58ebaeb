"""From a waveform to a verdict in one torch module, all of it tensors, so that it can be exported.

It gives what `Detector` gives for one signal (sample,) that has the detector's sample rate already.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dgmix.audio.bank import FLOAT16_MAX
from dgmix.audio.features import MelSpectrogram, decibels
from dgmix.config import DetectSettings, Recipe
from dgmix.detect.calibration import Promise
from dgmix.detect.conformal import ROUNDING
from dgmix.detect.fusion import PRIOR_COUNT, PRIOR_DEVIATION, TINY
from dgmix.detect.views import (
    LEARNED,
    LEAST_CHANGE,
    RHYTHM_FRAMES,
    Vectors,
    band_groups,
    hann,
    modulation_bands,
)
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
    mean: Tensor
    deviation: Tensor
    lower: Tensor
    upper: Tensor
    levels: Tensor

    def __init__(self, promise: Promise) -> None:
        super().__init__()
        scale = promise.scale()
        lower, upper = scale.bounds
        arrays = {
            "votes": promise.votes,
            "mean": promise.units.mean,
            "deviation": promise.units.deviation,
            "lower": lower,
            "upper": upper,
            "levels": scale.levels,
        }
        for name, array in arrays.items():
            self.register_buffer(name, torch.from_numpy(np.asarray(array, np.float64)))

    def forward(self, own: Tensor, healthy: Tensor) -> tuple[Tensor, Tensor]:
        """Return score and p-value, float64 (), of distances (view,).

        `healthy` (view, clip) are those of the healthy clips beside the clip.
        """
        if len(self.mean) == 1:
            reached = healthy[0] >= own[0] - ROUNDING
            exact = (1 + (self.votes * reached.double()).sum()) / (self.votes.sum() + 1)
            level = (self.levels >= exact - ROUNDING).sum() - 1
            score = torch.minimum(own[0], self.upper[level])
            return score, self.levels[(self.upper < score).sum()]
        mine, others = own.clamp(min=TINY).log(), healthy.clamp(min=TINY).log()
        level = (self.levels >= self._exact(mine, others) - ROUNDING).sum() - 1
        score = ((mine - self.mean) / self.deviation).max()
        score = torch.minimum(torch.maximum(score, self.lower[level]), self.upper[level])
        return score, self.levels[level]

    def _exact(self, mine: Tensor, others: Tensor) -> Tensor:
        """Return the exact p-value, as `joint_scores` and `rank_p_values` do."""
        total = self.votes.sum() + 1
        mean = (others @ self.votes + mine) / total
        squares = (others - mean[:, None]).square() @ self.votes + (mine - mean).square()
        prior = PRIOR_COUNT * PRIOR_DEVIATION**2
        deviation = ((squares + prior) / (total + PRIOR_COUNT)).sqrt()
        score = ((mine - mean) / deviation).max()
        reached = ((others - mean[:, None]) / deviation[:, None]).amax(0) >= score - ROUNDING
        return (1 + (self.votes * reached.double()).sum()) / total


class Nearest(nn.Module):
    """Vectors (query, dim) of a clip → its distance to the nearest references, and theirs.

    What `dgmix.detect.compare.Direct` measures in one view; `nearest` (reference, k) are the
    distances of each reference to its nearest ones.
    """

    centre: Tensor
    references: Tensor
    nearest: Tensor
    clips: Tensor

    def __init__(self, view: Vectors, nearest: NDArray[np.float64], farthest: bool) -> None:
        super().__init__()
        self.neighbors, self.farthest = nearest.shape[1], farthest
        self.count = int(view.clips[-1]) + 1
        centre = view.values.mean(0, dtype=np.float64)
        self.register_buffer("centre", torch.from_numpy(centre))
        self.register_buffer("references", torch.from_numpy(view.values - centre))
        self.register_buffer("nearest", torch.from_numpy(nearest))
        self.register_buffer("clips", torch.from_numpy(view.clips))

    def forward(self, queries: Tensor) -> tuple[Tensor, Tensor]:
        """Return the distance () of the clip and those (clip,) of the healthy ones, float64."""
        differences = (queries.double() - self.centre)[:, None] - self.references
        between = differences.square().sum(-1).sqrt()
        few = min(self.neighbors, len(self.references))
        own = between.topk(few, largest=False).values.mean(1)
        joined = torch.cat([self.nearest, between.T], 1).topk(self.neighbors, largest=False).values
        finite = joined.isfinite()
        values = torch.where(finite, joined, 0).sum(1) / finite.sum(1)
        return own.max() if self.farthest else own.mean(), self._pooled(values)

    def _pooled(self, values: Tensor) -> Tensor:
        if self.count == len(self.clips):
            return values
        zeros = torch.zeros(self.count, dtype=torch.float64)
        how = "amax" if self.farthest else "mean"
        return zeros.scatter_reduce(0, self.clips, values, how, include_self=False)


class WaveformVerdict(nn.Module):
    """Signal (sample,) → score, p-value, anomaly, and its mean embedding (dim,).

    `views` are what each view of a signal is compared with; it is an anomaly when its p-value is at
    most `rate`.
    """

    def __init__(
        self,
        embedding: WaveformEmbedding,
        settings: DetectSettings,
        views: Mapping[str, Nearest],
        promise: Promise,
        rate: float,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.views = list(views)
        self.pool = settings.pool
        self.nearest = nn.ModuleList(views.values())
        self.verdict = Verdict(promise)
        self.rate = rate

    def forward(self, waveform: Tensor) -> tuple[Tensor, ...]:
        """Return score float64 (), p-value float32 (), anomaly bool ().

        And, where a view is learned, the embedding (dim,). A signal that holds a value that is not
        a number has no number for score and p-value, and is an anomaly.
        """
        mels = self.embedding.spectrogram(waveform)
        embeddings = self.embedding.embeddings(mels) if self.embedding.network else None
        vectors = self.vectors(mels, embeddings)
        measured = [nearest(each) for nearest, each in zip(self.nearest, vectors, strict=True)]
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
                vectors.append(STATISTICS[view](levels).float()[None])
            elif embeddings is not None:
                whole = self.pool == "mean-embedding"
                vectors.append(mean(embeddings)[None] if whole else embeddings)
        return vectors


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
    "logmel-rhythm": rhythm,
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
