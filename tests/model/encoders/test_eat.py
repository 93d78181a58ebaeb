"""EAT against what the published code makes of the same weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from dgmix.config import EncoderSettings, Recipe, load_recipe
from dgmix.model.encoders.eat import EAT, positions
from dgmix.model.network import Network, build_network

WIDTH = 1 / 12
FRAMES = 230
PUBLISHED = [  # of the code at huggingface.co/worstchan, EAT-base, with `drawn` and `crop`
    0.7168160,
    0.0204354,
    2.1717772,
    1.3465097,
    -1.2954433,
    -0.5650589,
    -0.7553312,
    -0.4079953,
]


@pytest.fixture(scope="module")
def recipe(drawn: Callable[[nn.Module], dict[str, Tensor]], tmp_path_factory) -> Recipe:
    """The recipe with a file laid out as the published one, positions and classes included."""
    encoder = EAT(EncoderSettings(name="eat", width=WIDTH), 128, FRAMES)
    state = {f"model.{name}": value for name, value in drawn(encoder).items()}
    state["model.fixed_positional_encoder.positions"] = positions(768, 8, 64)[None]
    state["model.head.weight"] = torch.zeros(527, 64)
    path: Path = tmp_path_factory.mktemp("eat") / "model.safetensors"
    save_file(state, path)
    changes = ["input.crop_seconds=2.295", f"encoder.width={WIDTH}", f"encoder.weights={path}"]
    return load_recipe("eat", changes)


@pytest.fixture(scope="module")
def network(recipe: Recipe) -> Network:
    return build_network(recipe, 0).eval()


@torch.inference_mode()
def test_embeds_as_the_published_code(network: Network, crop: Callable[[int], Tensor]) -> None:
    embedding = network(crop(FRAMES))
    assert embedding.shape == (1, 64)
    np.testing.assert_allclose(embedding[0, :8], PUBLISHED, atol=1e-5)
    tokens = network.encoder.tokens(network.transform(crop(FRAMES)))
    assert tokens.shape == (1, 1 + FRAMES // 16 * 8, 64)
    torch.testing.assert_close(embedding, tokens[:, 1:].mean(1))
    assert tokens.std(1).mean() > 0.1  # or the order of patches would not matter


@torch.inference_mode()
def test_silence_is_finite(network: Network) -> None:
    assert network(torch.zeros(1, FRAMES, 128)).isfinite().all()


@pytest.mark.parametrize(("times", "bands"), [(1, 1), (3, 8), (62, 8)])
def test_positions_one_at_a_time(times: int, bands: int) -> None:
    encoded = positions(times, bands, 16).numpy()
    for time in range(times):
        for band in range(bands):
            waves = [10_000 ** -(k / 4) for k in range(4)]
            expected = [
                f(place * w) for place in (band, time) for f in (np.sin, np.cos) for w in waves
            ]
            np.testing.assert_allclose(encoded[time * bands + band], expected, atol=1e-6)


def test_the_published_size() -> None:
    with torch.device("meta"):
        encoder = EAT(load_recipe("eat").encoder, 128, 1001)
    assert encoder.embedding_size == 768
    assert sum(p.numel() for p in encoder.parameters()) == 85_254_144


def test_the_features_are_kaldi_s_but_for_the_window() -> None:
    eat, beats = load_recipe("eat"), load_recipe("beats")
    window = {"window": eat.features.window}
    assert eat.features == beats.features.model_copy(update=window)
    assert (eat.audio, eat.input, eat.detect) == (beats.audio, beats.input, beats.detect)
    assert eat.features.window == "hann-symmetric"
