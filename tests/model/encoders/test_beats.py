"""BEATs against what the published code makes of the same weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dgmix.config import EncoderSettings, Recipe, load_recipe
from dgmix.errors import InputError
from dgmix.model.encoders.beats import BUCKETS, FARTHEST, BEATs, relative_buckets
from dgmix.model.network import Network, build_network

WIDTH = 1 / 12
FRAMES = 230
SHARED = "encoder.layers.{}.self_attn.relative_attention_bias.weight"
PUBLISHED = [  # of the code at microsoft/unilm, beats, with `weights` and `crop`
    -1.2251472,
    -1.7046262,
    0.2542252,
    0.3570860,
    -0.1804705,
    0.3853645,
    0.1861547,
    -0.1603172,
]
CFG = {
    "encoder_layers": 12,
    "encoder_embed_dim": 64,
    "activation_fn": "gelu",
    "layer_norm_first": False,
    "deep_norm": True,
    "relative_position_embedding": True,
    "max_distance": 800,
    "gru_rel_pos": True,
    "input_patch_size": 16,
    "finetuned_model": False,
}
Weights = dict[str, Tensor]
Write = Callable[[dict[str, object], Weights], Path]


@pytest.fixture(scope="module")
def weights(drawn: Callable[[nn.Module], Weights]) -> Weights:
    """Weights as the published files hold them: each layer has the shared positions."""
    state = drawn(BEATs(EncoderSettings(name="beats", width=WIDTH), 128, FRAMES))
    return state | {SHARED.format(layer): state[SHARED.format(0)] for layer in range(12)}


@pytest.fixture
def write(weights: Weights, tmp_path: Path) -> Write:
    """Write a published file in which some of the settings and weights are others."""

    def save(cfg: dict[str, object], state: Weights) -> Path:
        torch.save({"cfg": CFG | cfg, "model": weights | state}, tmp_path / "BEATs.pt")
        return tmp_path / "BEATs.pt"

    return save


def recipe(path: Path) -> Recipe:
    changes = ["input.crop_seconds=2.295", f"encoder.width={WIDTH}"]
    return load_recipe("beats", [*changes, f"encoder.weights={path}"])


@pytest.fixture
def network(write: Write) -> Network:
    return build_network(recipe(write({}, {})), 0).eval()


@torch.inference_mode()
def test_embeds_as_the_published_code(network: Network, crop: Callable[[int], Tensor]) -> None:
    assert network.crop_frames == FRAMES
    embedding = network(crop(FRAMES))
    assert embedding.shape == (1, 64)
    np.testing.assert_allclose(embedding[0, :8], PUBLISHED, atol=1e-5)


@torch.inference_mode()
def test_the_embedding_is_the_mean_over_patches(
    network: Network, crop: Callable[[int], Tensor]
) -> None:
    inputs = network.transform(crop(FRAMES))
    patches = network.encoder.patches(inputs)
    assert patches.shape == (1, FRAMES // 16 * 8, 64)
    torch.testing.assert_close(network.encoder(inputs), patches.mean(1))
    assert patches.std(1).mean() > 0.1  # or their order would not matter


@torch.inference_mode()
def test_frames_that_do_not_fill_a_patch_are_not_heard(
    network: Network, crop: Callable[[int], Tensor]
) -> None:
    cut = crop(FRAMES)
    cut[:, FRAMES // 16 * 16 :] = 1.0
    torch.testing.assert_close(network(cut), network(crop(FRAMES)))


@torch.inference_mode()
def test_silence_is_finite(network: Network) -> None:
    assert network(torch.zeros(1, FRAMES, 128)).isfinite().all()


@pytest.mark.parametrize("patches", [1, 8, 496, 1700])
def test_buckets_are_those_of_t5(patches: int) -> None:
    """One distance at a time, with the parameters of BEATs: exact up to 80, then logarithmic."""
    near = BUCKETS // 4

    def bucket(ahead: int) -> int:
        distance = abs(ahead)
        if distance >= near:
            part = np.float32(math.log(FARTHEST / near))
            part = np.log(np.float32(distance) / np.float32(near)) / part
            distance = min(near + int(part * near), 2 * near - 1)
        return distance + (2 * near if ahead > 0 else 0)

    buckets = relative_buckets(patches)
    of = {ahead: bucket(ahead) for ahead in range(1 - patches, patches)}
    rows = range(0, patches, 7)
    expected = [[of[other - row] for other in range(patches)] for row in rows]
    assert buckets[::7].tolist() == expected


def test_the_published_size() -> None:
    with torch.device("meta"):
        encoder = BEATs(load_recipe("beats").encoder, 128, 1001)
    assert encoder.embedding_size == 768
    assert sum(p.numel() for p in encoder.parameters()) == 90_311_792


@torch.inference_mode()
def test_a_fine_tuned_file_s_classes_are_left(write: Write, crop: Callable[[int], Tensor]) -> None:
    path = write({"finetuned_model": True}, {"predictor.weight": torch.zeros(527, 64)})
    embedding = build_network(recipe(path), 0).eval()(crop(FRAMES))
    np.testing.assert_allclose(embedding[0, :8], PUBLISHED, atol=1e-5)


@pytest.mark.parametrize(
    ("key", "value"), [("deep_norm", False), ("max_distance", 1280), ("activation_fn", "relu")]
)
def test_a_network_of_another_make_is_refused(key: str, value: object, write: Write) -> None:
    with pytest.raises(InputError, match=rf"BEATs\.pt: not weights .* its cfg\.{key} is {value}"):
        build_network(recipe(write({key: value}, {})), 0)


def test_a_deeper_network_is_refused(write: Write) -> None:
    path = write({}, {"encoder.layers.12.fc1.bias": torch.zeros(256)})
    with pytest.raises(InputError, match=r"encoder\.layers\.12\.fc1\.bias not known there"):
        build_network(recipe(path), 0)
