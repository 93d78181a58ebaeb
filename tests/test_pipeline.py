"""A run: what it writes, what it repeats, what it refuses."""

from __future__ import annotations

import csv
import json
import os
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from safetensors.torch import save_file

from dgmix import pipeline
from dgmix.audio.cache import FeatureStore
from dgmix.config import Recipe, load_recipe
from dgmix.data import Clip, load_manifest
from dgmix.data.simulate import simulate
from dgmix.detect.bundle import load_detector
from dgmix.errors import DgmixError, InputError
from dgmix.evaluate import evaluate_scores
from dgmix.evaluate.scores import SCORE_COLUMNS, read_run
from dgmix.model.device import chosen_device
from dgmix.model.network import build_network
from dgmix.pipeline import run, summary
from dgmix.units import TOGETHER, Unit, complete_unit, plan
from dgmix.workers import WorkerPool

Run = Callable[..., Path]
SYSTEMS = ("dgmix", "untrained", "logmel-mean", "logmel-max")
UNIT_FILES = {
    "clips.csv",
    "log.jsonl",
    "last.ckpt",
    "detector.dgmix",
    "embeddings.npy",
    "scores.csv",
    "scores_untrained.csv",
    "scores_logmel-mean.csv",
    "scores_logmel-max.csv",
}
pytestmark = pytest.mark.usefixtures("in_process")


@pytest.fixture(scope="module")
def small(tiny: Recipe) -> Recipe:
    """The smallest recipe that trains: one epoch of pre-training, and no baselines."""
    changes = {
        "pretrain": tiny.pretrain.model_copy(update={"epochs": 1}),
        "finetune": tiny.finetune.model_copy(update={"epochs": 0}),
        "evaluate": tiny.evaluate.model_copy(update={"baselines": [], "bootstrap": 20}),
    }
    return tiny.model_copy(update=changes)


@pytest.fixture
def start(small: Recipe, shared_cache: Path, tmp_path: Path) -> Run:
    """Run the smallest recipe on data; `options` are those of `run`."""

    def start(
        data: Path, output: str | Path = "run", recipe: Recipe = small, **options: Any
    ) -> Path:
        return run(recipe, data, tmp_path / output, cache=shared_cache, device="cpu", **options)

    return start


def state(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return when each file of a folder changed, and what is in it."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file()
    }


def write_table(path: Path, clips: Sequence[Clip]) -> Path:
    columns = ("path", "machine", "section", "domain", "split", "label", "attributes", "repeat")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows([getattr(clip, column) for column in columns] for clip in clips)
    return path


def results(output: Path) -> pl.DataFrame:
    return pl.read_csv(output / "results.csv", schema_overrides={"section": pl.String})


# What a run writes


def test_a_run_writes_the_files_that_the_design_lists(finished: Path) -> None:
    top = {"recipe.yaml", "environment.json", "results.csv", "results.md", "report.html"}
    units = {
        f"{machine}/seed0/{name}"
        for machine in ("fan", "valve")
        for name in UNIT_FILES
        | {
            f"{kind}_{machine}_section_{section}_test.csv"
            for kind in ("anomaly_score", "decision_result")
            for section in ("00", "01")
        }
    }
    assert set(state(finished)) == top | units


def test_scores_have_the_columns_of_the_design_and_a_line_for_every_test_clip(
    finished: Path, simulated: Path
) -> None:
    clips = load_manifest(simulated).select(machine="fan", split="test")
    for system in ("", "_untrained", "_logmel-mean", "_logmel-max"):
        with (finished / f"fan/seed0/scores{system}.csv").open(newline="") as file:
            rows = list(csv.DictReader(file))
        assert tuple(rows[0]) == SCORE_COLUMNS
        columns = [tuple(row[column] for column in SCORE_COLUMNS[:-1]) for row in rows]
        assert columns == [
            (clips.shown_path(c), "fan", c.section, c.domain, "test", c.label) for c in clips
        ]
        assert all(np.isfinite(float(row["score"])) for row in rows)
    assert rows[0]["path"].startswith("fan/test/section_00_")


