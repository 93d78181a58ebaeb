"""What of a run is still to be done, counted: trainings, their steps, recordings to decode."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dgmix.config import Recipe, StageSettings
from dgmix.data.clip import Manifest
from dgmix.model.steps import STAGES, class_names, steps_per_epoch, total_steps
from dgmix.units import Unit


def trainings(units: Sequence[Unit]) -> list[Unit]:
    """Return the units whose networks these units need: their own, or those of their teachers."""
    learning = [unit.teacher or unit for unit in units if unit.recipe.detect.learns]
    return list({unit.label: unit for unit in learning}.values())


def healthy(unit: Unit) -> Manifest:
    """Return the clips that a unit learns from."""
    return unit.clips.select(split="train", label="normal")


def stages(recipe: Recipe, clips: Manifest) -> Iterator[tuple[str, StageSettings]]:
    """Yield the stages, by name, that a training on these clips has."""
    from dgmix.model.objectives import needs_classes

    sections = [f"{clip.machine} {clip.section}" for clip in clips]
    attributes = [clip.attributes for clip in clips]
    classes = set(class_names(sections, attributes, recipe.finetune.classes))
    for name in STAGES:
        settings: StageSettings = getattr(recipe, name)
        classified = needs_classes(name, settings, recipe.plugins)
        if settings.epochs and (len(classes) > 1 or not classified):
            yield name, settings


def steps(training: Unit) -> dict[str, int]:
    """Return how many steps a training has from its beginning, of all its networks, by stage."""
    clips = healthy(training)
    return {
        name: training.recipe.encoder.ensemble
        * total_steps(settings, steps_per_epoch(len(clips), settings))
        for name, settings in stages(training.recipe, clips)
    }
