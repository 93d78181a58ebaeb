"""aiSFX: the published network and weights where the package is, else the same path without."""

from __future__ import annotations

import importlib.util
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dgmix.audio.bank import bank_of_signals
from dgmix.audio.features import MelSpectrogram
from dgmix.config import EncoderSettings, Recipe, load_recipe
from dgmix.detect.embed import embed_clips
from dgmix.model.encoders.aisfx import AiSFX
from dgmix.model.network import build_network

RATE, FRAMES = 44_100, 100
LARGEST = 9.457798957824707
CHIRP_EMBEDDING = [1.99942, 2.06832, 0.68618, 0.27731, 2.09974, 2.43803, 2.47993, 2.38258]
CHIRP_NORM = 54.31239


@pytest.fixture(scope="module")
def package() -> Path:
    """The folder of the package, which needs nothing here of what it asks for."""
    spec = importlib.util.find_spec("aisfx")
    if spec is None or spec.origin is None:
        pytest.skip("the package is not here; pip install --no-deps aisfx==0.1.2")
    return Path(spec.origin).parent / "models"


@pytest.fixture(scope="module")
def recipe(package: Path) -> Recipe:
    return load_recipe("aisfx", [f"encoder.weights={package / 'checkpoint.pth'}"])


def chirp(seconds: float) -> np.ndarray:
    """Return a tone that rises, one that stays and a weak high one, float32 (sample,)."""
    t = np.arange(round(RATE * seconds)) / RATE
    rising = 0.3 * np.sin(2 * np.pi * (200 + 300 * t) * t)
    high = 0.01 * np.sin(2 * np.pi * (9000 + 2000 * t) * t)
    return (rising + 0.05 * np.sin(2 * np.pi * 5000 * t) + high).astype(np.float32)


def published(package: Path, weights: Path) -> nn.Module:
    spec = importlib.util.spec_from_file_location("cnn2d", package / "cnn2d.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    state, datasets = torch.load(weights, weights_only=False)
    network = module.CrossNet(module.EmbeddingNet("max", 3, 1, 64), datasets, "cpu")
    network.load_state_dict(state)
    return network.eval()


@pytest.mark.parametrize("frames", [8, 9, 50, FRAMES])
def test_the_network_is_the_published_one(recipe: Recipe, package: Path, frames: int) -> None:
    crops = 10 ** torch.empty(2, frames, 96).uniform_(-4, 2, generator=torch.Generator())
    network = build_network(recipe, 0).eval()
    with torch.inference_mode():
        levels = (1e4 * crops.square() + 1).log10() / LARGEST
        expected = published(package, package / "checkpoint.pth").get_embedding(levels)
        torch.testing.assert_close(network(crops), expected, atol=1e-5, rtol=1e-5)


def test_a_sound_has_the_embedding_of_the_published_features_and_network(recipe: Recipe) -> None:
    """Of frames 1 to 100 as Essentia 2.1b6 gives them, by the network of aisfx 0.1.2."""
    mel = MelSpectrogram(recipe.features, RATE)(chirp(2.5).astype(np.float64)).astype(np.float32)
    with torch.inference_mode():
        embedding = build_network(recipe, 0).eval()(torch.from_numpy(mel.T[None, 1 : 1 + FRAMES]))[
            0
        ]
    np.testing.assert_allclose(embedding[:8], CHIRP_EMBEDDING, atol=2e-5)
    assert embedding.norm().item() == pytest.approx(CHIRP_NORM, abs=1e-4)


def test_a_clip_s_embedding_is_that_of_its_windows(recipe: Recipe) -> None:
    """Frames are kept in half precision: that is all that may differ."""
    bank = bank_of_signals([chirp(2.5 + 1.16)], recipe.audio, recipe.features)
    network = build_network(recipe, 0).eval()
    mel = torch.from_numpy(bank[0])
    starts = [0, 50, len(mel) - FRAMES]
    with torch.inference_mode():
        windows = network(torch.stack([mel[start : start + FRAMES] for start in starts]))
        clip = embed_clips(recipe, network, bank)[0]
    np.testing.assert_allclose(clip, windows.mean(0), atol=1e-5)


def test_the_recipe_is_the_default_one_on_other_features() -> None:
    recipe, default = load_recipe("aisfx"), load_recipe("default")
    assert recipe.detect.views == [*default.detect.views, "dgmix"]
    assert (recipe.pretrain.epochs, recipe.finetune.epochs, recipe.recalibrate) == (0, 0, False)
    network = AiSFX(recipe.encoder, recipe.features.n_mels, FRAMES)
    assert network.embedding_size == 512
    assert sum(p.numel() for p in network.parameters()) == 4_686_144


def small(width: float) -> tuple[AiSFX, dict[str, Tensor]]:
    """Return a narrow network whose batch norms have been through something, and its weights."""
    torch.manual_seed(1)
    encoder = AiSFX(EncoderSettings(name="aisfx", width=width), 96, FRAMES)
    encoder.train()(torch.rand(4, 1, 96, FRAMES))
    return encoder.eval(), encoder.state_dict()


def test_weights_are_read_from_the_published_layout(tmp_path: Path) -> None:
    """Pairs of a state with classifiers beside the encoder, and of counts as numpy's numbers."""
    encoder, weights = small(1 / 16)
    state = OrderedDict({f"embedding_net.{key}": value for key, value in weights.items()})
    state["fc.0.0.weight"] = torch.zeros(2, 32)
    torch.save((state, {"prosfx": (np.int64(0), 78)}), tmp_path / "checkpoint.pth")
    changes = [f"encoder.weights={tmp_path / 'checkpoint.pth'}", "encoder.width=0.0625"]
    network = build_network(load_recipe("aisfx", changes), 0).eval()
    crops = torch.rand(3, FRAMES, 96)
    with torch.inference_mode():
        expected = encoder(crops.transpose(1, 2)[:, None])
        torch.testing.assert_close(network(crops), expected)
