import json

import pytest

from dgmix.config import RECIPES, dump_recipe, load_recipe
from dgmix.errors import InputError
from dgmix.evaluate.report import about
from dgmix.evaluate.scores import read_run


def test_facts_count_what_was_run(make_run):
    run = make_run(seeds=(0, 1, 2))
    assert about.facts(read_run(run), about.read_settings(run), {}) == [
        "2 machines",
        "4 sections",
        "160 test clips",
        "3 seeds",
        "4 systems",
        "recipe “demo”",
    ]


def test_data_table_counts_the_clips_of_one_split(make_run):
    run = make_run(machines=["fan"], repeats=[0, 1], clips=7)
    table = about.data_table(read_run(run), about.training_clips(run))
    assert [column.name for column in table.columns][-2:] == [
        "Training, source",
        "Training, target",
    ]
    assert list(table.blocks[0].rows[0].cells) == ["fan", "2", "14", "14", "14", "14", "18", "2"]


def test_data_table_without_training_clips(make_run):
    run = make_run(machines=["fan"], sections=["00"], clips=3)
    for path in run.rglob("clips.csv"):
        path.unlink()
    table = about.data_table(read_run(run), about.training_clips(run))
    assert list(table.blocks[0].rows[0].cells) == ["fan", "1", "3", "3", "3", "3"]


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_that_ship_are_recognised(tmp_path, name):
    (tmp_path / "recipe.yaml").write_text(dump_recipe(load_recipe(name)), "utf-8")
    table, shown = about.settings_table(about.read_settings(tmp_path), {})
    assert shown == f"recipe “{name}”"
    changed = {row.cells[0] for row in table.blocks[0].rows if row.kind == "changed"}
    assert bool(changed) == (name != "default")


def test_settings_that_differ_from_the_default_are_marked(tmp_path):
    recipe = load_recipe("default", ["detect.neighbors=7", "input.log=false"])
    (tmp_path / "recipe.yaml").write_text(dump_recipe(recipe), "utf-8")
    table, shown = about.settings_table(about.read_settings(tmp_path), {})
    changed = {r.cells[0]: r.cells[1:] for r in table.blocks[0].rows if r.kind == "changed"}
    assert changed == {"detect.neighbors": ["7", "1"], "input.log": ["no", "yes"]}
    assert shown == "recipe “default”, 2 settings changed"


def test_a_changed_recipe_keeps_the_name_of_its_base(tmp_path):
    recipe = load_recipe("published", ["pretrain.epochs=5"])
    (tmp_path / "recipe.yaml").write_text(dump_recipe(recipe), "utf-8")
    settings = about.read_settings(tmp_path)
    for recorded, name in (
        ({}, "recipe “published”, 1 setting changed"),
        ({"recipe": {"base": "my/mine.yaml", "changes": []}}, "recipe “mine”"),
        ({"recipe": "damaged"}, "recipe “published”, 1 setting changed"),
    ):
        assert about.settings_table(settings, recorded)[1] == name
    table = about.environment_table({"data": "/home/someone/pumps", "recipe": {"base": "x"}})
    assert [row.cells for row in table.blocks[0].rows] == [["data", "pumps"]]


def test_evaluation_settings_are_those_of_the_run(tmp_path):
    assert about.evaluation({"evaluate": {"bootstrap": 7, "of a later version": 1}}).bootstrap == 7
    assert about.evaluation({}).bootstrap == 1000


@pytest.mark.parametrize("name", RECIPES)
def test_evaluation_settings_of_recipes_that_ship(name):
    settings = load_recipe(name, ["evaluate.bootstrap=7"]).model_dump(mode="json")
    assert about.evaluation(settings).bootstrap == 7


@pytest.mark.parametrize("settings", ["text", {"bootstrap": -1}, {"confidence": 2}])
def test_evaluation_settings_that_make_no_sense(settings):
    with pytest.raises(InputError, match=r"recipe\.yaml"):
        about.evaluation({"evaluate": settings})


def test_environment_is_shown_flat():
    environment = {"python": "3.12", "packages": {"torch": "2.10"}, "gpu": None, "cores": 4}
    rows = about.environment_table(environment).blocks[0].rows
    assert {row.cells[0]: row.cells[1] for row in rows} == {
        "python": "3.12",
        "packages.torch": "2.10",
        "gpu": "–",
        "cores": "4",
    }


def test_files_that_are_missing_say_nothing(tmp_path):
    assert about.settings_table(about.read_settings(tmp_path), {}) is None
    assert about.environment_table(about.read_environment(tmp_path)) is None
    assert about.training_clips(tmp_path) == {}


@pytest.mark.parametrize("text", ["{", "[1]", "\x00\xff", json.dumps("text")])
def test_damaged_files_are_named(tmp_path, text):
    for name, read in (
        ("recipe.yaml", about.read_settings),
        ("environment.json", about.read_environment),
    ):
        (tmp_path / name).write_text(text, "latin-1")
        with pytest.raises(InputError, match=name):
            read(tmp_path)
