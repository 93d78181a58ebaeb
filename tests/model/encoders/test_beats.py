"""BEATs against what the published code makes of the same weights."""

from __future__ import annotations

import math
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from dgmix.config import EncoderSettings, Recipe, load_recipe
from dgmix.errors import InputError
from dgmix.model.encoders.beats import BUCKETS, FARTHEST, BEATs, relative_buckets
from dgmix.model.network import Network, build_network

WIDTH = 1 / 12
FRAMES = 230
PUBLISHED = [  # of the code at microsoft/unilm, beats, with `weights` and `crops`
    0.21174559,
    -0.07012413,
    -0.00139110,
    0.23858187,
    -0.05187752,
    0.14537324,
    0.36517549,
    -0.16621108,
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


def drawn(name: str, shape: torch.Size) -> Tensor:
    rng = np.random.RandomState(zlib.crc32(name.encode()))
    return torch.from_numpy(rng.normal(0.05, 0.2, shape).astype(np.float32))


def weights() -> dict[str, Tensor]:
    """Return weights as the published files hold them: each layer has the shared positions."""
    encoder = BEATs(EncoderSettings(name="beats", width=WIDTH), 128, FRAMES)
    first = "encoder.pos_conv.0."  # in the files the parts of a sequence
    state = {name: drawn(name, value.shape) for name, value in encoder.state_dict().items()}
    assert {f"{first}weight_g", f"{first}weight_v", f"{first}bias"} < set(state)
    shared = "encoder.layers.{}.self_attn.relative_attention_bias.weight"
    return state | {shared.format(layer): state[shared.format(0)] for layer in range(12)}


def crops() -> Tensor:
    """Return one crop of linear magnitudes, (1, frame, mel)."""
    t = np.arange(FRAMES * 128)
    level = 0.01 * (1.2 + np.sin(t * t * 1e-4)).astype(np.float32)
    return torch.from_numpy(level.reshape(1, FRAMES, 128))


def recipe(path: Path) -> Recipe:
    changes = ["input.crop_seconds=2.295", f"encoder.width={WIDTH}"]
    return load_recipe("beats", [*changes, f"encoder.weights={path}"])


def saved(path: Path, **changed: Any) -> Path:
    torch.save({"cfg": CFG | changed, "model": weights()}, path)
    return path


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    path = saved(tmp_path_factory.mktemp("beats") / "BEATs.pt")
    return build_network(recipe(path), 0).eval()


def test_embeds_as_the_published_code(network: Network) -> None:
    assert network.crop_frames == FRAMES
    with torch.inference_mode():
        embedding = network(crops())
    assert embedding.shape == (1, 64)
    np.testing.assert_allclose(embedding[0, :8], PUBLISHED, atol=1e-5)


def test_the_embedding_is_the_mean_over_patches_in_both_directions(network: Network) -> None:
    with torch.inference_mode():
        inputs = network.transform(crops())
        patches = network.encoder.patches(inputs)
        assert patches.shape == (1, FRAMES // 16 * 8, 64)
        torch.testing.assert_close(network.encoder(inputs), patches.mean(1))


def test_frames_that_do_not_fill_a_patch_are_not_heard(network: Network) -> None:
    cut = crops()
    cut[:, FRAMES // 16 * 16 :] = 1.0
    with torch.inference_mode():
        torch.testing.assert_close(network(cut), network(crops()))


def test_silence_is_finite(network: Network) -> None:
    with torch.inference_mode():
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

    found = relative_buckets(patches)
    of = {ahead: bucket(ahead) for ahead in range(1 - patches, patches)}
    rows = range(0, patches, 7)
    expected = [[of[other - row] for other in range(patches)] for row in rows]
    assert found[::7].tolist() == expected


def test_the_published_size() -> None:
    with torch.device("meta"):
        encoder = BEATs(load_recipe("beats").encoder, 128, 1001)
    assert encoder.embedding_size == 768
    assert sum(p.numel() for p in encoder.parameters()) == 90_311_792


def test_a_fine_tuned_file_s_classes_are_left(tmp_path: Path) -> None:
    state = weights() | {"predictor.weight": torch.zeros(527, 64)}
    torch.save({"cfg": CFG | {"finetuned_model": True}, "model": state}, tmp_path / "fine.pt")
    with torch.inference_mode():
        embedding = build_network(recipe(tmp_path / "fine.pt"), 0).eval()(crops())
    np.testing.assert_allclose(embedding[0, :8], PUBLISHED, atol=1e-5)


@pytest.mark.parametrize(
    ("key", "value"), [("deep_norm", False), ("max_distance", 1280), ("activation_fn", "relu")]
)
def test_a_network_of_another_make_is_refused(key: str, value: object, tmp_path: Path) -> None:
    path = saved(tmp_path / "other.pt", **{key: value})
    with pytest.raises(InputError, match=rf"other\.pt: not weights .* its cfg\.{key} is {value}"):
        build_network(recipe(path), 0)


def test_a_deeper_network_is_refused(tmp_path: Path) -> None:
    state = weights() | {"encoder.layers.12.fc1.bias": torch.zeros(256)}
    torch.save({"cfg": CFG, "model": state}, tmp_path / "large.pt")
    with pytest.raises(InputError, match=r"encoder\.layers\.12\.fc1\.bias not known there"):
        build_network(recipe(tmp_path / "large.pt"), 0)


def test_a_crop_smaller_than_a_patch_is_refused() -> None:
    with pytest.raises(InputError, match="crop_seconds: encoder 'beats' needs crops of at least"):
        BEATs(EncoderSettings(name="beats"), 128, 15)
