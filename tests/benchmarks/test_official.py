"""The official baselines against plain loops, and what they make of plain cases."""

from __future__ import annotations

import sys
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch

from dgmix.audio.bank import MelBank, bank_of_signals

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
official = pytest.importorskip("official")
mobilenetv2 = pytest.importorskip("mobilenetv2")
MELS = 32


def noise(lengths: list[int], seed: int = 0, level: float = 1.0) -> list[np.ndarray]:
    """Return mels (frame, mel) of clips of so many frames."""
    rng = np.random.default_rng(seed)
    return [(level * rng.uniform(0.1, 1, (n, MELS))).astype(np.float16) for n in lengths]


def bank_of(lengths: list[int], seed: int = 0) -> MelBank:
    return MelBank(noise(lengths, seed), MELS)


def plain_vectors(bank: MelBank, length: int, hop: int) -> list[list[np.ndarray]]:
    """Return the vectors of each clip, as the baseline's own loop stacks them."""
    vectors = []
    for index in range(len(bank)):
        levels = 10 * np.log10(np.maximum(bank[index].astype(np.float64) ** 2, 2.2e-16))
        starts = range(0, len(levels) - length + 1, hop)
        vectors.append([np.concatenate(levels[start : start + length]) for start in starts])
    return vectors


@pytest.mark.parametrize(("length", "hop"), [(5, 1), (4, 3)])
def test_vectors_are_neighbouring_frames(length: int, hop: int) -> None:
    bank = bank_of([9, 5, 12])
    vectors = official.Vectors.of(bank, length, hop)
    plain = plain_vectors(bank, length, hop)
    got = torch.cat([vectors[chosen] for chosen in vectors.batches(2)]).flatten(1)
    np.testing.assert_allclose(got, np.concatenate(plain), atol=1e-4)
    assert torch.bincount(vectors.clips).tolist() == [len(each) for each in plain]


def test_a_clip_shorter_than_a_vector_begins_again() -> None:
    bank = bank_of([3])
    (vector,) = official.Vectors.of(bank, 5, 1)[torch.tensor([0])]
    np.testing.assert_allclose(vector, official.logmel(bank[0])[[0, 1, 2, 0, 1]], atol=1e-6)


def test_levels_are_those_of_librosa() -> None:
    signal = np.random.default_rng(0).normal(size=4000).astype(np.float32)
    bank = bank_of_signals([signal], official.AUDIO, official.FEATURES)
    mel = librosa.feature.melspectrogram(
        y=signal, sr=16_000, n_fft=1024, hop_length=512, n_mels=128, power=2.0
    )
    levels = 10 * np.log10(np.maximum(mel, np.finfo(np.float64).eps)).T
    np.testing.assert_allclose(official.logmel(bank[0])[1:-1], levels[1:-1], atol=0.01)


def test_the_section_classifier_is_mobilenetv2_of_half_the_width() -> None:
    """Keras counts 706 224 weights without the head, 22 352 of them batch-norm statistics."""
    model = mobilenetv2.SectionClassifier(6).eval()
    statistics = sum(b.numel() for name, b in model.named_buffers() if "running" in name)
    weights = sum(p.numel() for p in model.parameters()) - (1280 * 6 + 6)
    assert weights + statistics == 706_224
    assert model(torch.zeros(2, 64, 128)).shape == (2, 6)


def test_the_section_classifier_tells_sections_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mobilenetv2, "RATE", 1e-3)
    low, high = noise([96] * 3), noise([96] * 3)
    for low_clip, high_clip in zip(low, high, strict=True):
        low_clip[:, 16:] *= 0.01
        high_clip[:, :16] *= 0.01
    clips = MelBank([*low, *high], MELS)
    names = ["00"] * 3 + ["01"] * 3
    test = MelBank([low[0], low[0]], MELS)
    got = mobilenetv2.scores(clips, names, test, ["00", "01"], 0, tmp_path / "log", epochs=4)
    assert got[0] < got[1]


def test_unlikeness_is_minus_the_log_odds() -> None:
    logits = torch.tensor([[0.0, 0.0], [3.0, -1.0]])
    p = np.exp(3) / (np.exp(3) + np.exp(-1))
    got = mobilenetv2.unlikeness(logits, torch.tensor([1, 0]))
    np.testing.assert_allclose(got, [0, np.log(1 - p) - np.log(p)], atol=1e-9)
