"""A recipe: all groups of settings together, and the YAML file that it is read from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import yaml
from pydantic import (
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationError,
    ValidationInfo,
    model_validator,
)

from dgmix.config.changes import changed, nearest_setting, nearest_value
from dgmix.config.settings import (
    ERROR_SCORERS,
    GIVEN,
    HE_INITIALISED,
    LEARNED,
    ONNX,
    PRETRAINED,
    AudioSettings,
    DetectSettings,
    EncoderSettings,
    EvaluateSettings,
    FeatureSettings,
    FinetuneSettings,
    InputSettings,
    Precision,
    PretrainSettings,
    Settings,
)
from dgmix.errors import InputError, did_you_mean
from dgmix.plugins import NONE, Kind, Plugins, unknown

UNCHECKED = "unchecked"
NAMES: dict[str, tuple[Kind, tuple[str, ...]]] = {
    "encoder.name": ("encoders", (ONNX,)),
    "finetune.objective": ("objectives", ()),
    "detect.scorer": ("scorers", ()),
    "detect.views": ("views", (LEARNED, GIVEN)),
    "evaluate.baselines": ("views", ("learned", "raw", "untrained")),
}  # settings that name what can be plugged in: its kind, and what else they may name
RECIPES = (
    "published",
    "published-small",
    "default",
    "learned",
    "whole-clips",
    "attributes",
    "autoencoder",
    "mahala",
    "first-shot",
    "scac",
    "demo",
    *PRETRAINED,
)


class Recipe(Settings):
    """Everything that decides a result, apart from the data and the seed."""

    audio: AudioSettings = AudioSettings()
    features: FeatureSettings = FeatureSettings()
    input: InputSettings = InputSettings()
    encoder: EncoderSettings = EncoderSettings()
    pretrain: PretrainSettings = PretrainSettings()
    finetune: FinetuneSettings = FinetuneSettings()
    together: bool = Field(
        False,
        description="one network learns from all machine types of a `run`, whose sections it tells "
        "apart in fine-tuning; each type keeps a memory of its own. Needs a learned view",
    )
    precision: Precision = Field(
        "auto",
        description="of the layers in training; auto: bfloat16 where the hardware multiplies it "
        "and the encoder bears it (docs/decisions/0017-precision.md)",
    )
    recalibrate: bool = Field(True, description="recompute batch-norm statistics after training")
    detect: DetectSettings = DetectSettings()
    evaluate: EvaluateSettings = EvaluateSettings()
    plugins: Annotated[
        Plugins,
        PlainValidator(Plugins.of),
        PlainSerializer(lambda given: list(given.files), return_type=list[str]),
    ] = Field(
        NONE,
        description="files of Python code with encoders, scorers, raw views or objectives of your "
        "own, from the recipe's folder on; see docs/plugins.md",
    )

    @property
    def has_network(self) -> bool:
        """Whether a network has a part in a run: as a view, or untrained as a baseline."""
        return self.detect.learns or "untrained" in self.evaluate.baselines

    @model_validator(mode="after")
    def _names_are_known(self, info: ValidationInfo) -> Recipe:
        if info.context != UNCHECKED:
            self.plugins.load()
            for setting, kind, name in self.names():
                if not self.plugins.knows(kind, name):
                    known = [*NAMES[setting][1], *self.plugins.names(kind)]
                    raise ValueError(f"setting '{setting}': {unknown(kind[:-1], name, known)}")
        return self

    def names(self) -> Iterator[tuple[str, Kind, str]]:
        """Yield each setting that names what can be plugged in, its kind, and the name."""
        for setting, (kind, others) in NAMES.items():
            group, _, key = setting.partition(".")
            value = getattr(getattr(self, group), key)
            for name in [value] if isinstance(value, str) else value:
                if name not in others:
                    yield setting, kind, name

    @model_validator(mode="after")
    def _baselines_are_of_the_views(self) -> Recipe:
        views, baselines = self.detect.views, self.evaluate.baselines
        if len(set(views)) < len(views):
            raise ValueError("detect.views names a view twice")
        if "learned" in baselines and LEARNED not in views:
            raise ValueError("evaluate.baselines: 'learned' needs the view dgmix in detect.views")
        if "raw" in baselines and set(views) == {LEARNED}:
            raise ValueError("evaluate.baselines: 'raw' needs a raw view in detect.views")
        return self

    @model_validator(mode="after")
    def _the_encoder_has_these_first_weights(self) -> Recipe:
        if self.encoder.init != "torch" and self.encoder.name not in HE_INITIALISED:
            raise ValueError(
                f"encoder.init: '{self.encoder.init}' is for the encoders "
                f"{', '.join(HE_INITIALISED)}, not '{self.encoder.name}'"
            )
        return self

    @model_validator(mode="after")
    def _errors_are_scored_as_such(self) -> Recipe:
        detect, of_errors = self.detect, self.detect.scorer in ERROR_SCORERS
        if of_errors != (self.encoder.name == "autoencoder"):
            raise ValueError(
                f"encoder autoencoder and the scorers {' and '.join(ERROR_SCORERS)} need each "
                "other; take the recipe 'autoencoder' or 'mahala'"
            )
        compared = detect.whiten or detect.per_domain or detect.balance != "none"
        alone = detect.views == [LEARNED] and self.encoder.ensemble == 1
        if of_errors and not (alone and detect.pool == "mean-embedding" and not compared):
            raise ValueError(
                f"scorer {detect.scorer} needs detect.views=[{LEARNED}], "
                "detect.pool=mean-embedding and encoder.ensemble=1, and goes without whiten, "
                "per_domain and balance: it compares nothing"
            )
        return self

    @model_validator(mode="after")
    def _features_are_what_the_encoder_was_trained_on(self) -> Recipe:
        name = self.encoder.name
        if name in PRETRAINED:
            trained_on = _parse(_recipe_text(name), name)
            wrong = [
                f"{group}.{key}={str(value).lower()}"
                for group in ("audio", "features", "input")
                for key, value in trained_on[group].items()
                if key != "crop_seconds" and getattr(getattr(self, group), key) != value
            ]
            if wrong:
                needed = ", ".join(wrong)
                raise ValueError(f"encoder '{name}' needs {needed}; take the recipe '{name}'")
        return self


def load_recipe(
    name_or_path: str | Path, changes: Sequence[str] = (), plugins: object = None
) -> Recipe:
    """Return a recipe that ships with dgmix (one of `RECIPES`) or of a YAML file.

    `changes` are `a.b=value` texts, their values read as YAML; they win over the file. Where they
    choose another optimiser or encoder, what the file says about its own is left out. `plugins` are
    `Plugins` beside those that the file names, or what `Plugins.of` takes.

    Raises `InputError` when the recipe does not exist, is not YAML, or holds an unknown key or name
    or a value out of range; the message names the recipe and the key.
    """
    origin = str(name_or_path)
    values = _parse(_recipe_text(name_or_path), origin)
    own = Plugins.of(values.pop("plugins", None)).beside(Path(name_or_path).parent)
    if changes:
        values = changed(values, changes, Recipe().model_dump(mode="json"))
    more = Plugins.of(values.pop("plugins", None)) | Plugins.of(plugins)
    return parse_recipe({**values, "plugins": own | more}, origin)


def read_recipe(path: Path) -> Recipe:
    """Return the recipe in a file of a run, whatever its names stand for: no plug-in is run.

    Raises what `load_recipe` does.
    """
    return parse_recipe(_parse(_recipe_text(path), str(path)), str(path), checked=False)


def parse_recipe(values: Mapping[str, Any], origin: str, *, checked: bool = True) -> Recipe:
    """Return the recipe that a nested mapping describes; `origin` names it in error messages.

    With `checked` its names are looked up, for which files of plug-ins are run.
    """
    try:
        values = _with_view_of_onnx(values)
        return Recipe.model_validate(values, context=None if checked else UNCHECKED)
    except ValidationError as error:
        first = error.errors()[0]
        key = _key(first["loc"])
        if first["type"] == "extra_forbidden":
            known = nearest_setting(key, Recipe)
            raise InputError(
                f"{origin}: unknown setting '{key}'{known}; see docs/settings.md"
            ) from error
        where = f"setting '{key}': " if key else ""
        message = first["msg"].removeprefix("Value error, ")
        for other in error.errors()[1:]:  # a value that may be of another kind is none of either
            if _key(other["loc"]) == key:
                message += f" or {other['msg'].removeprefix('Input should be ')}"
        raise InputError(f"{origin}: {where}{message}{nearest_value(first)}") from error


def _with_view_of_onnx(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return values in which an ONNX file's embedding is compared: who names one wants that."""
    encoder, detect = values.get("encoder"), values.get("detect", {})
    if not (isinstance(encoder, dict) and encoder.get("name") == ONNX and isinstance(detect, dict)):
        return values
    views = detect.get("views", [LEARNED])
    if not isinstance(views, list) or LEARNED in views:
        return values
    return {**values, "detect": {**detect, "views": [*views, LEARNED]}}