def test_submissions_say_the_same_as_the_scores(finished: Path) -> None:
    scores = read_run(finished).filter(system="dgmix", machine="fan", section="01")
    with (finished / "fan/seed0/anomaly_score_fan_section_01_test.csv").open() as file:
        submitted = {name: float(score) for name, score in csv.reader(file)}
    expected = zip(scores["path"].to_list(), scores["score"].to_list(), strict=True)
    assert submitted == {Path(path).name: score for path, score in expected}


def test_the_tables_have_every_system_machine_and_section(finished: Path) -> None:
    rows = results(finished)
    assert rows.height == len(SYSTEMS) * 2 * 2
    assert set(rows["system"]) == set(SYSTEMS)
    assert rows.select("auc_source", "auc_target", "pauc").null_count().sum_horizontal().item() == 0
    text = (finished / "results.md").read_text()
    for words in ("dgmix", "untrained encoder", "log-mel mean", "log-mel max", "Official metric"):
        assert words in text
    assert "Ω" in summary(finished)


def test_the_recipe_and_the_environment_are_kept(finished: Path, tiny: Recipe) -> None:
    assert load_recipe(finished / "recipe.yaml") == tiny
    environment = json.loads((finished / "environment.json").read_text())
    assert environment["packages"]["torch"]


def test_the_clips_of_a_unit_are_a_table_that_can_be_read(
    finished: Path, simulated: Path, tmp_path: Path
) -> None:
    (tmp_path / "fan").symlink_to(simulated / "fan")
    shutil.copy(finished / "fan/seed0/clips.csv", tmp_path)
    clips = list(load_manifest(simulated).select(machine="fan"))
    read = load_manifest(tmp_path / "clips.csv")
    assert [replace(c, path=simulated / c.path.relative_to(tmp_path)) for c in read] == clips


def test_the_detector_of_a_unit_scores_like_its_table(
    finished: Path, simulated: Path, tiny: Recipe, shared_cache: Path
) -> None:
    clips = load_manifest(simulated).select(machine="valve", split="test")
    bank = FeatureStore(shared_cache, tiny.audio, tiny.features).open([c.path for c in clips])
    detector = load_detector(finished / "valve/seed0/detector.dgmix")
    scores = pl.read_csv(finished / "valve/seed0/scores.csv")["score"].to_numpy()
    sections = [clip.section for clip in clips]
    judged = detector.judge(bank, sections, sections)
    assert np.array_equal([each.score for each in judged], scores)


# What a second call repeats


