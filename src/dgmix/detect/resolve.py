"""What a recipe leaves to the healthy recordings: each `auto` becomes what they show."""

from __future__ import annotations

import os
from collections import Counter

from dgmix.audio.cache import in_order
from dgmix.audio.io import Recording, sample_rate_of
from dgmix.audio.mel_scale import features_at
from dgmix.config import LEAST_BANDS, Recipe
from dgmix.data.clip import Clip
from dgmix.detect.recordings import Item, Sounds
from dgmix.errors import InputError
from dgmix.progress import warn

LEAST_RATE = 1000  # Hz; of lower rates 64 ms are too few samples for bands


def resolve(recipe: Recipe, healthy: Sounds) -> Recipe:
    """Return a recipe without `auto`; say what was decided where few would expect it.

    What cannot be read decides nothing. A recipe that leaves nothing open comes back as it is.
    Raises `InputError` where no recording can be read, and where the sample rate is too low for
    enough bands.
    """
    if recipe.audio.sample_rate != "auto":
        return recipe_at(recipe, recipe.audio.rate)
    rates = sample_rates(healthy)
    if not rates:
        raise InputError("setting 'audio.sample_rate': auto, and no recording can be read")
    rate = max(min(rates), LEAST_RATE)
    if len(rates) > 1:
        heard = f"all are heard at the lowest, so up to {hertz(rate / 2)}"
        warn(f"sample rates differ: {listed(rates)}; {heard}")
    return recipe_at(recipe, rate)


def recipe_at(recipe: Recipe, sample_rate: int) -> Recipe:
    """Return a recipe at a sample rate in Hz, with numbers in place of `auto`.

    Raises `InputError` where there are too few bands at that rate.
    """
    features = features_at(recipe.features, sample_rate)
    if features.n_mels < LEAST_BANDS:
        raise InputError(
            f"setting 'audio.sample_rate': {sample_rate} Hz leave {features.n_mels} mel bands, "
            f"and views need {LEAST_BANDS}; raise it"
        )
    audio = recipe.audio.model_copy(update={"sample_rate": sample_rate})
    return recipe.model_copy(update={"audio": audio, "features": features})


def sample_rates(recordings: Sounds) -> Counter[int]:
    """Return how many recordings have each sample rate, in Hz; without those that are unreadable.

    Little more than their headers is read.
    """
    rates = in_order(_sample_rate, recordings.items, os.cpu_count() or 1)
    return Counter(rate for rate in rates if rate is not None)


def _sample_rate(item: Item) -> int | None:
    if isinstance(item, Recording):
        return item.sample_rate
    try:
        return sample_rate_of(item.path if isinstance(item, Clip) else item)
    except InputError:
        return None


def listed(rates: Counter[int]) -> str:
    """Return rates with how many recordings have each: "16 kHz (10), 48 kHz (2)"."""
    return ", ".join(f"{hertz(rate)} ({count})" for rate, count in sorted(rates.items()))


def hertz(frequency: float) -> str:
    """Return a frequency in the unit that suits it: "22.05 kHz"."""
    return f"{frequency / 1000:.5g} kHz" if frequency >= 1000 else f"{frequency:.4g} Hz"
