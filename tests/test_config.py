"""Recipes: every key is read, every mistake is one sentence, every setting is described."""

from __future__ import annotations

import hashlib
import importlib.util
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args, get_origin

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file
from safetensors.torch import save_file

from dgmix.audio.cache import FeatureStore
from dgmix.config import (
    ERROR_SCORERS,
    NAMES,
    PRETRAINED,
    RECIPES,
    AdamWSettings,
    LarsSettings,
    Recipe,
    dump_recipe,
    load_recipe,
    parse_recipe,
)
from dgmix.data import load_manifest
from dgmix.errors import InputError
from dgmix.model.network import build_network
from dgmix.model.optim import peak_learning_rate
from dgmix.pipeline import chosen_machines, judge
from dgmix.plugins import OWN, Plugins
from dgmix.units import complete_unit, plan

DOCS = Path(__file__).parents[1] / "docs"
PARTS = ["features", "weights", "scores", "tables"]
DECIDES = {  # the first part of what a run makes that a group of settings changes
    "audio": "features",
    "features": "features",
    "input": "weights",
    "encoder": "weights",
    "pretrain": "weights",
    "finetune": "weights",
    "together": "weights",
    "precision": "weights",
    "recalibrate": "weights",
    "detect": "scores",
    "evaluate": "tables",
}
STAGES = {"pretrain", "finetune"}
CHANGED = {
    "crops_per_clip": 2,
    "f_max": 7000.0,
    "min_steps": 7,
    "mixed": 0.4,
    "max_steps": 3,
    "warmup": 0.6,
    "weight_decay": 0.3,
    "win_length": 400,
    "sample_rate": 16_001,
    "precision": "bfloat16",  # "auto" is one of the other two
}
NEEDS = {  # other settings of the same group without which one does nothing
    "encoder.resolutions": {"name": "spectra", "width": 0.1},
    "finetune.sub_clusters": {"objective": "adacos"},
    "detect.local_neighbors": {"scorer": "density", "held_out": 0.0},
    "detect.pool": {"hop_seconds": 0.2},
    "detect.emphasis": {"pool": "relative-deviation", "hop_seconds": 0.2},
    "detect.domain_prior": {"scorer": "daco", "held_out": 0.0, "per_section": False},
    "detect.components": {"scorer": "gmm", "held_out": 0.0},
    "detect.held_out": {"scorer": "mahalanobis"},
    "detect.balance": {"per_section": False, "scorer": "mahalanobis"},
    "detect.balance_size": {"balance": "kmeans", "per_section": False},
}
OPTIMIZERS = {
    AdamWSettings: {"name": "adamw", "lr": 0.01},
    LarsSettings: {"name": "lars", "lr": 0.1, "lr_batch_size": 8},
}
SAME_RESULT = {  # see test_recompute.py, test_onnx.py, test_adacos.py in tests/model
    "encoder.input",
    "encoder.output",
    "encoder.pool",
    "encoder.time_axis",
    "audio.channels",  # of mono recordings; see tests/detect/test_channels.py
    "audio.reference_channel",
    "pretrain.recompute",
    "finetune.recompute",
    "finetune.scale",  # follows the batches from some steps on
    "plugins",
}
OTHER = {bool: lambda v: not v, int: lambda v: v + 1, float: lambda v: v * 0.9 or 0.5}
Observe = Callable[..., dict[str, Any]]


RENEW = "run python docs/settings.py > docs/settings.md"


