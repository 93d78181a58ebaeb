"""The quality benchmark: its tables on fixed scores, its markers, and that it repeats nothing."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dgmix.config import DetectSettings, Recipe, load_recipe
from dgmix.detect.views import LEARNED, RAW_VIEWS
from dgmix.errors import InputError
from dgmix.evaluate.intervals import resample
from dgmix.evaluate.scores import SCHEMA

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
quality = pytest.importorskip("quality")
systems = pytest.importorskip("quality_systems")
tables = pytest.importorskip("quality_tables")

COLUMNS = {
    name: SCHEMA[name]
    for name in ("system", "repeat", "seed", "machine", "section", "path", "split", "domain")
} | {"label": pl.String, "score": pl.Float64}
GROUPS = [(d, label) for d in ("source", "target") for label in ("normal", "anomaly")]


def scores(separation: dict[str, float], repeats: int = 1, seed: int = 0) -> pl.DataFrame:
    """Return the scores of systems whose anomalies lie so far above the normal clips."""
    rng = np.random.default_rng(seed)
    rows = []
    for repeat in range(repeats):
        for domain, label in GROUPS:
            for number in range(10):
                clip = f"{domain}_{label}_{number}.wav"
                place = ("fan", "00", clip, "test", domain, label)
                noise = rng.normal()
                for system, distance in separation.items():
                    rows.append(
                        (system, repeat, 0, *place, noise + distance * (label == "anomaly"))
                    )
    return pl.DataFrame(rows, schema=COLUMNS, orient="row").select(list(SCHEMA))


@pytest.fixture
def sets() -> dict[str, object]:
    sets_by_name = {
        "logmel-mean": 0.3,
        "logmel-max": 1.0,
        "autoencoder": 0.1,
        "learned": 0.5,
        "detector": 9.0,
    }
    judged = {
        name: tables.Judged(
            resample(scores(sets_by_name, repeats=3, seed=number)), {"learned": 12.34}, False
        )
        for number, name in enumerate(("valve", "lathe"))
    }
    more = resample(scores({**sets_by_name, "finetuned": 2.0}), bootstrap=20)
    return {**judged, "simulated": tables.Judged(more, {"learned": 60.0, "finetuned": 90.0})}


def cells(table: str) -> dict[str, list[str]]:
    lines = [line.strip("| ").split("|") for line in table.splitlines() if line.startswith("|")]
    return {name.strip(): [cell.strip() for cell in rest] for name, *rest in lines}


def test_the_table_holds_every_system_of_every_set(sets: dict[str, object]) -> None:
    rows = cells(tables.table(sets, "Ω", tables.measure_of(tables.METRICS)))
    assert rows["Ω"] == ["valve", "lathe", "simulated", tables.MEAN]
    names = ["log-mel mean", "log-mel max", "official autoencoder", "DG-Mix alone"]
    shown = [*names, "DG-Mix + published fine-tuning", "**detector**"]
    assert [name for name in rows if name not in ("Ω", "---", "-" * 30)] == shown
    assert rows["**detector**"] == ["100.00 ± 0.00"] * 2 + ["100.00 [100.00, 100.00]"] + [
        "100.00 ± 0.00"
    ]
    finetuned = rows["DG-Mix + published fine-tuning"]
    assert finetuned[:2] == ["one section"] * 2
    assert "[" in finetuned[2]
    assert finetuned[3] == tables.NOTHING


def test_the_mean_over_sets_has_their_joint_error(sets: dict[str, object]) -> None:
    omegas = [sets[name].metrics.estimate("learned") for name in ("valve", "lathe")]
    rows = cells(tables.table(sets, "Ω", tables.measure_of(tables.METRICS)))
    mean = 50 * (omegas[0].value + omegas[1].value)
    error = 50 * np.sqrt(omegas[0].error ** 2 + omegas[1].error ** 2)
    assert rows["DG-Mix alone"][3] == f"{mean:.2f} ± {error:.2f}"


def test_leads_are_over_the_best_raw_view_and_paired(sets: dict[str, object]) -> None:
    assert {judged.best_raw for judged in sets.values()} == {"logmel-max"}
    rows = cells(tables.table(sets, "lead", tables.lead))
    assert rows["log-mel max"][:3] == ["the best"] * 3
    difference = sets["valve"].metrics.difference("detector", "logmel-max")
    assert rows["**detector**"][0] == f"{100 * difference.value:.2f} ± {100 * difference.error:.2f}"
    assert difference.value > 0


def test_only_what_trains_has_seconds(sets: dict[str, object]) -> None:
    rows = cells(tables.seconds_table(sets))
    assert rows["DG-Mix alone"] == ["12.3", "12.3", "60"]
    assert rows["DG-Mix + published fine-tuning"] == ["–", "–", "90"]
    assert "log-mel mean" not in rows


def test_the_page_names_the_best_view_and_every_metric(sets: dict[str, object]) -> None:
    page = tables.page(sets)
    assert "log-mel max on valve" in page
    assert all(name in page for name in ("AUC source", "AUC target", "pAUC"))
    assert page.startswith(tables.readme_part(sets))


def test_tables_are_written_between_the_markers_only(tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("before\n<!-- quality -->\nold\n<!-- /quality -->\nafter\n")
    tables.write_between_markers(path, "new")
    tables.write_between_markers(path, "| new |")
    assert path.read_text() == "before\n<!-- quality -->\n| new |\n<!-- /quality -->\nafter\n"


@pytest.mark.parametrize("text", ["", "{S}", "{E} {S}", "{S} {E} {E}", "{S} {S} {E}"])
def test_a_file_without_its_markers_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "README.md"
    path.write_text(text.replace("{S}", "<!-- quality -->").replace("{E}", "<!-- /quality -->"))
    with pytest.raises(InputError, match=r"README\.md: needs one line"):
        tables.write_between_markers(path, "new")
    assert "new" not in path.read_text()


def test_the_page_of_results_has_the_markers(tmp_path: Path) -> None:
    results = Path(__file__).parents[2] / "benchmarks" / "results"
    readme = (results / "README.md").read_text("utf-8")
    copy = tmp_path / "README.md"
    copy.write_text(readme, "utf-8")
    tables.write_between_markers(copy, "new")
    assert copy.read_text("utf-8") != readme


def test_the_page_of_planted_faults_has_the_markers(tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "benchmarks" / "results" / "choose.md"
    copy = tmp_path / "choose.md"
    copy.write_text(page.read_text("utf-8"), "utf-8")
    for name in ("promises", "kinds", "strengths", "regret"):
        tables.write_between_markers(copy, f"new {name}", name)
        assert f"new {name}" in copy.read_text("utf-8")


def test_a_detector_of_several_views_is_shown_with_and_without_dgmix() -> None:
    recipes = systems.recipes_of("published", [f"detect.views=[{LEARNED}, logmel-max]"])
    runs = {"detector", "finetuned", *systems.WHOLE_CLIPS, *systems.AUTOENCODERS}
    assert set(recipes) == runs
    assert recipes["detector"].evaluate.baselines == [*RAW_VIEWS, "learned", "untrained", "raw"]


def test_dgmix_alone_is_run_where_the_detector_is_raw() -> None:
    changes = ["detect.views=[logmel-mean, logmel-max]", "pretrain.epochs=3"]
    recipes = systems.recipes_of("default", changes)
    whole = [recipes.pop(name) for name in ("whole-clips", "attributes")]
    official = [recipes.pop(name).encoder.name for name in systems.AUTOENCODERS]
    assert official == ["autoencoder"] * 2
    assert [recipe.detect.views for recipe in whole] == [[LEARNED]] * 2
    assert [recipe.encoder.name for recipe in whole] == ["resnet"] * 2
    assert set(recipes) == {"detector", "learned", "finetuned"}
    assert recipes["detector"].evaluate.baselines == list(RAW_VIEWS)
    assert recipes["learned"].evaluate.baselines == ["untrained"]
    assert {recipe.pretrain.epochs for recipe in recipes.values()} == {3}
    assert recipes["finetuned"].finetune == load_recipe("published-small").finetune
    assert recipes["finetuned"].detect.views == [LEARNED]


def test_a_data_set_is_given_by_name_data_and_seeds(tmp_path: Path) -> None:
    plain = quality.data_set("lathe=a/b.csv", tmp_path, tmp_path)
    assert (plain.data, plain.seeds) == (Path("a/b.csv"), (0,))
    seeded = quality.data_set("my set=x@y/sim@0,12", tmp_path, tmp_path)
    assert (seeded.data, seeded.seeds) == (Path("x@y/sim"), (0, 12))
    assert seeded.folder == tmp_path / "my_set"


@pytest.mark.parametrize("text", ["lathe", "=a", "lathe="])
def test_a_data_set_without_name_or_data_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InputError, match="NAME=DATA"):
        quality.data_set(text, tmp_path, tmp_path)


def test_a_second_call_repeats_nothing(
    simulated: Path,
    shared_cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    in_process: None,
) -> None:
    monkeypatch.setattr(quality, "resample", partial(resample, bootstrap=5))
    quick = ["finetune.epochs=1", "finetune.crops_per_clip=4"]
    monkeypatch.setitem(systems.AUTOENCODERS, "autoencoder", quick)
    arguments = ["quality.py", f"sim={simulated}@3,4", "-o", str(tmp_path), "--part", "autoencoder"]
    arguments += ["--cache", str(shared_cache), "--jobs", "1"]
    monkeypatch.setattr(sys, "argv", arguments)
    quality.main()
    first = capsys.readouterr()
    assert "sim, autoencoder: 2 trainings" in first.err
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("scores*.csv")}
    assert {path.parent.name for path in files} == {"seed3"}
    quality.main()
    second = capsys.readouterr()
    assert "trainings" not in second.err
    assert files == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("scores*.csv")}
    assert first.out == second.out
    assert "official autoencoder" in first.out
    monkeypatch.setattr(sys, "argv", [*arguments, "--part", "detector", "--tables-only"])
    quality.main()
    assert capsys.readouterr().out == first.out
    assert (tmp_path / "quality.md").read_text().startswith(first.out.strip())


def test_a_network_of_all_machines_counts_once(
    tiny: Recipe, simulated: Path, tmp_path: Path
) -> None:
    recipe = tiny.model_copy(update={"together": True})
    dataset = systems.DataSet("sim", simulated, (0, 1), tmp_path, tmp_path)
    units = dataset.units("attributes", recipe)
    assert len(units) == 4
    taught = systems.trainings("attributes", units)
    assert len(systems.trainings("mobilenetv2", units)) == 4
    assert [unit.folder.name for unit in taught] == ["seed0", "seed1"]
    for unit, logs in zip(taught, [["", "network2"], [""]], strict=True):
        for name in logs:
            (unit.folder / name).mkdir(parents=True, exist_ok=True)
            (unit.folder / name / "log.jsonl").write_text('{"stage": "finetune", "seconds": 2}\n')
    assert systems.training_seconds("attributes", dataset, recipe) == 3  # 2 · 2 and 2


def test_how_long_a_recipe_takes_is_measured(
    tiny: Recipe, simulated: Path, shared_cache: Path, tmp_path: Path
) -> None:
    dataset = systems.DataSet("sim", simulated, (0, 1), tmp_path, shared_cache)
    systems.decode("finetuned", dataset, tiny, 1)
    count, seconds = systems.seconds_left("finetuned", dataset, tiny)
    assert count == 4
    assert seconds > 0
    raw = tiny.model_copy(update={"detect": DetectSettings(views=["logmel-mean"])})
    assert systems.seconds_left("detector", dataset, raw) == (4, 0.0)
    stages = {name: getattr(tiny, name).model_copy(update={"epochs": 0}) for name in systems.STAGES}
    frozen = tiny.model_copy(update=stages)
    assert systems.seconds_left("finetuned", dataset, frozen) == (4, 0.0)
    for unit in dataset.units("finetuned", tiny):
        unit.folder.mkdir(parents=True)
        (unit.folder / "scores.csv").touch()
    assert systems.seconds_left("finetuned", dataset, tiny) == (0, 0.0)