def test_a_second_call_repeats_nothing(
    finished: Path,
    simulated: Path,
    tiny: Recipe,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def unwanted(*args: Any, **options: Any) -> None:
        raise AssertionError("this was done before")

    before = state(finished)
    for name in ("complete", "judge", "claim"):
        monkeypatch.setattr(pipeline, name, unwanted)
    cache = tmp_path / "never made"
    assert run(tiny, simulated, finished, cache=cache, device="cpu") == finished
    assert state(finished) == before
    assert not cache.exists()


def test_a_detector_knows_its_seed(simulated: Path, start: Run) -> None:
    output = start(simulated, machines=["fan"], seeds=[0, 3])
    seeds = [load_detector(output / f"fan/seed{seed}/detector.dgmix").seed for seed in (0, 3)]
    assert seeds == [0, 3]


def test_seeds_can_be_added(simulated: Path, start: Run) -> None:
    both = start(simulated, "both", seeds=[0, 1], machines=["fan"])
    added = start(simulated, "added", machines=["fan"])
    first = state(added / "fan/seed0")
    assert set(results(added)["seed"]) == {0}
    start(simulated, "added", seeds=[0, 1], machines=["fan"])
    assert state(added / "fan/seed0") == first
    for name in ("results.csv", "results.md"):
        assert (added / name).read_bytes() == (both / name).read_bytes()
    assert (added / "fan/seed0/scores.csv").read_bytes() != (
        added / "fan/seed1/scores.csv"
    ).read_bytes()


def test_machines_can_be_added(simulated: Path, start: Run, tiny: Recipe, finished: Path) -> None:
    output = start(simulated, recipe=tiny, machines=["valve"])
    assert set(results(output)["machine"]) == {"valve"}
    start(simulated, recipe=tiny)
    assert (output / "results.csv").read_bytes() == (finished / "results.csv").read_bytes()


def test_what_was_stopped_before_the_tables_is_tabulated(
    simulated: Path, start: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*args: Any) -> None:
        raise KeyboardInterrupt

    output = start(simulated, machines=["fan"])
    with monkeypatch.context() as patch:
        patch.setattr(pipeline, "judge", stop)
        with pytest.raises(KeyboardInterrupt):
            start(simulated, machines=["fan"], seeds=[0, 1])
    start(simulated, machines=["fan"], seeds=[0, 1])
    assert set(results(output)["seed"]) == {0, 1}


# What a run refuses


def test_another_recipe_is_refused(finished: Path, simulated: Path, start: Run) -> None:
    before = state(finished)
    with pytest.raises(
        InputError, match=r"recipe\.yaml: this folder holds a run of another recipe"
    ):
        start(simulated, finished)
    assert state(finished) == before


def test_other_clips_are_refused(
    finished: Path, simulated: Path, tiny: Recipe, start: Run, tmp_path: Path
) -> None:
    before = state(finished)
    fewer = write_table(tmp_path / "fewer.csv", list(load_manifest(simulated))[1:])
    with pytest.raises(InputError, match=r"fan/seed0/clips\.csv: .* a run of other clips"):
        start(fewer, finished, recipe=tiny)
    assert state(finished) == before


def test_a_run_that_another_one_forestalled_is_refused(
    simulated: Path, start: Run, small: Recipe, tiny: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While the clips are decoded, a run of another recipe claims the folder."""
    decode, outputs = FeatureStore.add, []

    def meanwhile(store: FeatureStore, *arguments: Any) -> dict[str, str]:
        notes = decode(store, *arguments)
        if not outputs:
            outputs.append("the other one")
            outputs.append(start(simulated, recipe=small, machines=["fan"]))
        return notes

    monkeypatch.setattr(FeatureStore, "add", meanwhile)
    with pytest.raises(InputError, match=r"recipe\.yaml: .* another recipe"):
        start(simulated, recipe=tiny, machines=["valve"])
    assert set(results(outputs[1])["machine"]) == {"fan"}
    assert not (outputs[1] / "valve").exists()


def test_other_attributes_are_other_clips(simulated: Path, start: Run, tmp_path: Path) -> None:
    clips = load_manifest(simulated).select(machine="fan")
    output = start(write_table(tmp_path / "one.csv", clips))
    table = output / "fan/seed0/clips.csv"
    other = write_table(tmp_path / "two.csv", [replace(c, attributes="load 3") for c in clips])
    with pytest.raises(InputError, match="a run of other clips"):
        start(other, seeds=[0, 1])
    lines = table.read_text().splitlines()
    table.write_text("".join(f"{line.rpartition(',')[0]}\n" for line in lines))  # of an older dgmix
    start(tmp_path / "one.csv", seeds=[0, 1])


def test_a_recording_that_cannot_be_read_does_not_claim_the_folder(
    simulated: Path, start: Run, tmp_path: Path
) -> None:
    data = tmp_path / "set"
    shutil.copytree(simulated / "fan", data / "fan")
    broken = data / "fan/train/section_00_source_train_normal_9999.wav"
    broken.write_bytes(b"no sound")
    with pytest.raises(InputError, match=r"section_00_source_train_normal_9999\.wav: not a sound"):
        start(data)
    broken.unlink()
    assert (start(data) / "results.csv").exists()


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"split": "train"}, "no normal training clips of machine 'fan'"),
        ({"split": "test"}, "no test clips of machine 'fan' to score"),
    ],
)
def test_a_machine_needs_training_and_test_clips(
    change: dict[str, str], sentence: str, simulated: Path, start: Run, tmp_path: Path
) -> None:
    clips = load_manifest(simulated).select(machine="fan")
    left = [clip for clip in clips if clip.split != change["split"]]
    with pytest.raises(InputError, match=sentence):
        start(write_table(tmp_path / "table.csv", left))
    assert not (tmp_path / "run").exists()


def test_a_machine_that_is_not_there_is_refused(simulated: Path, start: Run) -> None:
    with pytest.raises(InputError, match="there is no machine 'pump'; choose from fan, valve"):
        start(simulated, machines=["fan", "pump"])


def test_a_section_to_score_needs_training_clips(
    simulated: Path, start: Run, small: Recipe, tmp_path: Path
) -> None:
    clips = load_manifest(simulated).select(machine="fan")
    left = [clip for clip in clips if (clip.split, clip.section) != ("train", "01")]
    table = write_table(tmp_path / "table.csv", left)
    sentence = r"section_01_.*\.wav: no normal training clips of section '01' of machine 'fan'"
    with pytest.raises(InputError, match=sentence):
        start(table)
    all_as_one = small.detect.model_copy(update={"per_section": False})
    output = start(table, recipe=small.model_copy(update={"detect": all_as_one}))
    assert set(results(output)["section"]) == {"00", "01"}


def test_a_device_that_is_not_there_is_refused() -> None:
    assert chosen_device("cpu") == "cpu"
    assert chosen_device(None) in ("cpu", "cuda")
    with pytest.raises(InputError, match="--device abacus: torch cannot use it here; try cpu"):
        chosen_device("abacus")


# Kinds of data


def test_repeats_are_averaged_with_their_standard_error(
    simulated: Path, start: Run, tmp_path: Path
) -> None:
    clips = list(load_manifest(simulated).select(machine="fan"))
    spare = {clips[0].path, clips[-1].path}
    rows = [
        *clips,
        *(replace(clip, repeat=1) for clip in clips if clip.path not in spare),
        *(replace(clip, repeat=2) for clip in clips[1:]),
    ]
    output = start(write_table(tmp_path / "repeats.csv", rows))
    folders = [f"fan/repeat{repeat}/seed0/scores.csv" for repeat in range(3)]
    assert all((output / folder).exists() for folder in folders)
    table = results(output)
    assert sorted(set(table["repeat"])) == [0, 1, 2]
    text = (output / "results.md").read_text()
    assert " ± " in text
    assert "standard error over 3 train/test splits" in text


def test_a_section_with_one_class_is_undefined_and_the_rest_stands(
    simulated: Path, start: Run, tmp_path: Path
) -> None:
    clips = load_manifest(simulated).select(machine="fan")
    left = [c for c in clips if (c.section, c.label) != ("01", "anomaly")]
    output = start(write_table(tmp_path / "table.csv", left))
    metrics = results(output).select("section", "auc_source", "auc_target", "pauc")
    defined = metrics.filter(section="00").drop("section").row(0)
    assert all(0 <= value <= 1 for value in defined)
    assert metrics.filter(section="01").drop("section").row(0) == (None, None, None)
    assert "undefined, and left out of the means, in fan 01" in (output / "results.md").read_text()


@pytest.fixture
def anonymous(simulated: Path, tmp_path: Path) -> Path:
    """The fan, its test clips of section 01 named as in an evaluation set; and their truth."""
    shutil.copytree(simulated / "fan", tmp_path / "data/fan")
    tables = {kind: [] for kind in ("data", "domain")}
    for number, path in enumerate(sorted((tmp_path / "data/fan/test").glob("section_01_*.wav"))):
        name = f"section_01_{number:04}.wav"
        tables["data"].append(f"{name},{int('anomaly' in path.name)}\n")
        tables["domain"].append(f"{name},{int('target' in path.name)}\n")
        path.rename(path.with_name(name))
    for kind, lines in tables.items():
        folder = tmp_path / "truth" / f"ground_truth_{kind}"
        folder.mkdir(parents=True)
        (folder / "ground_truth_fan_section_01_test.csv").write_text("".join(lines))
    return tmp_path


def test_anonymous_clips_are_scored_and_left_out_of_the_tables(
    anonymous: Path, start: Run, simulated: Path
) -> None:
    output = start(anonymous / "data")
    scores = pl.read_csv(output / "fan/seed0/scores.csv", schema_overrides={"section": pl.String})
    unknown = scores.filter(section="01")
    assert unknown.height == 12
    assert set(unknown["label"]) | set(unknown["domain"]) == {"unknown"}
    assert (output / "fan/seed0/anomaly_score_fan_section_01_test.csv").exists()
    text = (output / "results.md").read_text()
    assert "Test clips without domain or label, which are left out: 12." in text
    evaluation = evaluate_scores(output / "fan/seed0", ground_truth=anonymous / "truth")
    known = evaluate_scores(start(simulated, "named", machines=["fan"]) / "fan/seed0")
    assert evaluation.rows == known.rows
    assert evaluation.omega is not None


def test_a_set_of_nothing_but_anonymous_clips_is_scored(anonymous: Path, start: Run) -> None:
    for path in (anonymous / "data/fan/test").glob("section_00_*.wav"):
        path.unlink()
    output = start(anonymous / "data")
    assert (output / "fan/seed0/scores.csv").read_text().count("unknown") == 24
    assert "left out: 12" in (output / "results.md").read_text()


# Units that fail


class Broken(Executor):
    """Loses every worker."""

    def submit(self, *_: Any, **__: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_exception(BrokenProcessPool("a worker is gone"))
        return future


def planned(tmp_path: Path, small: Recipe, simulated: Path) -> list[Unit]:
    clips = load_manifest(simulated)
    return plan(small, clips, [0, 1], tmp_path, tmp_path / "cache", "cpu")


@pytest.mark.parametrize(
    ("error", "kind", "sentence"),
    [
        (InputError("clip.wav: broken"), InputError, "^clip.wav: broken$"),
        (DgmixError("disk full"), DgmixError, "^fan/seed1: disk full$"),
        (RuntimeError("two\n lines"), DgmixError, "^fan/seed1: two lines$"),
        (AssertionError(), DgmixError, "^fan/seed1: AssertionError$"),
    ],
)
def test_other_units_are_completed_before_an_error_is_raised(
    error: Exception,
    kind: type[DgmixError],
    sentence: str,
    small: Recipe,
    simulated: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    done = []

    def work(unit: Unit) -> None:
        if unit.label == "fan/seed1":
            raise error
        done.append(unit.label)

    with pytest.raises(DgmixError, match=sentence) as raised, pipeline.worker_pool(1) as pool:
        pipeline.complete(planned(tmp_path, small, simulated), pool, work)
    assert type(raised.value) is kind
    assert done == ["fan/seed0", "valve/seed0", "valve/seed1"]
    assert capsys.readouterr().err.count(": done (") == 3


def test_a_lost_worker_is_one_sentence(small: Recipe, simulated: Path, tmp_path: Path) -> None:
    with pytest.raises(DgmixError, match=r"^\w+/seed\d: a worker is gone$"):
        pipeline.complete(planned(tmp_path, small, simulated), Broken(), complete_unit)


class Aborting(WorkerPool):
    """Dies of an abort at one unit, as it does where a library crashes."""

    def submit(self, _work: Callable[..., Any], unit: Unit) -> Future[Any]:  # type: ignore[override]
        return super().submit(os.abort if unit.label == "valve/seed0" else time.gmtime)


def test_a_unit_whose_worker_dies_is_named_with_the_signal(
    small: Recipe, simulated: Path, tmp_path: Path
) -> None:
    units = planned(tmp_path, small, simulated)
    sentence = r"^valve/seed0: its worker process was ended by signal SIGABRT; start again"
    with pytest.raises(DgmixError, match=sentence), Aborting(2) as pool:
        pipeline.complete(units, pool, complete_unit)


def test_a_recipe_that_leaves_out_defaults_is_the_same_recipe(
    small: Recipe, simulated: Path, shared_cache: Path, tmp_path: Path, in_process: None
) -> None:
    options = {"machines": ["fan"], "cache": shared_cache, "device": "cpu"}
    run(small, simulated, tmp_path, **options)
    written = tmp_path / "recipe.yaml"
    lines = written.read_text().splitlines()
    written.write_text("\n".join(line for line in lines if not line.startswith("together:")))
    run(small, simulated, tmp_path, **options)
    with pytest.raises(InputError, match="another recipe"):
        run(small.model_copy(update={"recalibrate": False}), simulated, tmp_path, **options)


def test_other_weights_are_another_run(
    small: Recipe, simulated: Path, shared_cache: Path, tmp_path: Path, in_process: None
) -> None:
    weights = tmp_path / "start.safetensors"
    encoder = small.encoder.model_copy(update={"weights": str(weights)})
    recipe = small.model_copy(update={"encoder": encoder})
    options = {"machines": ["fan"], "cache": shared_cache, "device": "cpu"}
    for seed in (1, 2):
        state = build_network(small, seed).encoder.state_dict()
        save_file({name: value.contiguous() for name, value in state.items()}, weights)
        if seed == 1:
            run(recipe, simulated, tmp_path / "run", **options)
    with pytest.raises(InputError, match="other weights"):
        run(recipe, simulated, tmp_path / "run", seeds=[0, 1], **options)


# One network for all machine types


def test_together_one_network_learns_and_each_machine_has_its_memory(
    small: Recipe, simulated: Path, shared_cache: Path, tmp_path: Path, in_process: None
) -> None:
    encoder = small.encoder.model_copy(update={"ensemble": 2})
    recipe = small.model_copy(update={"together": True, "encoder": encoder})
    output = run(recipe, simulated, tmp_path, cache=shared_cache, device="cpu")
    detectors = [load_detector(path) for path in sorted(output.glob("*/seed0/detector.dgmix"))]
    one, two = (detector.network.state_dict() for detector in detectors)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert [len(detector.memory.clips) for detector in detectors] == [
        len(load_manifest(simulated).select(machine=machine, split="train"))
        for machine in ("fan", "valve")
    ]
    assert {path.name for path in (output / TOGETHER / "seed0").iterdir()} == {
        "clips.csv",
        "last.ckpt",
        "log.jsonl",
        "network2",
    }
    assert "together" in (output / "report.html").read_text("utf-8")
    with pytest.raises(InputError, match="other clips"):
        run(recipe, simulated, tmp_path, machines=["fan"], cache=shared_cache, device="cpu")


def test_together_without_a_learned_view_trains_nothing(
    small: Recipe, simulated: Path, start: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    detect = small.detect.model_copy(update={"views": ["logmel-max"]})
    recipe = small.model_copy(update={"together": True, "detect": detect})
    output = start(simulated, recipe=recipe)
    assert not list(output.rglob("last.ckpt"))
    assert not (output / TOGETHER).exists()
    assert "no view of this recipe is learned, so no network is trained" in capsys.readouterr().err
    assert set(results(output)["machine"]) == {"fan", "valve"}


def test_a_machine_of_the_name_of_what_all_share_is_refused(
    small: Recipe, simulated: Path, start: Run, tmp_path: Path
) -> None:
    clips = [
        replace(clip, machine={"fan": TOGETHER}.get(clip.machine, clip.machine))
        for clip in load_manifest(simulated)
    ]
    table = write_table(tmp_path / "table.csv", clips)
    assert set(results(start(table, "each"))["machine"]) == {TOGETHER, "valve"}
    with pytest.raises(InputError, match="a machine type is called 'together'"):
        start(table, "shared", recipe=small.model_copy(update={"together": True}))


# The demo


def test_the_demo_simulates_runs_and_can_be_called_again(
    tmp_path: Path, small: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline, "DEMO", {"sections": 1, "clips": 4})
    monkeypatch.setattr(pipeline, "load_recipe", lambda *_: small)
    one_machine = partial(simulate, machines=("fan",), seconds=1.0)
    monkeypatch.setattr("dgmix.data.simulate.simulate", one_machine)
    output = pipeline.demo(tmp_path, jobs=1)
    before = state(output)
    assert output == tmp_path / "run"
    assert {"results.csv", "report.html"} < before.keys()
    assert pipeline.demo(tmp_path, jobs=1) == output
    assert state(output) == before
