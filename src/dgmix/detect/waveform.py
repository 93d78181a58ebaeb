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
from dgmix.detect.fusion import TINY, deviations, units
from dgmix.detect.scorers.whitening import Whitening
from dgmix.detect.threshold import Calibration
from dgmix.detect.views import (
    LEARNED,
    LEAST_CHANGE,
    RHYTHM_FRAMES,
    band_groups,
    hann,
    modulation_bands,
)
from dgmix.model.network import Network

SPARE_CANDIDATES = 15
ROUNDING = 1e-9


class WaveformEmbedding(nn.Module):
    """Signal (sample,) → the mean embedding (dim,) of its windows, float32.

    Any length from one sample on: what is shorter than a window wraps around. `hop` is that of the
    windows, in frames.
    """

    def __init__(self, recipe: Recipe, network: Network, hop: int) -> None:
        super().__init__()
        self.remove_mean = recipe.audio.remove_mean
        self.mel = MelSpectrogram(recipe.features, recipe.audio.sample_rate)
        self.network = copy.deepcopy(network).cpu().eval()
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
        embeddings: Tensor = self.network(windows(mels, self.network.crop_frames, self.hop))
        return embeddings


class Verdict(nn.Module):
    """Scores of the views of one clip → its score and p-value, as `Calibration` has them.

    The p-value is that of a clip of unknown domain.
    """

    healthy: Tensor
    weights: Tensor
    mean: Tensor
    spread: Tensor

    def __init__(self, calibration: Calibration) -> None:
        super().__init__()
        healthy, weights = np.atleast_2d(calibration.healthy), calibration.weights
        mean, spread = units(healthy, weights)
        if len(healthy) > 1:
            healthy = deviations(healthy, healthy, weights)
        else:
            mean, spread = np.zeros(1), np.ones(1)
        domains = [np.array(calibration.domains) == name for name in calibration.names]
        arrays = {"healthy": healthy, "mean": mean, "spread": spread}
        arrays["weights"] = np.array([of * weights for of in domains])
        for name, array in arrays.items():
            self.register_buffer(name, torch.from_numpy(array))
        self.total = float(weights.sum())

    def forward(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """Return score and p-value, float64 (), of scores (view,)."""
        if len(self.mean) == 1:
            score, reached = scores[0].double(), self.healthy[0] >= scores[0].double()
        else:
            asked = (scores.double().clamp(min=TINY).log() - self.mean) / self.spread
            mean = asked / (self.total + 1)
            spread = (self.total / (self.total + 1) * (1 + asked * mean)).sqrt()
            own = ((asked - mean) / spread).max()
            score = asked.max()
            reached = (self.healthy >= (mean + spread * own)[:, None]).any(0)
        counts = (self.weights * reached.double()).sum(1)
        return score, ((1 + counts) / (self.weights.sum(1) + 1)).max()


class Nearest(nn.Module):
    """Vectors (query, dim) → their mean distance (query,) to the nearest of some references.

    What the scorer `knn` says, in the white space of the references (reference, dim) where the
    settings ask for it.
    """

    centre: Tensor
    references: Tensor
    scale: Tensor
    unmix: Tensor

    def __init__(self, settings: DetectSettings, references: NDArray[np.float32]) -> None:
        super().__init__()
        self.neighbors = min(settings.neighbors, len(references))
        self.whitens = settings.whiten
        known = references.astype(np.float64)
        if settings.whiten:
            whitening = Whitening(references)
            self.register_buffer("scale", torch.from_numpy(whitening.scale))
            self.register_buffer("unmix", torch.from_numpy(np.linalg.inv(whitening.factor)))
            known, centre = whitening(references), whitening.centre
        else:
            centre = known.mean(0)
            known = known - centre
        self.register_buffer("centre", torch.from_numpy(centre))
        self.register_buffer("references", torch.from_numpy(known).float())

    def forward(self, queries: Tensor) -> Tensor:
        """Return the distances (query,), float32."""
        queries = queries.double()
        if self.whitens:
            queries = (queries / self.scale - self.centre) @ self.unmix.T
        else:
            queries = queries - self.centre
        return nearest(queries.float(), self.references, self.neighbors)


class WaveformVerdict(nn.Module):
    """Signal (sample,) → score, p-value, anomaly, and its mean embedding (dim,).

    `references` float32 (reference, dim) are what each view of a signal is compared with; it is an
    anomaly when its p-value is at most `rate`.
    """

    def __init__(
        self,
        embedding: WaveformEmbedding,
        settings: DetectSettings,
        references: Mapping[str, NDArray[np.float32]],
        calibration: Calibration,
        rate: float,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.views = list(references)
        self.pool = settings.pool
        self.scorers = nn.ModuleList([Nearest(settings, each) for each in references.values()])
        self.verdict = Verdict(calibration)
        self.rate = rate

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return score float32 (), p-value float32 (), anomaly bool () and embedding (dim,).

        A signal that holds a value that is not a number has no number for score and p-value, and
        is an anomaly.
        """
        mels = self.embedding.spectrogram(waveform)
        embeddings = self.embedding.embeddings(mels)
        score, p_value = self.verdict(self.scores(mels, embeddings))
        p_value = torch.where(score.isnan(), score, p_value)
        return score.float(), p_value.float(), ~(p_value > self.rate + ROUNDING), mean(embeddings)

    def scores(self, mels: Tensor, embeddings: Tensor) -> Tensor:
        """Return the scores (view,) of a signal of mels (frame, mel), embeddings (window, dim)."""
        levels = decibels(mels).double()
        found = []
        for view, scorer in zip(self.views, self.scorers, strict=True):
            if view == LEARNED:
                whole = self.pool == "mean-embedding"
                distances = scorer(mean(embeddings)[None] if whole else embeddings)
                found.append(distances.max() if self.pool == "max-distance" else mean(distances))
            else:
                found.append(scorer(STATISTICS[view](levels)[None])[0])
        return torch.stack(found)


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


def nearest(queries: Tensor, references: Tensor, neighbors: int) -> Tensor:
    """Return the mean Euclidean distance (query,) to the nearest references, in their dtype.

    Expanded squares, which lose digits where distances are small, find a few candidates more than
    needed; the distances are those of the differences themselves.
    """
    candidates = min(neighbors + SPARE_CANDIDATES, len(references))
    squares = references.square().sum(1) - 2 * queries @ references.T
    indices = squares.topk(candidates, largest=False).indices
    distances = (queries[:, None] - references[indices]).square().sum(-1).sqrt()
    return distances.topk(neighbors, largest=False).values.mean(1)
