"""Recomputed gradients are the same to the bit, and less is kept for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

from dgmix.audio.bank import MelBank
from dgmix.config import EncoderSettings, PretrainSettings, Recipe
from dgmix.model.batch import Batch
from dgmix.model.crops import TrainingCrops
from dgmix.model.encoders import ENCODERS, build_encoder
from dgmix.model.objectives.dgmix import DGMix
from dgmix.model.precision import computing_in
from dgmix.model.recompute import recomputing
from dgmix.model.train import Run, train

WIDTHS = {"aisfx": 0.1, "beats": 1 / 12, "eat": 1 / 12, "spectra": 0.1}
SMALL: dict[str, dict[str, Any]] = {"spectra": {"resolutions": [64, 128]}}
SAMPLES = 4000


def step(name: str, recompute: bool, dtype: torch.dtype) -> tuple[list[Tensor], int]:
    """Return loss, gradients and buffers of a step, and how many numbers it kept for them."""
    torch.manual_seed(0)
    settings = EncoderSettings(name=name, width=WIDTHS.get(name, 0.5), **SMALL.get(name, {}))
    encoder = build_encoder(settings, 64, 32, samples=SAMPLES)
    encoder = encoder.to(memory_format=torch.channels_last).train()
    objective = DGMix(PretrainSettings(projector=[8, 8]), encoder.embedding_size)
    waveform = getattr(encoder, "takes", "mel") == "waveform"
    crops = torch.rand((12, SAMPLES) if waveform else (12, 1, 64, 32))
    batch = Batch(crops, torch.zeros(12, dtype=torch.long), torch.rand(6))
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.data_ptr()] = tensor.numel()
        return tensor

    with recomputing(encoder, recompute):
        with computing_in(dtype, [encoder]), saved_tensors_hooks(pack, lambda tensor: tensor):
            loss = objective(encoder, batch).loss
        loss.backward()
    network = nn.ModuleList([encoder, objective])
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    return [loss.detach(), *gradients, *network.buffers()], sum(kept.values())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", ENCODERS)
def test_gradients_and_statistics_are_the_same_and_less_is_kept(
    name: str, dtype: torch.dtype
) -> None:
    (whole, much), (again, little) = (step(name, each, dtype) for each in (False, True))
    assert len(whole) == len(again)
    assert all(map(torch.equal, whole, again))
    assert little < much / 2


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_a_training_that_recomputes_ends_with_the_same_weights(
    tiny: Recipe, make_bank: Callable[..., MelBank], tmp_path: Path, stage: str
) -> None:
    crops = TrainingCrops.of(make_bank(tiny, [1.0] * 9), ["00", "01", "02"] * 3)
    settings = getattr(tiny, stage).model_copy(update={"recompute": True})
    recomputed = tiny.model_copy(update={stage: settings})
    networks = [
        train(recipe, crops, 0, Run(tmp_path / name)).state_dict()
        for name, recipe in {"whole": tiny, "recomputed": recomputed}.items()
    ]
    assert all(torch.equal(value, networks[1][name]) for name, value in networks[0].items())


def test_the_encoder_is_itself_again_afterwards() -> None:
    encoder = build_encoder(EncoderSettings(), 64, 32)
    with pytest.raises(KeyboardInterrupt), recomputing(encoder, True):
        raise KeyboardInterrupt
    assert not any("forward" in vars(module) for module in encoder.modules())