def settings_page() -> ModuleType:
    spec = importlib.util.spec_from_file_location("settings_page", DOCS / "settings.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


PAGE = settings_page()
LEAVES = list(PAGE.leaves())


def name_of(leaf: Any) -> str:
    return f"{leaf.key} {leaf.choice[1].__name__}" if leaf.choice else leaf.key


def changed(recipe: Recipe, key: str, value: Any) -> Recipe:
    """Return the recipe with one value changed, unchecked, so that any value can be tried."""
    head, _, rest = key.partition(".")
    inner = changed(getattr(recipe, head), rest, value) if rest else value
    return recipe.model_copy(update={head: inner})


def base_of(stage: str, choice: tuple[str, type] | None, key: str, tiny: Recipe) -> Recipe:
    """Return the recipe in which a setting matters; only DG-Mix is scored.

    For a setting of one training `stage`, the other one is left out; `key` is one of `NEEDS`.
    """
    base = changed(tiny, "evaluate.baselines", [])
    for name, value in NEEDS.get(key, {}).items():
        base = changed(base, f"{key.partition('.')[0]}.{name}", value)
    if stage in STAGES:
        [other] = STAGES - {stage}
        base = changed(base, f"{other}.epochs", 0)
    return changed(base, choice[0], choice[1](**OPTIMIZERS[choice[1]])) if choice else base


def alternatives(leaf: Any, base: Recipe, folder: Path) -> Iterator[Recipe]:
    """Yield the recipe with every other value that a setting can have, or with one.

    A value that is a file is written into `folder`.
    """
    kind, value = leaf.field.annotation, leaf.value(base)
    name = leaf.key.rpartition(".")[2]
    if leaf.choice and name == "name":
        for other in set(OPTIMIZERS) - {leaf.choice[1]}:
            yield changed(base, leaf.choice[0], other(**OPTIMIZERS[other]))
        return
    if leaf.key == "audio.channels":
        values = [[1], "all", "auto"]
    elif leaf.key == "detect.views":
        values = [["dgmix", "logmel-change"]]  # without dgmix nothing would be learned
    elif name in CHANGED:
        values = [CHANGED[name]]
    elif leaf.key == "encoder.weights":
        other = build_network(base, seed=1).encoder.state_dict()
        save_file({k: v.contiguous() for k, v in other.items()}, folder / "other.safetensors")
        values = [str(folder / "other.safetensors")]
    elif leaf.key in NAMES and kind is str:
        others = (value, *PRETRAINED, *ERROR_SCORERS, "autoencoder")
        values = [each for each in OWN[NAMES[leaf.key][0]] if each not in others]
    elif kind is Plugins:
        values = [Plugins(files=("mine.py",))]
    elif get_origin(kind) is Literal:
        values = [each for each in get_args(kind) if each != value and each not in PRETRAINED]
    elif get_origin(kind) is list:
        values = [value[:-1] or ([8] if name == "head" else ["logmel-mean"])]
    else:
        values = [{**OTHER, str: lambda v: f"{v}x"}[kind](value)]
    for value in values:
        yield changed(base, leaf.key, value)


@pytest.fixture(scope="session")
def observe(
    simulated: Path, shared_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Observe:
    """Return what can be seen of a recipe, up to a part of `PARTS`.

    The training is that of the unit in `trained`, where it is given.
    """
    everything = load_manifest(simulated)
    fan = chosen_machines(everything, ["fan"])

    def look(recipe: Recipe, until: str, trained: Path | None = None) -> dict[str, Any]:
        output = tmp_path_factory.mktemp("observed")
        clips = everything if recipe.together else fan
        paths = [clip.path for clip in clips]
        store = FeatureStore(shared_cache, recipe.audio, recipe.features)
        store.add(paths)
        digest = hashlib.sha256(store.open(paths)[0].tobytes()).hexdigest()
        if until == "features":
            return {"features": digest}
        [unit, *_] = plan(recipe, clips, [0], output, shared_cache, "cpu")
        unit.folder.mkdir(parents=True)
        if trained:
            shutil.copy(trained / "last.ckpt", unit.folder)
            shutil.copy(trained / "log.jsonl", unit.folder)
        complete_unit(unit)
        if until == "tables":
            judge(output, recipe)
        tensors = load_file(unit.folder / "detector.dgmix")
        tables = [output / name for name in ("results.csv", "results.md")]
        return {
            "folder": unit.folder,
            "features": digest,
            "weights": {k: v.tobytes() for k, v in tensors.items() if k.startswith("network.enc")},
            "scores": (unit.folder / "scores.csv").read_text(),
            "tables": [path.read_text() for path in tables if path.exists()],
        }

    return look


@pytest.fixture(scope="session")
def baseline(observe: Observe, tiny: Recipe) -> Callable[..., dict[str, Any]]:
    """Return what can be seen of the recipe in which a setting matters."""
    return cache(lambda *place: observe(base_of(*place, tiny), "tables"))


@pytest.mark.parametrize("leaf", [x for x in LEAVES if x.key not in SAME_RESULT], ids=name_of)
def test_every_setting_is_read(
    leaf: Any,
    observe: Observe,
    baseline: Callable[..., dict[str, Any]],
    tiny: Recipe,
    tmp_path: Path,
) -> None:
    group = leaf.key.partition(".")[0]
    part = DECIDES[group]
    key = leaf.key if leaf.key in NEEDS else ""
    place = (group if group in STAGES else "", leaf.choice, key)
    before, base = baseline(*place), base_of(*place, tiny)
    trained = before["folder"] if part in ("scores", "tables") else None
    for recipe in alternatives(leaf, base, tmp_path):
        after = observe(recipe, part, trained)
        assert after[part] != before[part]
        earlier = PARTS[: PARTS.index(part)]
        assert [after[name] for name in earlier] == [before[name] for name in earlier]


@pytest.mark.parametrize("key", ["encoder.name", "finetune.objective", "detect.scorer"])
def test_a_name_is_looked_up_in_its_table(key: str, observe: Observe, tiny: Recipe) -> None:
    with pytest.raises(InputError, match=r"there is no \w+ 'stranger'"):
        observe(changed(tiny, key, "stranger"), "scores")


def test_every_setting_has_another_value(tiny: Recipe, tmp_path: Path) -> None:
    bases = {leaf: base_of("", leaf.choice, leaf.key, tiny) for leaf in LEAVES}
    others = {leaf.key: list(alternatives(leaf, base, tmp_path)) for leaf, base in bases.items()}
    assert all(others.values())


@pytest.mark.parametrize("leaf", LEAVES, ids=name_of)
def test_every_setting_is_described(leaf: Any) -> None:
    assert leaf.field.description


def test_the_page_of_settings_is_up_to_date() -> None:
    assert (DOCS / "settings.md").read_text() == PAGE.page(), RENEW


@pytest.mark.parametrize("name", RECIPES)
def test_shipped_recipes_load_and_survive_a_round_trip(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name)
    (tmp_path / "again.yaml").write_text(dump_recipe(recipe))
    assert load_recipe(tmp_path / "again.yaml") == recipe


def test_the_published_recipe_is_the_published_method() -> None:
    recipe = load_recipe("published")
    assert isinstance(recipe.pretrain.optimizer, LarsSettings)
    assert recipe.pretrain.optimizer.lr == 0.8
    assert peak_learning_rate(recipe.pretrain) == 0.8
    assert (recipe.pretrain.batch_size, recipe.encoder.init) == (2048, "he-fan-out")
    assert recipe.finetune.head == [128]
    assert (recipe.pretrain.epochs, recipe.finetune.epochs) == (100, 20)
    assert (recipe.pretrain.geometric, recipe.pretrain.variance) == (25, 25)
    assert recipe.pretrain.covariance == 1
    assert not recipe.input.log
    assert (recipe.detect.scorer, recipe.detect.neighbors) == ("knn", 1)


@given(
    epochs=st.integers(0, 1000),
    alpha=st.floats(1e-300, 1e300),
    projector=st.lists(st.integers(1, 4000), min_size=1, max_size=4),
    lars=st.booleans(),
)
def test_any_recipe_survives_a_round_trip(
    epochs: int, alpha: float, projector: list[int], lars: bool
) -> None:
    pretrain = {"epochs": epochs, "alpha": alpha, "projector": projector}
    optimizer = {"optimizer": {"name": "lars", "trust": alpha}} if lars else {}
    recipe = parse_recipe({"pretrain": {**pretrain, **optimizer}}, "test")
    assert parse_recipe(yaml.safe_load(dump_recipe(recipe)), "test") == recipe


def test_an_empty_recipe_is_all_defaults(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert load_recipe(tmp_path / "empty.yaml") == Recipe()


def test_changes_win_over_the_file() -> None:
    recipe = load_recipe(
        "published",
        [
            "pretrain.epochs=5",
            "finetune.optimizer.lr=1e-2",
            "evaluate.baselines=[]",
            "detect.pool=max-distance",
            "pretrain.optimizer={name: adamw}",
        ],
    )
    assert recipe.pretrain.epochs == 5
    assert recipe.finetune.optimizer.lr == 0.01
    assert recipe.evaluate.baselines == []
    assert recipe.detect.pool == "max-distance"
    assert recipe.pretrain.optimizer == AdamWSettings()


def test_an_optimizer_without_a_name_is_adamw() -> None:
    assert load_recipe("demo", ["finetune.optimizer.lr=0.5"]).finetune.optimizer == AdamWSettings(
        lr=0.5
    )


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("epoch: 3", "unknown setting 'epoch'"),
        ("pretrain: {epoch: 3}", "unknown setting 'pretrain.epoch'"),
        ("pretrain: {optimizer: {momentum: 0.9}}", "unknown setting 'pretrain.optimizer.momentum'"),
        (
            "pretrain: {optimizer: {name: lars, trust: 0}}",
            "setting 'pretrain.optimizer.trust': Input should be greater than 0",
        ),
        ("pretrain: {optimizer: {name: sgd}}", "setting 'pretrain.optimizer': Input tag 'sgd'"),
        ("pretrain: {epochs: many}", "setting 'pretrain.epochs': Input should be a valid integer"),
        ("pretrain: {epochs: 2.5}", "setting 'pretrain.epochs': Input should be a valid integer"),
        ("pretrain: {epochs: -1}", "setting 'pretrain.epochs': Input should be greater than"),
        (
            "features: {win_length: 401}",
            "setting 'features.win_length': Input should be a multiple",
        ),
        ("pretrain: {batch_size: 3}", "setting 'pretrain.batch_size': Input should be greater"),
        ("pretrain: {warmup: 1}", "setting 'pretrain.warmup': Input should be less than 1"),
        ("pretrain: {projector: []}", "setting 'pretrain.projector': List should have at least 1"),
        (
            "pretrain: {projector: [8, 0]}",
            "setting 'pretrain.projector.1': Input should be greater",
        ),
        ("features: {f_max: .inf}", "setting 'features.f_max': Input should be a finite number or"),
        (
            "audio: {sample_rate: 0}",
            "setting 'audio.sample_rate': Input should be greater than 0 or 'auto'",
        ),
        ("features: {f_min: .nan}", "setting 'features.f_min': Input should be a finite number"),
        ("features: {mel_scale: bark}", "setting 'features.mel_scale': Input should be 'htk' or"),
        ("input: {log: perhaps}", "setting 'input.log': Input should be a valid boolean"),
        ("evaluate: {confidence: 95}", "setting 'evaluate.confidence': Input should be less than"),
        ("evaluate: {baselines: [pca]}", "setting 'evaluate.baselines': there is no view 'pca'"),
        (
            "detect: {scorer: krigin}",
            "setting 'detect.scorer': there is no scorer 'krigin' (did you mean 'kriging'?)",
        ),
        ("encoder: {name: 3}", "setting 'encoder.name': Input should be a valid string"),
        ("encoder: {name: beats}", "encoder 'beats' needs features.n_fft=512, features.win_length"),
        (
            "encoder: {name: temporal, init: he-fan-out}",
            "encoder.init: 'he-fan-out' is for the encoders mobilenetv2, light, resnet, not",
        ),
        ("evaluate: {baselines: [raw]}", "evaluate.baselines: 'raw' needs a raw view"),
        ("audio: 16000", "setting 'audio': Input should be a valid dictionary"),
        ("audio: {sample_rate: 2024-13-45}", "not valid YAML"),
        ("audio: [16000", "not valid YAML"),
        ("- audio", "a recipe must be a mapping of settings"),
        ("default", "a recipe must be a mapping of settings"),
    ],
)
def test_a_mistake_is_one_sentence_that_names_recipe_and_key(
    text: str, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as raised:
        load_recipe(path)
    assert str(raised.value).startswith(f"{path}: {sentence}")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("pretrain.epochs", "--set pretrain.epochs: write it as key=value"),
        ("=5", "--set =5: write it as key=value"),
        ("pretrain.epochs=[", "--set pretrain.epochs=[: the value is not valid YAML"),
        ("audio.sample_rate=2024-13-45", "--set audio.sample_rate=2024-13-45: the value is not"),
        ("pretrain.epochs.x=5", "--set pretrain.epochs.x=5: 'epochs' holds a value"),
        ("pretrain.epoch=5", "published: unknown setting 'pretrain.epoch'"),
        ("pretrain.epochs=", "published: setting 'pretrain.epochs': Input should be a valid"),
    ],
)
def test_a_mistaken_change_is_one_sentence(change: str, sentence: str) -> None:
    with pytest.raises(InputError) as raised:
        load_recipe("published", [change])
    assert str(raised.value).startswith(sentence)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00", "folder"])
def test_what_is_no_recipe_is_refused(content: bytes | str | None, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content:
        path.mkdir()
    with pytest.raises(
        InputError, match=r"mine\.yaml: cannot be read as a recipe; give a YAML file"
    ):
        load_recipe(path)
