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
from dgmix.audio.features import MelSpectrogram
from dgmix.config import DetectSettings, Recipe
from dgmix.detect.calibration import Promise
from dgmix.detect.conformal import ROUNDING
from dgmix.detect.scorers import JointScorer
from dgmix.detect.views import LEARNED, RawView, find_view, part_places, view_size
from dgmix.detect.views.tensors import windows
from dgmix.detect.waveform_mel import WaveformMel
from dgmix.detect.waveform_scores import MODULES, Verdict
from dgmix.errors import InputError
from dgmix.model.network import Network, decibels
from dgmix.plugins import NONE, Plugins

TRIAL_FRAMES = 150


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
        plugins: Plugins = NONE,
    ) -> None:
        super().__init__()
        self.embedding = embedding
        self.views = list(scorers)
        bands = len(embedding.mel.filters)
        raw = {name: find_view(name, plugins) for name in scorers if name != LEARNED}
        self.forms = {name: tensor_form(name, view, bands) for name, view in raw.items()}
        self.scales = {name: view.scale(view_size(view, bands)) for name, view in raw.items()}
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
            view[:, place]
            for view, parts in zip(self.vectors(mels, embeddings), self.parts, strict=True)
            for place in part_places(view.shape[1], parts)
        ]
        measured = [scorer(each) for scorer, each in zip(self.scorers, vectors, strict=True)]
        own, healthy, apart = (torch.stack(values) for values in zip(*measured, strict=True))
        score, p_value = self.verdict(own, healthy, apart)
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
                scale = torch.from_numpy(self.scales[view])
                vectors.append((self.forms[view](levels) * scale).float()[None])
            elif embeddings is not None:
                whole = self.pool == "mean-embedding"
                vectors.append(mean(embeddings)[None] if whole else embeddings)
        return vectors


def can_be_exported(scorers: Mapping[str, Sequence[JointScorer]]) -> bool:
    """Return whether all of the scorers have their like in torch."""
    return all(type(each) in MODULES for parts in scorers.values() for each in parts)


def tensor_form(name: str, view: RawView, n_mels: int) -> Callable[[Tensor], Tensor]:
    """Return a raw view as a function of tensors, float64 (frame, mel).

    Its own form of that, or else its function, where that gives the same of tensors as of arrays.
    Raises `InputError` where it does not.
    """
    levels = np.random.default_rng(0).normal(-40, 10, (TRIAL_FRAMES, n_mels)).astype(np.float32)
    form: Callable[[Any], Any] = view.tensors or view.describe
    try:
        values = form(torch.from_numpy(levels).double())
        np.testing.assert_allclose(values.numpy(), view.describe(levels), rtol=1e-3, atol=1e-3)
    except Exception as error:
        raise InputError(
            f"view '{name}' cannot become part of an ONNX file: its function gives other numbers "
            "of torch's tensors than of arrays, or none; give it the form `tensors` "
            "(docs/plugins.md), or fit without this view"
        ) from error
    return form


def mean(values: Tensor) -> Tensor:
    """Return the mean over the first axis, summed in float64, as float32."""
    return values.double().mean(0).float()
