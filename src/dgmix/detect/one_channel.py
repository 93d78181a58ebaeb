"""Detectors where there is a single channel: in ONNX files, and in `dgmix watch`."""

from __future__ import annotations

from dataclasses import replace

from dgmix.detect.fitted import FittedDetector
from dgmix.detect.views import check_sound
from dgmix.errors import InputError


def of_one_channel(fitted: FittedDetector, purpose: str) -> FittedDetector:
    """Return a detector that takes a single channel as the one that `fitted` compares.

    Raises `InputError`, naming the purpose, where several are compared, or vectors.
    """
    check_sound(fitted.recipe, purpose)
    if len(fitted.signals) > 1:
        raise InputError(
            f"{len(fitted.signals)} signals of a recording are compared, and {purpose} takes a "
            "single one; fit a detector of one channel (dgmix fit --channels 1)"
        )
    audio = fitted.recipe.audio.model_copy(update={"channels": "mean"})
    return replace(fitted, recipe=fitted.recipe.model_copy(update={"audio": audio}), layout=None)
