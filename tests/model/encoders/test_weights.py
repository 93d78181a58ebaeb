"""Files of weights: every layout that is read, and every mistake told without running anything."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from dgmix.config import PRETRAINED, EncoderSettings, Recipe, load_recipe, parse_recipe
from dgmix.detect.bundle import load_detector, save_detector
from dgmix.errors import InputError
from dgmix.model.encoders import build_encoder
from dgmix.model.encoders.weights import find_prefix, flattened, load_weights, of_network
from dgmix.model.network import build_network

Layout = Callable[[dict[str, Tensor]], Any]


def encoder(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return build_encoder(EncoderSettings(name="temporal"), 32, 20)


@pytest.mark.parametrize(
    "layout",
    [
        lambda state: state,
        lambda state: {"model": state, "cfg": {"deep": True, "rates": [0.1, None]}},
        lambda state: ({f"net.{k}": v for k, v in state.items()}, {"a": (np.int64(1), 2)}),
        lambda state: {"epoch": 3, "state_dict": {f"a.b.{k}": v for k, v in state.items()}},
        lambda state: {k: v.half() if v.is_floating_point() else v for k, v in state.items()},
        lambda state: [np.float32(0.5), state],
    ],
    ids=["plain", "with settings", "in a pair", "in a trainer's", "half precision", "in a list"],
)
def test_finds_the_encoder_in_a_checkpoint(layout: Layout, tmp_path: Path) -> None:
    torch.save(layout(encoder(1).state_dict()), tmp_path / "w.pt")
    read = encoder()
    load_weights(read, "temporal", tmp_path / "w.pt")
    for one, other in zip(read.parameters(), encoder(1).parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)
        assert one.dtype == torch.float32


@pytest.mark.parametrize("prefix", ["", "encoder.", "x.y."])
def test_finds_the_encoder_in_safetensors(prefix: str, tmp_path: Path) -> None:
    state = {prefix + name: value for name, value in encoder(1).state_dict().items()}
    save_file(state | {"head.weight": torch.zeros(2)}, tmp_path / "w")
    read = encoder()
    if prefix:
        load_weights(read, "temporal", tmp_path / "w")
        for one, other in zip(read.parameters(), encoder(1).parameters(), strict=True):
            assert torch.equal(one, other)
    else:
        with pytest.raises(InputError, match=r"head\.weight not known there"):
            load_weights(read, "temporal", tmp_path / "w")


def test_an_encoder_that_dgmix_has_trained(
    tmp_path: Path, make_bank: Callable[..., Any], tiny: Recipe, remembered: Callable[..., Any]
) -> None:
    """A `.dgmix` file is a file of weights: a machine can start from another one's encoder."""
    bank = make_bank(tiny, [0.6] * 4)
    network = build_network(tiny, 7).eval()
    save_detector(remembered(tiny, network, bank, [""] * 4), tmp_path / "pump.dgmix")
    given = tiny.encoder.model_copy(update={"weights": str(tmp_path / "pump.dgmix")})
    taken = build_network(tiny.model_copy(update={"encoder": given}), 0)
    for one, other in zip(taken.encoder.parameters(), network.encoder.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_detector_tells_no_folder_of_the_weights_it_began_with(
    tmp_path: Path, make_bank: Callable[..., Any], tiny: Recipe, remembered: Callable[..., Any]
) -> None:
    given = tiny.encoder.model_copy(update={"weights": str(tmp_path / "begun.pt")})
    recipe = tiny.model_copy(update={"encoder": given})
    network, bank = build_network(tiny, 7).eval(), make_bank(tiny, [0.6] * 4)
    save_detector(remembered(recipe, network, bank, [""] * 4), tmp_path / "a.dgmix")
    assert str(tmp_path).encode() not in (tmp_path / "a.dgmix").read_bytes()
    assert load_detector(tmp_path / "a.dgmix").recipe.encoder.weights == "begun.pt"


class Trap:
    """What runs when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("write", [torch.save, lambda what, path: path.write_bytes(what)])
def test_nothing_in_a_file_runs(write: Callable[[Any, Path], None], tmp_path: Path) -> None:
    trap = {"model": encoder().state_dict(), "cfg": Trap(tmp_path / "sprung")}
    write(trap if write is torch.save else pickle.dumps(trap), tmp_path / "w.pt")
    with pytest.raises(InputError, match=r"w\.pt: neither safetensors nor a PyTorch checkpoint of"):
        load_weights(encoder(), "temporal", tmp_path / "w.pt")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"\x80\x02]q\x00.", b"PK\x03\x04 broken"])
def test_what_is_no_file_of_weights(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "w.pt").write_bytes(content)
    with pytest.raises(InputError, match=r"w\.pt: (neither safetensors|not weights)") as raised:
        load_weights(encoder(), "temporal", tmp_path / "w.pt")
    assert "\n" not in str(raised.value)


def test_no_file(tmp_path: Path) -> None:
    for path in (tmp_path / "none.pt", tmp_path):
        settings = EncoderSettings(weights=str(path))
        with pytest.raises(InputError, match=f"{path}: there is no such file of weights; see"):
            settings.weights_file()
    assert EncoderSettings().weights_file() is None


def spoiled(name: str, value: Tensor | None) -> dict[str, Tensor]:
    state = {**encoder().state_dict(), name: value}
    return {key: each for key, each in state.items() if each is not None}


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        (spoiled("filters.0.weight", None), r"filters\.0\.weight of 6 tensors missing"),
        ({"unrelated": torch.zeros(2)}, r"filters\.1\.bias and 3 more of 6 tensors missing"),
        (spoiled("filters.2.weight", torch.zeros(1)), r"filters\.2\.weight not known there"),
        (
            spoiled("filters.0.weight", torch.zeros(4, 1, 1, 7)),
            r"filters\.0\.weight has shape \(4, 1, 1, 7\), not \(4, 1, 1, 9\)",
        ),
        (
            spoiled("filters.1.bias", torch.full((4,), torch.nan)),
            r"filters\.1\.bias holds a value that is not a number",
        ),
    ],
)
def test_what_is_wrong_is_told(state: dict[str, Tensor], sentence: str, tmp_path: Path) -> None:
    torch.save(state, tmp_path / "w.pt")
    untouched = encoder()
    with pytest.raises(
        InputError, match=rf"w\.pt: not weights of the encoder 'temporal': .*{sentence}"
    ):
        load_weights(untouched, "temporal", tmp_path / "w.pt")
    assert torch.equal(untouched.filters[0].weight, encoder().filters[0].weight)


def test_a_pre_trained_encoder_needs_its_weights() -> None:
    recipe = load_recipe("beats", ["encoder.width=0.08"])
    with pytest.raises(InputError, match=r"'encoder\.weights': encoder 'beats' is trained already"):
        build_network(recipe, 0)


@pytest.mark.parametrize("name", PRETRAINED)
def test_other_features_are_refused_in_a_sentence(name: str) -> None:
    for changes in (["features.power=1"], ["audio.sample_rate=22050"], ["input.log=true"]):
        key = changes[0].partition("=")[0]
        with pytest.raises(InputError, match=f"encoder '{name}' needs {key}=.*; take the recipe"):
            load_recipe(name, changes)
    values = {**load_recipe(name).model_dump(), "input": {"log": False, "standardize": False}}
    assert parse_recipe(values, "mine").input.crop_seconds == 2.0


def test_flattens_what_is_nested() -> None:
    nested = {"a": [1, {"b": None}], "c": (2,), "d": {}}
    assert dict(flattened(nested)) == {"a.0": 1, "a.1.b": None, "c.0": 2}


def test_the_prefix_is_that_of_most_names() -> None:
    wanted = {"a.weight": 0, "b.weight": 0}
    names = dict.fromkeys(["x.a.weight", "y.a.weight", "y.b.weight", "za.weight"], 0)
    assert find_prefix(names, wanted) == "y."
    assert find_prefix({"za.weight": 0}, wanted) == ""


def test_the_networks_of_an_ensemble_have_their_numbers() -> None:
    assert of_network("network.encoder.members.0.", 12) == "network.encoder.members.12."
    for alone in ("", "model.", "members.weight.", "ema.1."):
        assert of_network(alone, 1) == alone
