"""The temporal filter bank against plain loops over filters, bands and frames."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from dgmix.config import EncoderSettings, Recipe, load_recipe
from dgmix.detect.resolve import recipe_at
from dgmix.errors import InputError
from dgmix.model.encoders import build_encoder
from dgmix.model.encoders.temporal import FLOOR, TAPS, TemporalFilters
from dgmix.model.network import build_network

BANDS = 5


def encoder_for(frames: int, width: float = 1.0) -> TemporalFilters:
    """Return an encoder whose batch norm has been through something."""
    torch.manual_seed(0)
    encoder = build_encoder(EncoderSettings(name="temporal", width=width), BANDS, frames)
    assert isinstance(encoder, TemporalFilters)
    norm = encoder.filters[1]
    for values in (norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var):
        values.uniform_(0.5, 2)
    return encoder.eval()


def transcribed(encoder: TemporalFilters, crop: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the embedding of a crop (mel, frame), one filter, band and frame at a time."""
    conv, norm = encoder.filters
    taps = conv.weight.detach().numpy().astype(float)[:, 0, 0]
    scale = norm.weight.detach().numpy() / np.sqrt(norm.running_var.numpy() + norm.eps)
    if crop.shape[1] < 2 * TAPS:
        crop = np.pad(crop, ((0, 0), (TAPS // 2, TAPS // 2)), mode="edge")
    embedding = []
    for gain, one in zip(scale, taps, strict=True):
        for band in crop:
            starts = range(len(band) - TAPS + 1)
            outputs = [gain * sum(one * band[start : start + TAPS]) for start in starts]
            mean = sum(outputs) / len(outputs)
            variance = sum((each - mean) ** 2 for each in outputs) / len(outputs)
            embedding.append(0.5 * np.log(variance + FLOOR))
    return np.array(embedding)


@pytest.mark.parametrize("frames", [2, 9, 17, 18, 63])
@pytest.mark.parametrize("width", [0.1, 1.0, 1.5])
def test_says_what_the_plain_loop_says(frames: int, width: float) -> None:
    encoder = encoder_for(frames, width)
    crops = torch.randn(3, 1, BANDS, frames, generator=torch.Generator().manual_seed(frames))
    with torch.inference_mode():
        embeddings = encoder(crops).numpy()
    expected = [transcribed(encoder, crop.astype(float)) for crop in crops[:, 0].numpy()]
    np.testing.assert_allclose(embeddings, expected, atol=1e-5)


@pytest.mark.parametrize(("width", "filters"), [(0.1, 1), (0.5, 2), (1.0, 4), (3.0, 12)])
def test_the_width_is_the_number_of_filters(width: float, filters: int) -> None:
    encoder = build_encoder(EncoderSettings(name="temporal", width=width), 128, 63)
    assert encoder.embedding_size == 128 * filters
    assert sum(p.numel() for p in encoder.parameters()) == (TAPS + 2) * filters


@pytest.mark.parametrize("frames", [2, 63])
def test_a_steady_level_says_nothing(frames: int) -> None:
    encoder = encoder_for(frames)
    with torch.inference_mode():
        quiet = encoder(torch.zeros(1, 1, BANDS, frames))
        loud = encoder(torch.full((1, 1, BANDS, frames), 7.0))
    torch.testing.assert_close(loud, quiet, atol=1e-4, rtol=0)
    assert quiet.isfinite().all()


def test_twice_the_movement_is_one_step_further_in_every_number() -> None:
    encoder = encoder_for(63)
    crop = 100 * torch.randn(1, 1, BANDS, 63)
    with torch.inference_mode():
        step = encoder(2 * crop) - encoder(crop)
    torch.testing.assert_close(step, torch.full_like(step, np.log(2)), atol=1e-4, rtol=0)


def test_a_crop_of_one_frame_is_refused() -> None:
    settings = {"encoder": {"name": "temporal"}, "input": {"crop_seconds": 0.01}}
    recipe = Recipe.model_validate(settings)
    with pytest.raises(InputError, match="crop_seconds: encoder 'temporal' needs crops of at"):
        build_network(recipe, 0)


def test_the_learned_recipe_is_the_default_one_and_a_view() -> None:
    default, learned = load_recipe("default"), load_recipe("learned")
    assert learned.detect.views == [*default.detect.views, "dgmix"]
    groups = ("audio", "features", "input", "finetune", "recalibrate")
    assert all(getattr(learned, group) == getattr(default, group) for group in groups)
    views = {"views": default.detect.views}
    assert learned.detect.model_copy(update=views) == default.detect
    assert build_network(recipe_at(learned, 16_000), 0).embedding_size == 512
