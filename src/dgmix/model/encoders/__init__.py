"""Encoders: what turns a mel spectrogram, or a waveform, into an embedding.

To add one, write a file with an `nn.Module` that satisfies `Encoder`, and name it in
`dgmix.plugins.OWN`; the contract test over all encoders picks it up. Encoders from outside are
plugged in (docs/plugins.md).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from torch import Tensor, nn

from dgmix.config import ONNX, EncoderSettings
from dgmix.errors import InputError
from dgmix.model.encoders.ensemble import Ensemble
from dgmix.model.encoders.frozen import FrozenEncoder, GivenEncoder
from dgmix.model.encoders.he import draw_he_fan_out
from dgmix.model.encoders.onnx import OnnxEncoder, read_model
from dgmix.plugins import NONE, Own, Plugins, made


class Encoder(Protocol):
    """An `nn.Module` that turns crops into embeddings of `embedding_size` numbers.

    Its class is made of `EncoderSettings`, mel bands and frames; or, where its attribute `takes` is
    "waveform", of `EncoderSettings` and samples.
    """

    embedding_size: int

    def __call__(self, mels: Tensor) -> Tensor:
        """Return (crop, embedding_size) of inputs, float32.

        They are (crop, 1, mel, frame), or (crop, sample) where it takes waveforms.
        """
        ...


Sizes = tuple[int, int, int]
ENCODERS: Mapping[str, Callable[..., nn.Module]] = Own("encoders")


def build_encoder(
    settings: EncoderSettings,
    n_mels: int,
    frames: int,
    plugins: Plugins = NONE,
    samples: int = 0,
) -> nn.Module:
    """Return an untrained encoder for crops of `n_mels` bands, `frames` frames, `samples` samples.

    That of `settings.ensemble` encoders if these are several; or one that is used as it is. Raises
    `InputError` for the name of one that nothing has.
    """
    if is_frozen(settings, plugins):
        return frozen_encoder(settings, (n_mels, frames, samples), plugins)
    build = plugins.find("encoders", settings.name)
    waveform = getattr(build, "takes", "mel") == "waveform"
    sizes = (samples,) if waveform else (n_mels, frames)
    members: list[nn.Module] = [
        made("encoders", settings.name, build, settings, *sizes) for _ in range(settings.ensemble)
    ]
    if settings.init == "he-fan-out":
        for member in members:
            draw_he_fan_out(member)
    return members[0] if settings.ensemble == 1 else Ensemble(members)


def is_frozen(settings: EncoderSettings, plugins: Plugins) -> bool:
    """Return whether the encoder that the settings name is used as it is, without training.

    It is one from an ONNX file, or an object from outside. A class from outside makes encoders that
    are trained, as dgmix's own do.
    """
    if settings.name == ONNX:
        return True
    return settings.name not in ENCODERS and not isinstance(
        plugins.find("encoders", settings.name), type
    )


def frozen_encoder(
    settings: EncoderSettings, sizes: Sizes, plugins: Plugins, content: bytes | None = None
) -> FrozenEncoder:
    """Return the encoder that is used as it is, for crops of so many mel bands, frames, samples.

    `content` is that of the ONNX file, where it has been read. Raises `InputError` for an encoder
    that does not take such crops.
    """
    if settings.ensemble > 1:
        raise InputError(
            f"encoder.ensemble: {settings.ensemble} of the encoder '{settings.name}', which is "
            "used as it is, would all be the same; set it to 1"
        )
    if settings.name != ONNX:
        return GivenEncoder(settings, plugins.find("encoders", settings.name), sizes)
    file = settings.weights_file() if content is None else None
    return OnnxEncoder(settings, read_model(file) if file else content or b"", sizes)
