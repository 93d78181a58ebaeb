"""A pre-trained encoder from a file, on the command line: fit, score, what is wrong with a file.

The encoders are narrow ones with random weights, in files laid out as the published ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from dgmix.audio.io import write_wav
from dgmix.config import load_recipe
from dgmix.model.encoders import build_encoder

RATE = 16_000
WIDTHS = {"aisfx": 1 / 16, "beats": 1 / 12, "eat": 1 / 12}
Command = Callable[..., tuple[int, str, str]]
pytestmark = pytest.mark.usefixtures("own_cache")


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("healthy")
    rng = np.random.default_rng(1)
    for number in range(6):
        write_wav(folder / f"{number}.wav", 0.1 * rng.standard_normal(RATE), RATE)
    return folder


def settings_of(name: str) -> list[str]:
    return [f"encoder.width={WIDTHS[name]}", "input.crop_seconds=0.5", "detect.hop_seconds=0.4"]


def weights_of(name: str) -> dict[str, torch.Tensor]:
    recipe = load_recipe(name, settings_of(name))
    torch.manual_seed(5)
    encoder = build_encoder(recipe.encoder, recipe.features.n_mels, 40)
    for value in encoder.state_dict().values():
        if value.is_floating_point():
            value.add_(0.02 * torch.rand(value.shape))
    return encoder.state_dict()


@pytest.fixture(params=WIDTHS)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def weights(name: str, tmp_path: Path) -> Path:
    """A file of weights in the layout that is published."""
    state = weights_of(name)
    path = tmp_path / "weights.pt"
    if name == "aisfx":
        state = {f"embedding_net.{key}": value for key, value in state.items()}
        torch.save((state | {"fc.0.0.bias": torch.zeros(3)}, {"set": (np.int64(0), 3)}), path)
    elif name == "eat":
        save_file({f"model.{key}": value for key, value in state.items()}, path)
    else:
        torch.save({"cfg": {"deep_norm": True, "encoder_layers": 12}, "model": state}, path)
    return path


def fit(dgmix: Command, healthy: Path, name: str, weights: Path, *changes: str) -> Path:
    options = [f"encoder.weights={weights}", *settings_of(name), *changes]
    path = weights.parent / "pump.dgmix"
    given = [part for option in options for part in ("--set", option)]
    status, _, err = dgmix("fit", healthy, "-o", path, "--recipe", name, *given)
    assert status == 0, err
    return path


def test_the_detector_has_the_weights_of_the_file_and_needs_it_no_more(
    dgmix: Command, healthy: Path, name: str, weights: Path, tmp_path: Path
) -> None:
    detector = fit(dgmix, healthy, name, weights)
    held = load_file(detector)
    for key, value in weights_of(name).items():
        assert torch.equal(held[f"network.encoder.{key}"], value), key
    weights.unlink()
    write_wav(tmp_path / "click.wav", np.eye(1, RATE, 5000).astype("f4")[0], RATE)
    recordings = [tmp_path / "click.wav", healthy / "0.wav"]
    _, out, _ = dgmix("score", detector, *recordings, "--json")
    scores = [json.loads(line)["score"] for line in out.splitlines()]
    assert scores[0] > scores[1]


def test_training_goes_on_from_the_file(
    dgmix: Command, healthy: Path, name: str, weights: Path
) -> None:
    steps = ["pretrain.epochs=1", "pretrain.max_steps=1", "pretrain.projector=[8]"]
    rate = "pretrain.optimizer={name: adamw, lr: 0.00001}"
    detector = fit(dgmix, healthy, name, weights, *steps, rate, "pretrain.batch_size=4")
    held = load_file(detector)
    given = {k: v for k, v in weights_of(name).items() if v.ndim > 1 and v.is_floating_point()}
    moved = [key for key, v in given.items() if not torch.equal(held[f"network.encoder.{key}"], v)]
    assert len(moved) > len(given) / 2
    for key, value in given.items():
        torch.testing.assert_close(held[f"network.encoder.{key}"], value, atol=1e-3, rtol=0)


@pytest.mark.parametrize(
    ("write", "sentence"),
    [
        (lambda path: path.unlink(), "there is no such file of weights; see setting encoder.weig"),
        (lambda path: path.write_text("hello"), "neither safetensors nor a PyTorch checkpoint of"),
        (lambda path: torch.save({"a": torch.zeros(1)}, path), "tensors missing; give the file"),
    ],
)
def test_a_wrong_file_is_one_sentence(
    dgmix: Command,
    healthy: Path,
    name: str,
    weights: Path,
    write: Callable[[Path], object],
    sentence: str,
) -> None:
    write(weights)
    given = [f"encoder.weights={weights}", *settings_of(name)]
    options = [part for option in given for part in ("--set", option)]
    target = weights.parent / "pump.dgmix"
    status, _, err = dgmix("fit", healthy, "-o", target, "--recipe", name, *options)
    assert status != 0
    assert not target.exists()
    [line] = [each for each in err.splitlines() if sentence in each]
    assert str(weights) in line
    assert "Traceback" not in err


def test_the_wrong_features_are_one_sentence(dgmix: Command, healthy: Path, name: str) -> None:
    status, _, err = dgmix("fit", healthy, "-o", healthy / "x", "--set", f"encoder.name={name}")
    assert status != 0
    assert f"default: encoder '{name}' needs " in err
    assert f"; take the recipe '{name}'" in err


def test_no_file_is_one_sentence(dgmix: Command, healthy: Path, name: str) -> None:
    status, _, err = dgmix("fit", healthy, "-o", healthy / "x", "--recipe", name)
    assert status != 0
    assert f"setting 'encoder.weights': encoder '{name}' is trained already; give the file" in err
    assert "decoding" not in err


def test_a_run_says_so_before_it_decodes(
    dgmix: Command, simulated: Path, name: str, tmp_path: Path
) -> None:
    gone = f"encoder.weights={tmp_path / 'gone.pt'}"
    status, _, err = dgmix("run", name, "-d", simulated, "-o", tmp_path / "run", "--set", gone)
    assert status != 0
    assert f"{tmp_path / 'gone.pt'}: there is no such file of weights" in err
    assert "decoding" not in err
