"""How many steps a training has; to count them, nothing is imported that trains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

from dgmix.config import Classes, StageSettings
from dgmix.errors import InputError

Stage = Literal["pretrain", "finetune"]
STAGES: tuple[Stage, ...] = get_args(Stage)
SMALLEST_BATCH = 4  # two halves of two crops: the least that a covariance can be computed of
RECALIBRATION_BATCHES = 32  # of clean crops, after training


def class_names(
    sections: Sequence[str], attributes: Sequence[str], classes: Classes
) -> Sequence[str]:
    """Return the class (clip,) of each clip: its section, or that and its attributes."""
    if classes == "sections" or not attributes:
        return sections
    return list(map(" ".join, zip(sections, attributes, strict=True)))


def steps_per_epoch(clips: int, settings: StageSettings) -> int:
    """Return the number of batches that an epoch of so many clips is divided into."""
    crops = max(SMALLEST_BATCH, clips * crops_per_clip(clips, settings))
    return max(1, round(crops / settings.batch_size))


def crops_per_clip(clips: int, settings: StageSettings) -> int:
    """Return how many crops an epoch takes of each of so many clips.

    Raises `InputError` where no recordings have decided it yet.
    """
    if settings.crops_per_clip == "auto":
        raise InputError("setting 'crops_per_clip': auto, which healthy recordings decide")
    return settings.crops_per_clip or -(-settings.batch_size // clips)


def total_steps(settings: StageSettings, steps_per_epoch: int) -> int:
    """Return how many steps a stage takes: its epochs, within `min_steps` and `max_steps`."""
    steps = max(settings.epochs * steps_per_epoch, settings.min_steps)
    return min(steps, settings.max_steps) if settings.max_steps else steps
