"""A network on waveforms: on the spectrum of a whole crop, and on its spectrograms.

The two branches of Wilkinghoff (ICASSP 2023, "Design choices for learning embeddings from auxiliary
tasks for domain generalization in anomalous sound detection"; arXiv 2309.15643), whose embeddings
stand side by side; with spectrograms of several resolutions as in ASDKit (arXiv 2507.10264). The
spectrum, of the finest resolution that a crop has, tells tones apart; from spectrograms the mean
over time is taken, so that they tell what moves. Each spectrogram goes through the network of
`resnet`, which pools time by mean and deviation where the publications take the maximum.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from dgmix.config import EncoderSettings
from dgmix.errors import InputError
from dgmix.model.encoders.resnet import ResNet

CHANNELS = 128  # of every layer of the spectrum's branch
KERNELS = ((256, 64), (64, 32), (16, 4))  # length and stride of its convolutions, in bins
DEPTH = 5  # linear layers after them


class Spectra(nn.Module):
    """(crop, sample) → (crop, 128 · (1 + resolutions)) for the standard width.

    Raises `InputError` where a crop is shorter than a frame of some resolution.
    """

    takes = "waveform"

    def __init__(self, settings: EncoderSettings, samples: int) -> None:
        super().__init__()
        longest = max(settings.resolutions)
        if longest > samples:
            raise InputError(
                f"encoder.resolutions: {longest} samples, and a crop has {samples}; choose "
                "shorter frames, or a longer input.crop_seconds"
            )
        spectrum = Spectrum(settings, samples)
        resolutions = [Resolution(settings, samples, n_fft) for n_fft in settings.resolutions]
        self.branches = nn.ModuleList([spectrum, *resolutions])
        self.embedding_size = spectrum.embedding_size + sum(r.embedding_size for r in resolutions)

    def segments(self) -> list[nn.Module]:
        """Return the parts that are computed one after another."""
        return list(self.branches)

    def forward(self, signals: Tensor) -> Tensor:
        """Return the embeddings `(crop, embedding_size)` of crops `(crop, sample)`."""
        return torch.cat([branch(signals) for branch in self.branches], 1)


class Spectrum(nn.Module):
    """Convolutions along the magnitudes of a crop's spectrum, (crop, sample) → (crop, 128)."""

    def __init__(self, settings: EncoderSettings, samples: int) -> None:
        super().__init__()
        self.embedding_size = size = max(4, round(CHANNELS * settings.width))
        layers: list[nn.Module] = []
        length = samples // 2 + 1
        for inputs, (kernel, stride) in zip((1, size, size), KERNELS, strict=True):
            before = (kernel - stride) // 2
            layers += [
                nn.ConstantPad1d((before, before + -length % stride), 0.0),
                nn.Conv1d(inputs, size, kernel, stride, bias=False),
                nn.ReLU(),
            ]
            length = -(-length // stride)
        self.convolutions = nn.Sequential(*layers, nn.Flatten())
        hidden: list[nn.Module] = []
        for inputs, outputs in pairwise([length * size, *[size] * (DEPTH - 1)]):
            hidden += [nn.Linear(inputs, outputs, bias=False), nn.BatchNorm1d(outputs), nn.ReLU()]
        self.embed = nn.Sequential(*hidden, nn.Linear(size, size, bias=False))

    def forward(self, signals: Tensor) -> Tensor:
        """Return the embeddings `(crop, embedding_size)` of crops `(crop, sample)`."""
        magnitudes = torch.fft.rfft(signals.float(), norm="ortho").abs()
        embedding: Tensor = self.embed(self.convolutions(magnitudes.unsqueeze(1)))
        return embedding


class Resolution(nn.Module):
    """A residual network on the spectrogram of one frame length, (crop, sample) → (crop, 128)."""

    window: Tensor

    def __init__(self, settings: EncoderSettings, samples: int, n_fft: int) -> None:
        super().__init__()
        self.hop_length = n_fft // 2
        self.register_buffer("window", torch.hann_window(n_fft), persistent=False)
        frames = 1 + (samples - n_fft) // self.hop_length
        bins = n_fft // 2 + 1
        self.norm = nn.BatchNorm1d(bins)
        self.network = ResNet(settings, bins, frames)
        self.embedding_size = self.network.embedding_size

    def forward(self, signals: Tensor) -> Tensor:
        """Return the embeddings `(crop, embedding_size)` of crops `(crop, sample)`."""
        embedding: Tensor = self.network(self.norm(self.spectrogram(signals)).unsqueeze(1))
        return embedding

    def spectrogram(self, signals: Tensor) -> Tensor:
        """Return the magnitudes `(crop, bin, frame)` of crops, less their mean over time."""
        spectra = torch.stft(
            signals.float(),
            len(self.window),
            self.hop_length,
            window=self.window,
            center=False,
            return_complex=True,
        )
        magnitudes = spectra.abs()
        return magnitudes - magnitudes.mean(2, keepdim=True)
