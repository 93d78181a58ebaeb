"""What every encoder must do."""

from __future__ import annotations

from typing import Any

import torch

from dgmix.config import EncoderSettings
from dgmix.model.encoders import build_encoder, is_frozen
from dgmix.plugins import Plugins
from dgmix.testing.claims import require


def check_encoder(
    given: Any, settings: EncoderSettings | None = None, *, n_mels: int = 128, frames: int = 64
) -> None:
    """Raise `AssertionError` unless what is given can be plugged in as an encoder.

    It is a module or function that gives embeddings or maps of crops (crop, 1, mel, frame), or
    signals (crop, sample) by `settings`; or a class that `EncoderSettings`, `n_mels` and `frames`
    are given to, or `EncoderSettings` and samples where its `takes` is "waveform", whose encoders
    can be trained.
    """
    plugins = Plugins(encoders={"checked": given})
    settings = (settings or EncoderSettings()).model_copy(update={"name": "checked"})
    samples = 512 * frames
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder: Any = build_encoder(settings, n_mels, frames, plugins, samples).eval()
        signal = getattr(encoder, "takes", "mel") == "waveform"
        crops = torch.randn((3, samples) if signal else (3, 1, n_mels, frames))
        with torch.no_grad():
            embedding = encoder(crops)
            alone = torch.cat([encoder(crop[None]) for crop in crops])
        size = (3, encoder.embedding_size)
        require(tuple(embedding.shape) == size, f"embeddings have another shape than {size}")
        require(embedding.dtype == torch.float32, f"embeddings are {embedding.dtype}, not float32")
        require(embedding.isfinite().all(), "an embedding has a value that is not a number")
        message = "the embedding of a crop depends on the crops beside it"
        torch.testing.assert_close(alone, embedding, rtol=1e-3, atol=1e-4, msg=message)
        require((embedding[0] != embedding[1]).any(), "two crops have the same embedding")
        if not is_frozen(settings, plugins):
            _check_training(encoder, crops[:1])


def _check_training(encoder: Any, crop: torch.Tensor) -> None:
    """Raise `AssertionError` unless every band and frame counts, and weights have gradients."""
    crop = crop.clone().requires_grad_()
    loudness = torch.linspace(0.5, 2, 4).view(4, *[1] * (crop.ndim - 1))
    encoder.train()
    encoder(crop.expand(4, *crop.shape[1:]) * loudness).square().sum().backward()
    assert crop.grad is not None
    changed = crop.grad[0].abs()
    if crop.ndim == 2:
        require((changed > 0).all(), "a sample has no effect on the embedding")
    else:
        require((changed[0].sum(1) > 0).all(), "a mel band has no effect on the embedding")
        require((changed[0].sum(0) > 0).all(), "a frame has no effect on the embedding")
    missing = [name for name, p in encoder.named_parameters() if p.requires_grad and p.grad is None]
    require(not missing, f"these weights have no effect on the embedding: {', '.join(missing)}")