def dump_recipe(recipe: Recipe) -> str:
    """Return the recipe, with every setting, as YAML that `load_recipe` reads."""
    return yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False)


class Origin(NamedTuple):
    """Which recipe settings come from, and what was changed of it, "pretrain.epochs: 5" say."""

    base: str
    changes: list[str]

    def __str__(self) -> str:
        return ", ".join([self.base, *self.changes])


def recipe_origin(
    values: Mapping[str, Any], base: str | Path = "", decided: bool = False
) -> Origin:
    """Return where the settings of a recipe come from: `base`, or else the nearest shipped one.

    Where the recordings have `decided` what a recipe leaves to them, that is no change of it.
    """
    origins = []
    for name in [base] if base else RECIPES:
        own = dict(_flat(load_recipe(name).model_dump(mode="json")))
        changes = [
            f"{key}: {value}"
            for key, value in _flat(values)
            if (key, value) not in own.items()
            and not (decided and own.get(key) == "auto" and key != "precision")
        ]
        origins.append(Origin(str(name), changes))
    return min(origins, key=lambda origin: len(origin.changes))


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted keys and the values of nested settings."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _key(place: tuple[int | str, ...]) -> str:
    """Return the key at a place that pydantic names, where a union's choice is a part too."""
    parts = [
        str(part)
        for before, part in zip(("", *place), place, strict=False)
        if (before, part) not in (("optimizer", "lars"), ("optimizer", "adamw"))
        and not str(part).startswith(("constrained-", "literal["))
    ]
    return ".".join(parts)


def _recipe_text(name_or_path: str | Path) -> str:
    if str(name_or_path) in RECIPES:
        return (resources.files("dgmix.recipes") / f"{name_or_path}.yaml").read_text("utf-8")
    path = Path(name_or_path)
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read as a recipe{did_you_mean(str(path), RECIPES)}; give a YAML "
            f"file or one of {', '.join(RECIPES)}"
        ) from error


def _parse(text: str, origin: str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"{origin}: not valid YAML: {' '.join(str(error).split())}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise InputError(f"{origin}: a recipe must be a mapping of settings, not a plain value")
    return values
