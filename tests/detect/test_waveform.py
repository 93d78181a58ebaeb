"""One module from waveform to verdict against the detector that it was made of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank, bank_of_signals
from dgmix.audio.frames import hop_frames
from dgmix.audio.io import to_signal
from dgmix.config import DetectSettings, Recipe, parse_recipe
from dgmix.detect.calibration import Promise
from dgmix.detect.compare import Direct
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.learn import healthy_clips, remember
from dgmix.detect.recordings import Sounds
from dgmix.detect.scorers import SCORERS, build_joint_scorer, goes_by_distances
from dgmix.detect.views import RAW_VIEWS, Vectors
from dgmix.detect.views.tensors import windows
from dgmix.detect.waveform import WaveformEmbedding, WaveformVerdict
from dgmix.detect.waveform_scores import MODULES, Verdict
from dgmix.detect.windows import window_starts
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


def learned(recipe: Recipe) -> FittedDetector:
    """A detector of a random network and healthy recordings in two sections and domains."""
    signals = [to_signal(healthy(number), RATE, recipe.audio) for number in range(12)]
    bank = bank_of_signals(signals, recipe.audio, recipe.features)
    sections, domains, empty = ["00", "01"] * 6, ["source"] * 8 + ["target"] * 4, [""] * 12
    network = None
    if recipe.detect.learns:
        crops = TrainingCrops.of(bank, sections)
        network = build_network(recipe, 0)
        network.transform.set_statistics(*crops.level_statistics(network))
        recalibrate(network, crops, recipe.pretrain, 0)
        network.eval()
    sounds = Sounds(empty, [], sections, domains, empty, empty)
    return remember(recipe, network, bank, healthy_clips(sounds, bank, recipe))


def healthy(number: int) -> NDArray[np.float32]:
    return signal_of(8000 + 5000 * number, seed=number)


def module_of(fitted: FittedDetector, section: str = "") -> WaveformVerdict:
    recipe, comparison = fitted.recipe, fitted.comparison(section)
    assert isinstance(comparison, Direct)
    return WaveformVerdict(
        WaveformEmbedding(recipe, fitted.network, hop_frames(recipe)),
        recipe.detect,
        comparison.scorers,
        fitted.calibration(section).known,
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


EXPORTED = [name for name, view in RAW_VIEWS.items() if view.tensors]
FUSED = ["dgmix", *EXPORTED]
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
    {"detect": {"scorer": "kriging"}},
    {"detect": {"views": FUSED, "scorer": "kriging"}},
    {"detect": {"views": FUSED, "pool": "mean-distance"}},
    {"detect": {"views": FUSED[1:], "neighbors": 2}},
    {"detect": {"views": ["logmel-change"]}},
    {"features": {"n_fft": 800, "hop_length": 200, "mel_scale": "slaney"}},
    {"features": KALDI},
    {"encoder": {"name": "temporal", "width": 1.0}},
    {"encoder": {"name": "temporal"}, "detect": {"views": FUSED, "scorer": "kriging"}},
]


@pytest.mark.parametrize("groups", VARIANTS, ids=str)
@torch.inference_mode()
def test_finds_what_the_detector_finds(
    groups: dict[str, dict[str, Any]], changed: Callable[..., Recipe]
) -> None:
    recipe = changed(**groups)
    fitted = learned(recipe)
    signals = [signal_of(samples, seed=100 + number) for number, samples in enumerate(LENGTHS)]
    mono = [to_signal(signal, RATE, recipe.audio) for signal in signals]
    bank = bank_of_signals(mono, recipe.audio, recipe.features)
    for section in ("", "00", "01"):
        module, limit = module_of(fitted, section), fitted.calibration(section).threshold(ALARMS)
        judgements = fitted.judge(bank, [""] * len(signals), [section] * len(signals))
        for signal, expected in zip(signals, judgements, strict=True):
            score, p_value, anomaly = module(torch.from_numpy(signal))[:3]
            assert score.item() == pytest.approx(expected.score, rel=RELATIVE, abs=RELATIVE)
            assert p_value.item() == pytest.approx(expected.p_known)
            assert anomaly.item() == (expected.p_known <= ALARMS) == (score.item() > limit)


@torch.inference_mode()
def test_embeds_as_the_memory_was_embedded(tiny: Recipe) -> None:
    fitted = learned(tiny)
    module = WaveformEmbedding(tiny, fitted.network, hop_frames(tiny))
    signals = [torch.from_numpy(healthy(number)) for number in range(12)]
    embeddings = np.stack([module(signal).numpy() for signal in signals])
    np.testing.assert_allclose(embeddings, fitted.memory.views["dgmix"].values, atol=RELATIVE)


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
@given(st.integers(1, 200), st.integers(1, 40), st.integers(1, 40))
def test_takes_the_windows_that_the_memory_was_made_of(frames: int, length: int, hop: int) -> None:
    mels = np.arange(frames * 2).reshape(frames, 2).astype(np.float16)
    starts = np.array(window_starts(frames, length, hop))
    expected = MelBank([mels], 2).crops(np.zeros(len(starts), np.int64), starts, length)
    pieces = windows(torch.from_numpy(mels.astype(np.float32)), length, hop)
    np.testing.assert_array_equal(pieces.numpy(), expected)


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from([name for name in SCORERS if goes_by_distances(SCORERS[name])]),
    references=st.integers(1, 30),
    neighbors=st.integers(1, 5),
    spread=st.sampled_from([1e-2, 1.0, 1e2]),
    seed=st.integers(0, 99),
)
def test_measures_what_the_scorer_measures(
    name: str, references: int, neighbors: int, spread: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    memory, queries = (
        (1 + spread * rng.standard_normal((count, 8))).astype(np.float32)
        for count in (references, 1)
    )
    options = DetectSettings(neighbors=neighbors, scorer=name)  # type: ignore[arg-type]
    groups = rng.integers(max(1, references // 2), size=references)
    groups = np.unique(groups, return_inverse=True)[1]
    scorer = build_joint_scorer(options, Vectors(memory, np.arange(references)), [groups])
    own, (beside,), _, apart = scorer.measure(Vectors(queries, np.zeros(1, np.int64)), 1)
    scores = MODULES[type(scorer)](scorer)(torch.from_numpy(queries))
    np.testing.assert_allclose(scores[0].numpy(), own[0], rtol=1e-4)
    np.testing.assert_allclose(scores[1].numpy(), beside[0], rtol=1e-4)
    expected = np.append(beside[0], own) if apart[0] is None else apart[0][0]
    np.testing.assert_allclose(scores[2].numpy(), expected, rtol=1e-4)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=3),
    st.lists(st.integers(0, 4), min_size=2, max_size=12),
    st.integers(0, 999),
)
def test_the_verdict_is_that_of_the_promise(
    parts: list[int], recordings: list[int], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    groups = tuple(f"r{number}" for number in recordings)
    rows, count = sum(parts), len(recordings)
    healthy = rng.lognormal(0, 0.3, (rows, count))
    promise = Promise(healthy, groups, tuple(parts), healthy * rng.uniform(1, 2, healthy.shape))
    own = rng.lognormal(0.3, 0.5, (rows, 6))
    beside = healthy[:, None] * rng.uniform(0.7, 1, (rows, 6, count))
    apart = np.concatenate([beside, own[..., None]], 2) * rng.uniform(1, 2, (rows, 6, count + 1))
    scores, p_values, *_ = promise.judge(own, beside, apart=apart)
    verdict = Verdict(promise)
    for query in range(6):
        outputs = verdict(*(torch.from_numpy(each[:, query]) for each in (own, beside, apart)))
        assert float(outputs[0]) == pytest.approx(scores[query], rel=1e-9, abs=1e-9)
        assert float(outputs[1]) == pytest.approx(p_values[query], rel=1e-9)


@given(st.lists(st.sampled_from([0.5, 1.0, 1.5]), min_size=2, max_size=9))
def test_ties_count_for_the_healthy_side(healthy: list[float]) -> None:
    distances = np.array([healthy])
    promise = Promise(distances, tuple(f"r{i}" for i in range(len(healthy))), (1,))
    for score in (0.5, 1.0, 1.5, 2.0):
        own, beside = torch.tensor([score]).double(), torch.from_numpy(distances)
        _, p_value = Verdict(promise)(own, beside, torch.cat([beside, own[:, None]], 1))
        expected = (1 + sum(each >= score for each in healthy)) / (1 + len(healthy))
        assert float(p_value) == pytest.approx(expected)
