"""From a waveform to a verdict in one torch module, all of it tensors, so that it can be exported.

It gives what `Detector` gives for one signal (sample,) that has the detector's sample rate already.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dgmix.audio.bank import FLOAT16_MAX
from dgmix.audio.features import MelSpectrogram
from dgmix.config import DetectSettings, Recipe
from dgmix.detect.threshold import Calibration
from dgmix.model.network import Network

SPARE_CANDIDATES = 15


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
        return mean(self.embeddings(waveform))

    def embeddings(self, waveform: Tensor) -> Tensor:
        """Return the embeddings (window, dim) of a signal (sample,).

        The spectrogram is computed in float64, since the encoder magnifies a value that is rounded
        to another float16 than in `half_mel` several hundred times.
        """
        if self.remove_mean:
            waveform = waveform - mean(waveform)
        padded = reflected(waveform, self.mel.n_fft // 2)
        mels = self.mel.spectrogram(padded.double()).T.clamp(max=FLOAT16_MAX).half().float()
        embeddings: Tensor = self.network(windows(mels, self.network.crop_frames, self.hop))
        return embeddings


@dataclass(frozen=True)
class PValues:
    """The p-value as a function of the score: a step down behind each calibration score.

    `edges` float64 (edge,), ascending; `values` float64 (edge + 1,): the p-value of scores up to
    each edge, and last that of higher ones.
    """

    edges: NDArray[np.float64]
    values: NDArray[np.float64]

    @classmethod
    def of(cls, calibration: Calibration) -> PValues:
        """Return what `calibration.p_values` gives a clip of unknown domain."""
        edges = np.unique(calibration.scores)
        return cls(edges, calibration.p_values(np.append(edges, np.inf)))


class WaveformVerdict(nn.Module):
    """Signal (sample,) → score, p-value, anomaly, and its mean embedding (dim,).

    `references` float32 (reference, dim) are what a signal is compared with; it is an anomaly when
    its score is above `threshold`.
    """

    centre: Tensor
    references: Tensor
    edges: Tensor
    values: Tensor

    def __init__(
        self,
        embedding: WaveformEmbedding,
        settings: DetectSettings,
        references: NDArray[np.float32],
        p_values: PValues,
        threshold: float,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.pool = settings.pool
        self.neighbors = min(settings.neighbors, len(references))
        centre = references.mean(0, dtype=np.float64)
        self.register_buffer("centre", torch.from_numpy(centre).float())
        self.register_buffer("references", torch.from_numpy(references - centre).float())
        self.register_buffer("edges", torch.from_numpy(p_values.edges).float())
        self.register_buffer("values", torch.from_numpy(p_values.values).float())
        self.threshold = threshold

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return score float32 (), p-value float32 (), anomaly bool () and embedding (dim,).

        A signal that holds a value that is not a number has no number for score and p-value, and
        is an anomaly.
        """
        embeddings = self.embedding.embeddings(waveform)
        embedding = mean(embeddings)
        score = self.score(embedding[None] if self.pool == "mean-embedding" else embeddings)
        p_value = self.values[(self.edges < score).sum()]
        p_value = torch.where(score.isnan(), score, p_value)
        return score, p_value, ~(score <= self.threshold), embedding

    def score(self, queries: Tensor) -> Tensor:
        """Return the score () of the vectors (query, dim) that stand for a signal."""
        distances = nearest(queries - self.centre, self.references, self.neighbors)
        return distances.max() if self.pool == "max-distance" else mean(distances)


def mean(values: Tensor) -> Tensor:
    """Return the mean over the first axis, summed in float64, as float32."""
    return values.double().mean(0).float()


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
