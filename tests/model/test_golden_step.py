"""One step of each stage equals that of the public reproduction's own modules, in float64."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dgmix.config import EncoderSettings, FinetuneSettings, PretrainSettings
from dgmix.model.batch import Batch, Outcome
from dgmix.model.encoders import build_encoder
from dgmix.model.objectives.dgmix import DGMix
from dgmix.model.objectives.sections import MixedSections
from dgmix.model.recompute import recomputing

PLACES = {  # its names of the weights whose gradients are stored, and ours
    "backbone.input_layer.0.weight": "features.0.0.weight",
    "backbone.features.1.conv.0.weight": "features.2.layers.0.0.weight",
    "backbone.features.9.conv.3.weight": "features.10.layers.1.0.weight",
    "backbone.add_conv.1.weight": "pool.0.weight",
}
CLOSE = {"rtol": 1e-10, "atol": 1e-10}


@pytest.fixture(scope="module")
def golden(real_data: Path) -> dict[str, Tensor]:
    with np.load(real_data / "golden" / "dgmix_step.npz") as file:
        return {name: torch.from_numpy(file[name]) for name in file.files}


def with_weights(module: nn.Module, golden: dict[str, Tensor], part: str) -> nn.Module:
    """Return the module in float64 with the stored weights of `part`, which come in its order."""
    module = module.double().train()
    theirs = [value for name, value in golden.items() if name.startswith(f"weight/{part}.")]
    for ours, value in zip(module.parameters(), theirs, strict=True):
        ours.data.copy_(value.reshape(ours.shape))
    return module


def encoder_of(golden: dict[str, Tensor]) -> Any:
    """Return the encoder with a stem of three channels, as the reproduction has it."""
    encoder: Any = build_encoder(EncoderSettings(), 128, 63)
    encoder.features[0][0] = nn.Conv2d(3, 16, 3, 2, 1, bias=False)
    return with_weights(encoder, golden, "backbone")


def batch_of(golden: dict[str, Tensor], channels: int = 3) -> Batch:
    spectrogram = golden["spectrogram"].double().unsqueeze(1).expand(-1, channels, -1, -1)
    return Batch(spectrogram.contiguous(), golden["section"], golden["lambda"])


def stage_of(stage: str, golden: dict[str, Tensor]) -> tuple[nn.Module, dict[str, str], list[str]]:
    """Return the objective, our names of its terms after theirs, and the parts that learn."""
    if stage == "pretrain":
        settings = PretrainSettings(projector=[96, 96, 96])
        terms = {"repr_loss": "geometric", "std_loss": "variance", "cov_loss": "covariance"}
        return with_weights(DGMix(settings, 320), golden, "projector"), terms, ["projector"]
    objective = MixedSections(FinetuneSettings(head=[128]), 320, 6)
    terms = {"repr_loss": "geometric", "section_loss": "classification"}
    return with_weights(objective, golden, "section_head"), terms, ["section_head"]


@pytest.mark.parametrize("recompute", [False, True])
@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
def test_losses_embeddings_and_gradients(
    golden: dict[str, Tensor], stage: str, recompute: bool
) -> None:
    encoder = encoder_of(golden)
    objective, terms, heads = stage_of(stage, golden)
    with recomputing(encoder, recompute):
        outcome: Outcome = objective(encoder, batch_of(golden))
        outcome.loss.backward()
    torch.testing.assert_close(outcome.loss.detach(), golden[f"{stage}/loss"], **CLOSE)
    for theirs, ours in terms.items():
        expected = golden[f"{stage}/{theirs}"]
        torch.testing.assert_close(outcome.terms[ours].detach(), expected, **CLOSE)
    if stage == "pretrain":
        expected = golden["pretrain/embedding"]
        torch.testing.assert_close(outcome.embedding.detach(), expected, **CLOSE)
    for theirs, ours in PLACES.items():
        expected = golden[f"{stage}/gradient/{theirs}"]
        torch.testing.assert_close(encoder.get_parameter(ours).grad, expected, **CLOSE)
    names = [n.removeprefix("weight/") for n in golden if n.startswith("weight/")]
    norms = dict(zip(names, golden[f"{stage}/gradient_norms"], strict=True))
    learned = [n for n in names if n.split(".")[0] in ["backbone", *heads]]
    ours = [p.grad.norm() for m in (encoder, objective) for p in m.parameters()]
    torch.testing.assert_close(torch.stack(ours), torch.stack([norms[n] for n in learned]), **CLOSE)


def test_one_channel_is_the_same_function_as_three(golden: dict[str, Tensor]) -> None:
    encoder: Any = build_encoder(EncoderSettings(), 128, 63)
    stem = encoder.features[0][0]
    encoder.features[0][0] = nn.Conv2d(3, 16, 3, 2, 1, bias=False)
    with_weights(encoder, golden, "backbone")
    stem.weight.data = encoder.features[0][0].weight.data.sum(1, keepdim=True)
    encoder.features[0][0] = stem
    embedding = encoder(batch_of(golden, 1).inputs)
    torch.testing.assert_close(embedding.detach(), golden["pretrain/embedding"], **CLOSE)
