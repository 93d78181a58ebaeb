"""From a waveform to a verdict in one torch module, all of it tensors, so that it can be exported.

It gives what `Detector` gives for one signal (sample,) that has the detector's sample rate already.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from dgmix.audio.bank import FLOAT16_MAX
from dgmix.audio.features import MelSpectrogram
from dgmix.config import DetectSettings, Recipe
from dgmix.detect.calibration import Promise
from dgmix.detect.conformal import ROUNDING
from dgmix.detect.scorers import JointScorer
from dgmix.detect.views import LEARNED, RAW_VIEWS, view_size
from dgmix.detect.waveform_mel import WaveformMel
from dgmix.detect.waveform_scores import MODULES, Verdict
from dgmix.detect.waveform_views import STATISTICS, windows
from dgmix.model.network import Network, decibels


class WaveformEmbedding(nn.Module):
    """Signal (sample,) → the mean embedding (dim,) of its windows, float32.

    Any length from one sample on: what is shorter than a window wraps around. `hop` is that of the
    windows, in frames.
    """

    def __init__(self, recipe: Recipe, network: Network | None, hop: int) -> None:
        super().__init__()
        self.remove_mean = recipe.audio.remove_mean
        self.mel = WaveformMel(MelSpectrogram(recipe.features, recipe.audio.rate))
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
        mels: Tensor = self.mel(waveform.double())
        return mels.T.clamp(max=FLOAT16_MAX).half().float()

    def embeddings(self, mels: Tensor) -> Tensor:
        """Return the embeddings (window, dim) of linear mel magnitudes (frame, mel)."""
        assert self.network is not None
        embeddings: Tensor = self.network(windows(mels, self.network.crop_frames, self.hop))
        return embeddings


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
        bands = len(embedding.mel.filters)
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
                scale = torch.from_numpy(RAW_VIEWS[view].scale(self.sizes[view]))
                vectors.append((STATISTICS[view](levels) * scale).float()[None])
            elif embeddings is not None:
                whole = self.pool == "mean-embedding"
                vectors.append(mean(embeddings)[None] if whole else embeddings)
        return vectors


def mean(values: Tensor) -> Tensor:
    """Return the mean over the first axis, summed in float64, as float32."""
    return values.double().mean(0).float()
