"""Mel spectrograms in torch, so that they can be exported: what `dgmix.audio.features` computes."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dgmix.audio.features import MelSpectrogram
from dgmix.detect.views.tensors import wrapped


class WaveformMel(nn.Module):
    """Signal (sample,) to the linear mel magnitudes (mel, frame) of a `MelSpectrogram`."""

    window: Tensor
    filters: Tensor

    def __init__(self, mel: MelSpectrogram) -> None:
        super().__init__()
        self.mel = mel
        self.register_buffer("window", torch.from_numpy(mel.window), persistent=False)
        self.register_buffer("filters", torch.from_numpy(mel.filters), persistent=False)

    def forward(self, waveform: Tensor) -> Tensor:
        """Return the mel magnitudes (mel, frame) of a signal (sample,), in its dtype."""
        features = self.mel.features
        padded = reflected(waveform, self.mel.frame_length // 2)
        frames = self._frames(padded) * self.window.to(padded.dtype)
        spectrum = torch.fft.rfft(frames, features.n_fft)
        bins = torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag)
        if features.power == 1:
            bins = bins.sqrt()
        filters = self.filters.to(padded.dtype)
        mels = [bins[:, part] @ filters[bands, part].T for bands, part in self.mel.parts]
        mel = torch.cat(mels, -1).T
        return mel.sqrt() if features.power == 2 else mel

    def _frames(self, padded: Tensor) -> Tensor:
        """Return the whole frames in `padded` (sample,), (frame, sample)."""
        features = self.mel.features
        frames = padded.unfold(-1, self.mel.frame_length, self.mel.hop_length)
        if features.remove_frame_mean:
            frames = frames - frames.mean(-1, keepdim=True)
        if features.preemphasis:
            before = torch.cat([frames[:, :1], frames[:, :-1]], -1)
            frames = frames - features.preemphasis * before
        return frames


def reflected(waveform: Tensor, half: int) -> Tensor:
    """Return (sample + 2 · half,), what `MelSpectrogram.pad` does, at any length by one gather."""
    samples = waveform.shape[0]
    repeated = torch.sym_max(samples, half + 1)  # type: ignore[no-untyped-call]
    index = (torch.arange(repeated + 2 * half) - half).abs()
    index = repeated - 1 - (repeated - 1 - index).abs()
    return waveform[wrapped(index, samples)]
