"""Every setting of a recipe: typed, with its unit and default; an unknown key is an error.

A recipe is a YAML file with the shape of `Recipe`. Whatever it leaves out has the default written
in `settings.py`: DG-Mix by itself, as published where its publication tells. `recipes/default.yaml`
is what dgmix's developers recommend, and what `Detector` takes by itself.
"""

from dgmix.config.recipe import (
    RECIPES,
    Origin,
    Recipe,
    dump_recipe,
    load_recipe,
    parse_recipe,
    recipe_origin,
)
from dgmix.config.settings import (
    HE_INITIALISED,
    LEAST_BANDS,
    MOST_BANDS,
    MOST_NETWORKS,
    PRETRAINED,
    AdamWSettings,
    AudioSettings,
    BaselineName,
    Classes,
    DetectSettings,
    EncoderName,
    EncoderSettings,
    EvaluateSettings,
    FeatureSettings,
    FinetuneSettings,
    InputSettings,
    LarsSettings,
    Precision,
    PretrainSettings,
    RawViewName,
    Settings,
    StageSettings,
    ViewName,
)

__all__ = [
    "HE_INITIALISED",
    "LEAST_BANDS",
    "MOST_BANDS",
    "MOST_NETWORKS",
    "PRETRAINED",
    "RECIPES",
    "AdamWSettings",
    "AudioSettings",
    "BaselineName",
    "Classes",
    "DetectSettings",
    "EncoderName",
    "EncoderSettings",
    "EvaluateSettings",
    "FeatureSettings",
    "FinetuneSettings",
    "InputSettings",
    "LarsSettings",
    "Origin",
    "Precision",
    "PretrainSettings",
    "RawViewName",
    "Recipe",
    "Settings",
    "StageSettings",
    "ViewName",
    "dump_recipe",
    "load_recipe",
    "parse_recipe",
    "recipe_origin",
]
