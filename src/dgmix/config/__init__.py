"""Every setting of a recipe: typed, with its unit and default; an unknown key is an error.

A recipe is a YAML file with the shape of `Recipe`. Whatever it leaves out has the default written
in `settings.py`: DG-Mix by itself, as published where its publication tells. `recipes/default.yaml`
is what dgmix's developers recommend, and what `Detector` takes by itself.
"""

from dgmix.config.recipe import (
    NAMES,
    RECIPES,
    Origin,
    Recipe,
    dump_recipe,
    load_recipe,
    parse_recipe,
    read_recipe,
    recipe_origin,
)
from dgmix.config.settings import (
    GIVEN,
    HE_INITIALISED,
    LEARNED,
    LEAST_BANDS,
    MOST_BANDS,
    MOST_NETWORKS,
    PRETRAINED,
    AdamWSettings,
    AudioSettings,
    Classes,
    DetectSettings,
    EncoderSettings,
    EvaluateSettings,
    FeatureSettings,
    FinetuneSettings,
    InputSettings,
    LarsSettings,
    Precision,
    PretrainSettings,
    Settings,
    StageSettings,
)

__all__ = [
    "GIVEN",
    "HE_INITIALISED",
    "LEARNED",
    "LEAST_BANDS",
    "MOST_BANDS",
    "MOST_NETWORKS",
    "NAMES",
    "PRETRAINED",
    "RECIPES",
    "AdamWSettings",
    "AudioSettings",
    "Classes",
    "DetectSettings",
    "EncoderSettings",
    "EvaluateSettings",
    "FeatureSettings",
    "FinetuneSettings",
    "InputSettings",
    "LarsSettings",
    "Origin",
    "Precision",
    "PretrainSettings",
    "Recipe",
    "Settings",
    "StageSettings",
    "dump_recipe",
    "load_recipe",
    "parse_recipe",
    "read_recipe",
    "recipe_origin",
]
