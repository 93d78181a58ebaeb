"""One module from waveform to verdict against the detector that it was made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from dgmix.detect.threshold import Calibration
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank, bank_of_signals
from dgmix.audio.features import MelSpectrogram
from dgmix.audio.io import to_signal
from dgmix.config import DetectSettings, FeatureSettings, Recipe, parse_recipe
from dgmix.detect.detector import Detector
from dgmix.detect.embed import hop_frames, window_starts
from dgmix.detect.memory import Comparison
from dgmix.detect.scorers.knn import KNearest
from dgmix.detect.views import RAW_VIEWS
from dgmix.detect.waveform import (
    Verdict,
    WaveformEmbedding,
    WaveformVerdict,
    nearest,
    reflected,
    windows,
)
from dgmix.model.crops import TrainingCrops
from dgmix.model.network import build_network
from dgmix.model.train import recalibrate

RATE = 16_000
LENGTHS = (1, 300, 513, 8000, 8192, 60_000, 165_920)
ALARMS = 0.4
RELATIVE = 1e-4


def signal_of(samples: int, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    hum = np.sin(2 * np.pi * 120 * np.arange(samples) / RATE)
    return (0.1 * hum + 0.05 * rng.standard_normal(samples) + 0.02).astype(np.float32)


def learned(recipe: Recipe) -> Detector:
    """A detector of a random network and healthy recordings in two sections and domains."""
    signals = [to_signal(healthy(number), RATE, recipe.audio) for number in range(12)]
    bank = bank_of_signals(signals, recipe.audio, recipe.features)
    sections = ("00", "01") * 6
    crops = TrainingCrops.of(bank, sections)
    network = build_network(recipe, 0)
    network.transform.set_statistics(*crops.level_statistics(network))
    recalibrate(network, crops, recipe.pretrain, 0)
    domains = ("source",) * 8 + ("target",) * 4
    return Detector(recipe).learn(recipe, network.eval(), bank, sections, domains)


def healthy(number: int) -> NDArray[np.float32]:
    return signal_of(8000 + 5000 * number, seed=number)


def module_of(detector: Detector, section: str = "") -> WaveformVerdict:
    recipe, memory = detector.recipe_, detector.memory_
    of = Comparison(recipe.detect, memory).compared_with(section)
    calibration = detector.calibration(section)
    return WaveformVerdict(
        WaveformEmbedding(recipe, detector.network_, hop_frames(recipe)),
        recipe.detect,
        {name: view.values[of[view.clips]] for name, view in memory.views.items()},
        calibration,
        ALARMS,
    ).eval()


@pytest.fixture
def changed(tiny: Recipe) -> Callable[..., Recipe]:
    """Return the tiny recipe with other settings, given as group=dict(name=value)."""

    def change(**groups: dict[str, Any]) -> Recipe:
        values = tiny.model_dump(mode="json")
        for group, settings_ in groups.items():
            values[group] |= settings_
        return parse_recipe(values, "changed")

    return change


FUSED = ["dgmix", *RAW_VIEWS]
KALDI = {
    "n_fft": 512,
    "win_length": 400,
    "hop_length": 160,
    "power": 2,
    "mel_triangles": "mel",
    "window": "povey",
    "window_norm": False,
    "remove_frame_mean": True,
    "preemphasis": 0.97,
}
VARIANTS: list[dict[str, dict[str, Any]]] = [
    {},
    {"detect": {"pool": "mean-distance"}},
    {"detect": {"pool": "max-distance", "hop_seconds": 0.3}},
    {"detect": {"neighbors": 3}},
    {"detect": {"neighbors": 99}},
    {"detect": {"per_section": False}},
    {"input": {"log": False}},
    {"input": {"standardize": False}},
    {"input": {"log": False, "standardize": False}},
    {"audio": {"remove_mean": False}},
    {"detect": {"whiten": True}},
    {"detect": {"views": FUSED, "whiten": True, "pool": "mean-distance"}},
    {"detect": {"views": FUSED[1:], "neighbors": 2}},
    {"detect": {"views": ["logmel-change"]}},
    {"features": {"n_fft": 800, "hop_length": 200, "mel_scale": "slaney"}},
    {"features": KALDI},
    {"encoder": {"name": "temporal", "width": 1.0}},
    {"encoder": {"name": "temporal"}, "detect": {"views": FUSED, "whiten": True}},
]


@pytest.mark.parametrize("groups", VARIANTS, ids=str)
@torch.inference_mode()
def test_says_what_the_detector_says(
    groups: dict[str, dict[str, Any]], changed: Callable[..., Recipe]
) -> None:
    detector = learned(changed(**groups))
    modules = {section: module_of(detector, section) for section in ("", "00", "01")}
    for number, samples in enumerate(LENGTHS):
        signal = signal_of(samples, seed=100 + number)
        for section, module in modules.items():
            score, p_value, anomaly, _ = module(torch.from_numpy(signal))
            expected = detector.score_samples([signal], sample_rate=RATE, sections=[section])
            p_values = detector.p_values([signal], sample_rate=RATE, sections=[section])
            assert score.item() == pytest.approx(expected[0], rel=RELATIVE, abs=RELATIVE)
            assert p_value.item() == pytest.approx(p_values[0])
            assert anomaly.item() == (p_values[0] <= ALARMS)


@torch.inference_mode()
def test_embeds_as_the_memory_was_embedded(tiny: Recipe) -> None:
    detector = learned(tiny)
    module = WaveformEmbedding(tiny, detector.network_, hop_frames(tiny))
    signals = [torch.from_numpy(healthy(number)) for number in range(12)]
    embeddings = np.stack([module(signal).numpy() for signal in signals])
    np.testing.assert_allclose(embeddings, detector.memory_.views["dgmix"].values, atol=RELATIVE)


@torch.inference_mode()
def test_flags_a_signal_that_holds_no_number(tiny: Recipe) -> None:
    module = module_of(learned(tiny))
    signal = signal_of(20_000)
    signal[3000] = np.nan
    score, p_value, anomaly, _ = module(torch.from_numpy(signal))
    assert score.isnan()
    assert p_value.isnan()
    assert anomaly.item() is True


def test_leaves_the_network_as_it_was(tiny: Recipe) -> None:
    network = build_network(tiny, 0).train()
    WaveformEmbedding(tiny, network, 1)
    assert network.training


@settings(deadline=None)
@given(st.integers(1, 300), st.integers(2, 40).map(lambda half: 2 * half))
def test_reflects_as_the_spectrogram_does(samples: int, n_fft: int) -> None:
    mel = MelSpectrogram(FeatureSettings(n_fft=n_fft, n_mels=32), RATE)
    signal = torch.arange(samples, dtype=torch.float32)
    torch.testing.assert_close(reflected(signal, n_fft // 2), mel.pad(signal), rtol=0, atol=0)


@settings(deadline=None)
@given(st.integers(1, 200), st.integers(1, 40), st.integers(1, 40))
def test_takes_the_windows_that_the_memory_was_made_of(frames: int, length: int, hop: int) -> None:
    mels = np.arange(frames * 2).reshape(frames, 2).astype(np.float16)
    starts = np.array(window_starts(frames, length, hop))
    expected = MelBank([mels], 2).crops(np.zeros(len(starts), np.int64), starts, length)
    found = windows(torch.from_numpy(mels.astype(np.float32)), length, hop)
    np.testing.assert_array_equal(found.numpy(), expected)


@settings(max_examples=40, deadline=None)
@given(
    references=st.integers(1, 60),
    neighbors=st.integers(1, 5),
    spread=st.sampled_from([1e-3, 1.0, 1e3]),
    seed=st.integers(0, 99),
)
def test_finds_the_distances_of_the_scorer(
    references: int, neighbors: int, spread: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    memory, queries = (
        (1 + spread * rng.standard_normal((count, 8))).astype(np.float32)
        for count in (references, 7)
    )
    expected = KNearest(DetectSettings(neighbors=neighbors)).fit(memory).score(queries)
    found = nearest(torch.from_numpy(queries), torch.from_numpy(memory), min(neighbors, references))
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-4)


@settings(deadline=None)
@given(st.integers(1, 3), st.integers(2, 12), st.integers(1, 5), st.integers(0, 999))
def test_the_verdict_is_that_of_the_calibration(
    views: int, pieces: int, recordings: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    of = rng.integers(recordings, size=pieces)
    domains = tuple("ab"[number % 2] for number in of)
    calibration = Calibration(rng.lognormal(0, 0.3, (views, pieces)), of, domains)
    asked = rng.lognormal(0.3, 0.5, (views, 6))
    verdict = Verdict(calibration)
    found = np.array([[float(each) for each in verdict(torch.from_numpy(q))] for q in asked.T])
    np.testing.assert_allclose(found[:, 0], calibration.fused(asked), rtol=1e-9)
    np.testing.assert_allclose(found[:, 1], calibration.p_values(asked), rtol=1e-9)


@given(st.lists(st.sampled_from([0.5, 1.0, 1.5]), min_size=2, max_size=9))
def test_ties_count_for_the_healthy_side(healthy: list[float]) -> None:
    calibration = Calibration(np.array(healthy), np.arange(len(healthy)), ("",) * len(healthy))
    for score in (0.5, 1.0, 1.5, 2.0):
        _, p_value = Verdict(calibration)(torch.tensor([score]))
        assert float(p_value) == pytest.approx(calibration.p_values(np.array([score]))[0])
