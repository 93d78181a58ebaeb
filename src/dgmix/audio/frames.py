"""How many frames of a spectrogram a time takes."""

from __future__ import annotations

from dgmix.config import Recipe


def crop_frames(recipe: Recipe) -> int:
    """Return how many frames a centred STFT makes of a crop: 63 for 2 s."""
    samples = round(recipe.input.crop_seconds * recipe.audio.rate)
    return 1 + samples // recipe.features.hop_length


def crops_of(recipe: Recipe, seconds: float) -> int:
    """Return how many crops, each a frame after the last, a recording of some length has; ≥ 1."""
    frames = 1 + round(seconds * recipe.audio.rate) // recipe.features.hop_length
    return max(frames - crop_frames(recipe) + 1, 1)


def hop_frames(recipe: Recipe) -> int:
    """Return the hop between windows in frames: never 0, never longer than a crop."""
    samples = recipe.detect.hop_seconds * recipe.audio.rate
    return min(max(round(samples / recipe.features.hop_length), 1), crop_frames(recipe))
