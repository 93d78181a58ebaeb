"""The encoder of spectrum and spectrograms: what its branches see of a waveform."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.signal
import torch
from torch import nn

from dgmix import Detector
from dgmix.config import EncoderSettings, load_recipe
from dgmix.errors import InputError
from dgmix.model.encoders import build_encoder
from dgmix.model.encoders.spectra import Resolution, Spectra, Spectrum

RATE = 16_000
SMALL = EncoderSettings(name="spectra", width=0.125, resolutions=[256, 1024])


def noise(crops: int, samples: int = RATE) -> torch.Tensor:
    rng = np.random.default_rng(0)
    return torch.from_numpy(rng.standard_normal((crops, samples)).astype(np.float32))


@torch.no_grad()
def test_the_embedding_is_that_of_all_branches_side_by_side() -> None:
    encoder = Spectra(SMALL, RATE).eval()
    crops = noise(2)
    beside = torch.cat([branch(crops) for branch in encoder.branches], 1)
    assert [type(branch) for branch in encoder.branches] == [Spectrum, Resolution, Resolution]
    assert torch.equal(encoder(crops), beside)
    assert beside.shape == (2, encoder.embedding_size)


@pytest.mark.parametrize("seconds", [0.5, 1, 1.03, 10])
def test_a_spectrum_of_any_length_becomes_an_embedding(seconds: float) -> None:
    """With strides of 64, 32 and 4 bins a layer has ⌈bins / stride⌉ positions."""
    samples = round(seconds * RATE)
    branch = Spectrum(SMALL, samples)
    sizes = [samples // 2 + 1]
    for stride in (64, 32, 4):
        sizes.append(-(-sizes[-1] // stride))
    x = torch.zeros(1, 1, sizes[0])
    lengths = []
    for layer in branch.convolutions[:-1]:
        x = layer(x)
        if isinstance(layer, nn.Conv1d):
            lengths.append(x.shape[2])
    assert lengths == sizes[1:]
    assert branch.eval()(noise(2, samples)).shape == (2, branch.embedding_size)


def test_spectrograms_are_scipy_s_less_their_mean_over_time() -> None:
    signal = noise(1)
    levels = Resolution(SMALL, RATE, 256).spectrogram(signal)[0].numpy()
    _, _, spectra = scipy.signal.stft(
        signal[0].numpy(), window="hann", nperseg=256, noverlap=128, boundary=None, padded=False
    )
    magnitudes = np.abs(spectra) * 128  # scipy divides by the window's sum
    expected = magnitudes - magnitudes.mean(1, keepdims=True)
    np.testing.assert_allclose(levels, expected, atol=2e-4)


@torch.no_grad()
def test_a_steady_tone_is_seen_by_the_spectrum_alone() -> None:
    """A tone whose period divides the hop is the same in every frame."""
    encoder = Spectra(SMALL, RATE).eval()
    time = torch.arange(RATE) / RATE
    tones = torch.stack([torch.sin(2 * torch.pi * tone * time) for tone in (500.0, 1000.0)])
    spectrum, *resolutions = encoder.branches
    low, high = spectrum(tones)
    assert (low - high).abs().max() > 0.1 * low.abs().max()
    for branch in resolutions:
        assert branch.spectrogram(tones).abs().max() < 0.1
        assert branch.spectrogram(noise(1)).abs().max() > 1


def test_a_frame_longer_than_a_crop_is_refused() -> None:
    with pytest.raises(InputError, match=r"encoder\.resolutions: 1024 samples, .* crop has 1000"):
        build_encoder(SMALL, 128, 10, samples=1000)


def test_a_detector_hears_waveforms_and_is_no_onnx_file(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="part of the extra 'onnx', which is not installed")
    changes = ["detect.views=[dgmix]", "pretrain.epochs=0", "features.n_mels=32"]
    network = ["name=spectra", "width=0.125", "resolutions=[256]"]
    recipe = load_recipe("learned", [*changes, *(f"encoder.{each}" for each in network)])
    detector = Detector(recipe).fit(list(noise(4, 3 * RATE).numpy()), sample_rate=RATE)
    signal = 2 * noise(5, 3 * RATE)[-1:].numpy()
    detector.save(tmp_path / "pump.dgmix")
    score = detector.score_samples(signal, sample_rate=RATE)
    assert Detector.load(tmp_path / "pump.dgmix").score_samples(
        signal, sample_rate=RATE
    ) == pytest.approx(score)
    with pytest.raises(InputError, match=r"encoder 'spectra' cannot become part of an ONNX file"):
        detector.export_onnx(tmp_path / "onnx")
