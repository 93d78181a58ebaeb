"""Encoders: what turns a mel spectrogram into an embedding.

To add one, write a file with an `nn.Module` that satisfies `Encoder`, put it in `ENCODERS`, and add
its name to `EncoderSettings`; the contract test over all encoders picks it up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from torch import Tensor, nn

from dgmix.config import EncoderSettings
from dgmix.model.encoders.aisfx import AiSFX
from dgmix.model.encoders.beats import BEATs
from dgmix.model.encoders.eat import EAT
from dgmix.model.encoders.ensemble import Ensemble
from dgmix.model.encoders.he import draw_he_fan_out
from dgmix.model.encoders.mobilenetv2 import MobileNetV2, light
from dgmix.model.encoders.resnet import ResNet
from dgmix.model.encoders.statistics import Statistics
from dgmix.model.encoders.temporal import TemporalFilters


class Encoder(Protocol):
    """An `nn.Module` that turns crops into embeddings of `embedding_size` numbers."""

    embedding_size: int

    def __call__(self, mels: Tensor) -> Tensor:
        """Return (crop, embedding_size) of inputs (crop, 1, mel, frame), float32."""
        ...


ENCODERS: dict[str, Callable[[EncoderSettings, int, int], nn.Module]] = {
    "mobilenetv2": MobileNetV2,
    "light": light,
    "statistics": Statistics,
    "temporal": TemporalFilters,
    "resnet": ResNet,
    "aisfx": AiSFX,
    "beats": BEATs,
    "eat": EAT,
}


def build_encoder(settings: EncoderSettings, n_mels: int, frames: int) -> nn.Module:
    """Return an untrained encoder for crops of `n_mels` bands and `frames` frames.

    That of `settings.ensemble` encoders if these are several.
    """
    members = [ENCODERS[settings.name](settings, n_mels, frames) for _ in range(settings.ensemble)]
    if settings.init == "he-fan-out":
        for member in members:
            draw_he_fan_out(member)
    return members[0] if settings.ensemble == 1 else Ensemble(members)
