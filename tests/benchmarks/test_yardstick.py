"""The straightforward training is DG-Mix too: what dgmix is measured against computes the same."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from dgmix.audio.features import MelSpectrogram
from dgmix.config import FeatureSettings, load_recipe
from dgmix.model.batch import Batch
from dgmix.model.network import build_network
from dgmix.model.objectives import build_objective
from dgmix.model.optim import learning_rate as our_learning_rate

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
yardstick = pytest.importorskip("yardstick")


def test_its_spectrogram_is_ours() -> None:
    signals = torch.randn(2, 32_000, generator=torch.Generator().manual_seed(0))
    ours = MelSpectrogram(FeatureSettings(), 16_000)(signals.numpy())
    np.testing.assert_allclose(yardstick.Mel()(signals), ours, rtol=1e-4, atol=1e-5)


def test_its_loss_is_ours() -> None:
    torch.manual_seed(0)
    recipe = load_recipe("published-small")
    network = build_network(recipe, 0).train()
    objective = build_objective("pretrain", recipe.pretrain, network.embedding_size, 1)
    model = torch.nn.Sequential(yardstick.encoder(), yardstick.projector())
    for module in (network, objective, model):
        module.double()
    copy_weights([network.encoder, objective], model)
    mels, weights = torch.rand(8, 128, 63).double(), torch.rand(4).double()
    inputs = network.transform(mels.transpose(1, 2))
    ours = objective(network.encoder, Batch(inputs, torch.zeros(8, dtype=torch.int64), weights))
    theirs = yardstick.loss_of(model, mels, weights)
    assert theirs.item() == pytest.approx(ours.loss.item(), rel=1e-9)


def copy_weights(ours: list[torch.nn.Module], theirs: torch.nn.Module) -> None:
    """Copy parameters in order; the stem of three channels shares out that of one."""
    sources = [p for module in ours for p in module.parameters()]
    with torch.no_grad():
        for target, source in zip(theirs.parameters(), sources, strict=True):
            three = target.shape != source.shape
            target.copy_(source.expand_as(target) / 3 if three else source)


def test_its_learning_rate_moves_like_ours() -> None:
    settings = load_recipe("published-small").pretrain
    ours = [our_learning_rate(step, 50, settings) for step in range(50)]
    theirs = [yardstick.learning_rate(step, 50) for step in range(50)]
    np.testing.assert_allclose(theirs, ours, rtol=1e-9)


def test_every_weight_moves() -> None:
    training = yardstick.Yardstick([Path()] * 8, epochs=2, batch_size=8)
    before = [p.clone() for p in training.model.parameters()]
    training.train(torch.rand(8, 128, 63))
    after = list(training.model.parameters())
    assert all(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
