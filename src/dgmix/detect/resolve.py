"""What a recipe leaves to the healthy recordings: each `auto` becomes what they show."""

from __future__ import annotations

import os
from collections import Counter

import numpy as np

from dgmix.audio.cache import in_order
from dgmix.audio.channels import Channels, channels_of
from dgmix.audio.frames import crops_of
from dgmix.audio.io import Form, Recording, form_of, measured_channels
from dgmix.audio.layout import Layout, choice, chosen, every
from dgmix.audio.mel_scale import features_at
from dgmix.audio.signals import hertz
from dgmix.config import LEAST_BANDS, Recipe, StageSettings
from dgmix.data.clip import Clip
from dgmix.data.dcase import parse_name
from dgmix.detect.recordings import Item, Sounds
from dgmix.errors import InputError
from dgmix.model.steps import STAGES
from dgmix.progress import progress, say, warn

LEAST_RATE = 1000  # Hz; of lower rates 64 ms are too few samples for bands
NEAR, TWO_MICROPHONES = 1, 2


def resolve(recipe: Recipe, healthy: Sounds) -> Recipe:
    """Return a recipe without `auto`; say what was decided where few would expect it.

    What cannot be read decides nothing. A recipe that leaves nothing open comes back as it is.
    Raises `InputError` where no recording can be read, and where the sample rate is too low for
    enough bands.
    """
    audio = recipe.audio
    crops = [getattr(recipe, stage).crops_per_clip for stage in STAGES]
    opened = "auto" in (audio.sample_rate, audio.channels, *crops) or audio.channels == "all"
    forms = forms_of(healthy) if opened else []
    if opened and not any(forms):
        raise _unreadable(healthy)
    recipe = with_channels(recipe, healthy, [form.channels if form else 0 for form in forms])
    recipe = with_rate(recipe, Counter(form.sample_rate for form in forms if form))
    return with_crops(recipe, [form.seconds for form in forms if form and form.seconds])


def _unreadable(healthy: Sounds) -> InputError:
    """Return the error that no recording can be read, with the reason of the first."""
    for item in healthy.items[:1]:
        try:
            _read_form(item)
        except InputError as error:
            return InputError(f"none of {len(healthy)} recordings can be read; the first: {error}")
    return InputError("there are no recordings to learn from")


def with_rate(recipe: Recipe, rates: Counter[int]) -> Recipe:
    """Return a recipe at one sample rate, of those that so many recordings have where it is auto.

    Raises `InputError` where that is too low for enough bands.
    """
    if recipe.audio.sample_rate != "auto":
        return recipe_at(recipe, recipe.audio.rate)
    rate = max(min(rates), LEAST_RATE)
    if len(rates) > 1:
        limit = f"all are compared at the lowest, so up to {hertz(rate / 2)}"
        warn(f"sample rates differ: {listed(rates)}; {limit}")
    return recipe_at(recipe, rate)


def recipe_at(recipe: Recipe, sample_rate: int) -> Recipe:
    """Return a recipe at a sample rate in Hz, of one channel, with numbers in place of `auto`.

    Raises `InputError` where there are too few bands at that rate.
    """
    features = features_at(recipe.features, sample_rate)
    if features.n_mels < LEAST_BANDS:
        raise InputError(
            f"setting 'audio.sample_rate': {sample_rate} Hz leave {features.n_mels} mel bands, "
            f"and views need {LEAST_BANDS}; raise it"
        )
    channels = [1] if recipe.audio.channels in ("auto", "all") else recipe.audio.channels
    audio = recipe.audio.model_copy(update={"sample_rate": sample_rate, "channels": channels})
    return recipe.model_copy(update={"audio": audio, "features": features})


def with_crops(recipe: Recipe, seconds: list[float]) -> Recipe:
    """Return a recipe with a number of crops of a clip; of recordings that are so long if auto."""
    number = crops_of(recipe, float(np.median(seconds or [0])))
    changed: dict[str, StageSettings] = {}
    for name in STAGES:
        stage: StageSettings = getattr(recipe, name)
        if stage.crops_per_clip == "auto":
            changed[name] = stage.model_copy(update={"crops_per_clip": number})
    return recipe.model_copy(update=changed)


def with_channels(recipe: Recipe, healthy: Sounds, counts: list[int]) -> Recipe:
    """Return a recipe whose channels are numbers, or their mean.

    `counts` (recording,) say how many channels each recording has, 0 of one that cannot be read,
    where that matters.
    """
    audio = recipe.audio
    near = audio.channels in ("auto", "mean") and near_and_far(healthy)
    if near:
        reference = audio.reference_channel
        say(
            "channels: 1 compared, the near microphone"
            + (f", also without what channel {reference} picks up too" if reference else "")
        )
        return _with(recipe, [NEAR])
    if audio.channels not in ("auto", "all"):
        return recipe
    several = [index for index, count in enumerate(counts) if count > 1]
    channels_of_several = measured(healthy.select(several)) if several else []
    layout = Layout.of(filter(None, counts), channels_of_several)
    choose = every if audio.channels == "all" else chosen
    channels = choose(layout, audio.reference_channel)
    if several:
        say(choice(layout, channels, audio.reference_channel))
    return _with(recipe, channels)


def near_and_far(healthy: Sounds) -> bool:
    """Say whether these are clips of a DCASE set with a near and a far microphone, in that order.

    Their mean is never taken. One clip tells, as those of a set are alike.
    """
    first = next((item for item in healthy.items if isinstance(item, Clip)), None)
    if first is None or parse_name(first.path, first.machine) is None:
        return False
    form = _form(first)
    return form is not None and form.channels == TWO_MICROPHONES


def measured(recordings: Sounds) -> list[Channels]:
    """Return what the channels of recordings are like, of those that can be read."""
    with progress("channels", len(recordings)) as advance:
        measurements = []
        for channels in in_order(_measured, recordings.items, os.cpu_count() or 1):
            measurements += [channels] if channels else []
            advance()
    return measurements


def sample_rates(recordings: Sounds) -> Counter[int]:
    """Return how many recordings have each sample rate, in Hz; unreadable ones not counted."""
    return Counter(form.sample_rate for form in forms_of(recordings) if form)


def forms_of(recordings: Sounds) -> list[Form | None]:
    """Return rate, channels and length of each recording (recording,), None where unreadable.

    Little more than their headers is read.
    """
    return list(in_order(_form, recordings.items, os.cpu_count() or 1))


def _with(recipe: Recipe, channels: list[int]) -> Recipe:
    audio = recipe.audio.model_copy(update={"channels": channels})
    return recipe.model_copy(update={"audio": audio})


def _form(item: Item) -> Form | None:
    try:
        return _read_form(item)
    except InputError:
        return None


def _read_form(item: Item) -> Form:
    if isinstance(item, Recording):
        channels = 1 if item.samples.ndim == 1 else item.samples.shape[1]
        return Form(item.sample_rate, channels, len(item.samples) / item.sample_rate)
    return form_of(item.path if isinstance(item, Clip) else item)


def _measured(item: Item) -> Channels | None:
    if isinstance(item, Recording):
        return channels_of(item.samples, item.sample_rate)
    try:
        return measured_channels(item.path if isinstance(item, Clip) else item)
    except InputError:
        return None


def listed(rates: Counter[int]) -> str:
    """Return rates with how many recordings have each: "16 kHz (10), 48 kHz (2)"."""
    return ", ".join(f"{hertz(rate)} ({count})" for rate, count in sorted(rates.items()))
