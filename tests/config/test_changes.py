"""Changes of a recipe: they win, take with them what they leave no meaning, and name typos."""

from __future__ import annotations

import pytest

from dgmix.config import AdamWSettings, LarsSettings, Recipe, load_recipe
from dgmix.config.changes import changed, setting_names
from dgmix.errors import InputError
from dgmix.watch.settings import WatchSettings, parse_settings

DEFAULTS = Recipe().model_dump(mode="json")


def test_changes_win_and_leave_the_recipe_as_it_was() -> None:
    values = {"pretrain": {"epochs": 3, "warmup": 0.5}}
    after = changed(values, ["pretrain.epochs=5", "detect.views=[dgmix, cepstrum]"], DEFAULTS)
    assert after == {
        "pretrain": {"epochs": 5, "warmup": 0.5},
        "detect": {"views": ["dgmix", "cepstrum"]},
    }
    assert values == {"pretrain": {"epochs": 3, "warmup": 0.5}}


@pytest.mark.parametrize("stage", ["pretrain", "finetune"])
@pytest.mark.parametrize("name", ["published", "default"])
def test_another_optimizer_takes_the_settings_of_the_first_with_it(name: str, stage: str) -> None:
    before = getattr(load_recipe(name), stage).optimizer
    for kind in (AdamWSettings, LarsSettings):
        choice = f"{stage}.optimizer.name={kind().name}"
        after = getattr(load_recipe(name, [choice]), stage).optimizer
        assert after == (before if isinstance(before, kind) else kind())
        lr = f"{stage}.optimizer.lr=0.5"
        for order in ([lr, choice], [choice, lr]):
            assert getattr(load_recipe(name, order), stage).optimizer.lr == 0.5


def test_another_encoder_takes_its_first_weights_with_it() -> None:
    assert load_recipe("published", ["encoder.name=temporal"]).encoder.init == "torch"
    assert load_recipe("published", ["encoder.name=mobilenetv2"]).encoder.init == "he-fan-out"
    both = load_recipe("published", ["encoder.init=he-fan-out", "encoder.name=resnet"])
    assert both.encoder.init == "he-fan-out"
    with pytest.raises(InputError, match=r"encoder.init: 'he-fan-out' is for the encoders"):
        load_recipe("default", ["encoder.init=he-fan-out", "encoder.name=temporal"])


def test_other_views_take_the_rows_of_parts_that_are_gone_with_them() -> None:
    assert load_recipe("learned").evaluate.baselines == ["learned", "raw", "untrained"]
    raw = load_recipe("learned", ["detect.views=[logmel-max]"])
    assert raw.evaluate.baselines == ["raw", "untrained"]
    learned = load_recipe("learned", ["detect.views=[dgmix]"])
    assert learned.evaluate.baselines == ["learned", "untrained"]
    with pytest.raises(InputError, match="'raw' needs a raw view"):
        load_recipe("learned", ["detect.views=[dgmix]", "evaluate.baselines=[raw]"])


@pytest.mark.parametrize("text", ["pretrain.epochs", "=3", "a..b=3", "pretrain.=3"])
def test_what_is_no_change_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="write it as key=value"):
        changed({}, [text], DEFAULTS)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("pretrain.epoch=3", r"'pretrain.epoch' \(did you mean 'pretrain.epochs'\?\); see"),
        ("epochs=3", r"\(did you mean '(pretrain|finetune).epochs'\?\)"),
        ("fintune.epochs=3", r"\(did you mean 'finetune'\?\)"),
        ("pretrain.optimizer.momentun=0", r"\(did you mean 'pretrain.optimizer.momentum'\?\)"),
        ("pretrain.optimizer.name=admw", r"\(did you mean 'adamw'\?\)"),
        ("detect.scorer=knnn", r"'knnn' \(did you mean 'knn'\?\)"),
        ("detect.views=[logmel-mox]", r"\(did you mean 'logmel-max'\?\)"),
        ("detect.xyzzy=3", "unknown setting 'detect.xyzzy'; see"),
    ],
)
def test_a_typo_of_a_setting_or_value_suggests_the_right_one(change: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        load_recipe("published", [change])


def test_a_typo_of_a_recipe_suggests_the_right_one() -> None:
    with pytest.raises(
        InputError, match=r"publishd: cannot be read as a recipe \(did you mean 'published'\?\)"
    ):
        load_recipe("publishd")


def test_a_typo_in_watch_settings_suggests_the_right_one() -> None:
    machine = {"name": "pump", "detector": "pump.dgmix", "source": {"type": "stdin"}}
    with pytest.raises(InputError, match=r"pag: unknown setting \(did you mean 'page'\?\)"):
        parse_settings({"machines": [machine], "pag": {"port": 1}}, "watch.yaml")
    with pytest.raises(InputError, match=r"rule.window: unknown .*mean 'machines.rule.windows'"):
        parse_settings({"machines": [{**machine, "rule": {"window": 3}}]}, "watch.yaml")
    assert "machines.source.device" in set(setting_names(WatchSettings))
