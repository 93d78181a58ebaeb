"""Encoders: what turns a mel spectrogram into an embedding.

To add one, write a file with an `nn.Module` that satisfies `Encoder`, and name it in
`dgmix.plugins.OWN`; the contract test over all encoders picks it up. Encoders from outside are
plugged in (docs/plugins.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from torch import Tensor, nn

from dgmix.config import EncoderSettings
from dgmix.model.encoders.ensemble import Ensemble
from dgmix.model.encoders.he import draw_he_fan_out
from dgmix.plugins import NONE, Own, Plugins


class Encoder(Protocol):
    """An `nn.Module` that turns crops into embeddings of `embedding_size` numbers."""

    embedding_size: int

    def __call__(self, mels: Tensor) -> Tensor:
        """Return (crop, embedding_size) of inputs (crop, 1, mel, frame), float32."""
        ...


ENCODERS: Mapping[str, Callable[[EncoderSettings, int, int], nn.Module]] = Own("encoders")


def build_encoder(
    settings: EncoderSettings, n_mels: int, frames: int, plugins: Plugins = NONE
) -> nn.Module:
    """Return an untrained encoder for crops of `n_mels` bands and `frames` frames.

    That of `settings.ensemble` encoders if these are several. Raises `InputError` for the name of
    one that nothing has.
    """
    build = plugins.find("encoders", settings.name)
    members: list[nn.Module] = [build(settings, n_mels, frames) for _ in range(settings.ensemble)]
    if settings.init == "he-fan-out":
        for member in members:
            draw_he_fan_out(member)
    return members[0] if settings.ensemble == 1 else Ensemble(members)
