"""What `--dry-run` says before a run, beside what the run then did; and how it says it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dgmix import estimate_run
from dgmix.config import Recipe
from dgmix.data import load_manifest
from dgmix.estimate import RunEstimate, _shared_out
from dgmix.estimate.counting import stages
from dgmix.estimate.trial import _line
from dgmix.pipeline import run

pytestmark = pytest.mark.usefixtures("in_process")


def of(recipe: Recipe, **changes: Any) -> Recipe:
    return recipe.model_copy(update=changes)


def test_it_counts_what_the_run_then_does(simulated: Path, tiny: Recipe, tmp_path: Path) -> None:
    recipe = of(
        tiny, encoder=of(tiny.encoder, ensemble=2), evaluate=of(tiny.evaluate, baselines=[])
    )
    options: dict[str, Any] = {"machines": ["fan"], "cache": tmp_path / "cache", "device": "cpu"}
    output = tmp_path / "run"
    estimate = estimate_run(recipe, simulated, output, **options)
    assert not output.exists()
    assert not (tmp_path / "cache").exists()
    run(recipe, simulated, output, **options)

    last: Counter[str] = Counter()
    logs = sorted(output.rglob("log.jsonl"))
    for log in logs:
        lines = map(json.loads, log.read_text().splitlines())
        last.update({line["stage"]: line["steps"] for line in lines})
    assert estimate.steps == dict(last)
    assert (estimate.units, estimate.done, estimate.trainings, len(logs)) == (1, 0, 2, 2)
    indices = (tmp_path / "cache").rglob("*.jsonl")
    assert estimate.recordings == sum(len(path.read_text().splitlines()) for path in indices)
    kept = sum(path.stat().st_size for path in (tmp_path / "cache").rglob("*.f16"))
    assert estimate.feature_bytes == pytest.approx(kept, rel=0.05)
    written = sum(path.stat().st_size for path in output.rglob("fan/**/*") if path.is_file())
    assert estimate.run_bytes == pytest.approx(written, rel=0.15)
    assert all(seconds >= 0 for seconds in estimate.seconds.values())
    assert estimate.wall_seconds > 0

    again = estimate_run(recipe, simulated, output, **options)
    assert (again.units, again.done, again.recordings, again.minutes) == (1, 1, 0, 0)
    assert again.steps == {}


@pytest.fixture
def without_overhead(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out starting a process and making tables, of which one test is enough."""
    monkeypatch.setattr("dgmix.estimate.trial.starting", lambda _networks: 1.0)
    monkeypatch.setattr("dgmix.estimate.trial.tabulating", lambda _units, _judge: 1.0)


@pytest.mark.usefixtures("without_overhead")
def test_a_teacher_is_trained_once(simulated: Path, tiny: Recipe, tmp_path: Path) -> None:
    baselines = of(tiny.evaluate, baselines=["untrained"])
    recipe = of(tiny, together=True, evaluate=baselines, pretrain=of(tiny.pretrain, min_steps=9))
    estimate = estimate_run(recipe, simulated, tmp_path, cache=tmp_path, seeds=[0, 1], device="cpu")
    assert (estimate.units, estimate.trainings) == (4, 2)
    assert estimate.steps["pretrain"] == 18
    assert "finetune" in estimate.steps


def test_one_class_is_not_told_apart(simulated: Path, tiny: Recipe) -> None:
    clips = load_manifest(simulated).select(machine="fan", split="train")
    assert [name for name, _ in stages(tiny, clips)] == ["pretrain", "finetune"]
    one = clips.select(section="00")
    assert [name for name, _ in stages(tiny, one)] == ["pretrain"]
    left_out = of(tiny, pretrain=of(tiny.pretrain, epochs=0))
    assert list(stages(left_out, one)) == []


@pytest.mark.usefixtures("without_overhead")
def test_the_command_prints_it_for_each_data_set(
    simulated: Path, tmp_path: Path, dgmix: Callable[..., tuple[int, str, str]]
) -> None:
    other = tmp_path / "other"
    other.symlink_to(simulated)
    sets = "--set", "evaluate.baselines=[]", "--cache", tmp_path / "cache", "-d", simulated
    options = "-o", tmp_path / "run", "--dry-run", "--machine", "fan", *sets, "-d", other
    status, out, _ = dgmix("run", "default", *options)
    assert status == 0
    printed = out.splitlines()
    assert printed[0] == simulated.name
    assert printed[6] == "other"
    assert printed[1] == "units:       1, of which 0 are done"
    assert printed[2] == "trainings:   0"
    assert printed[4].startswith("disk: ")
    assert printed[5].startswith("about ")
    assert not (tmp_path / "run").exists()


def test_a_cluster_is_not_measured(
    simulated: Path, tmp_path: Path, dgmix: Callable[..., tuple[int, str, str]]
) -> None:
    options = "-d", simulated, "-o", tmp_path / "run", "--dry-run", "--ray", "auto"
    status, _, err = dgmix("run", "default", *options)
    assert status == 2
    assert "--dry-run measures this machine" in err


def test_works_are_shared_out_as_they_come() -> None:
    assert _shared_out([3, 1, 1, 2], 2) == 4
    assert _shared_out([], 2) == 0


def test_costs_are_split_between_clips_and_units() -> None:
    assert _line([4, 18], [5.0, 12.0]) == (0.5, 3.0)
    assert _line([4, 18], [9.0, 1.8]) == (0.0, 1.8)
    assert _line([4, 18], [0.0, 18.0]) == (1.0, 0.0)
    assert _line([4, 4], [1.0, 2.0]) == (0.5, 0.0)


def test_a_large_set_is_told_in_hours() -> None:
    seconds = {"training": 6000.0}
    text = RunEstimate(
        7, 1, 6, {"pretrain": 9}, 80, 2, seconds, 7200, 10**6, 3 * 10**9, 9**12
    ).text()
    assert "about 2.0 h with 2 at a time on this machine (of one core: training 1.7 h)" in text
    assert "6, 9 steps of pretrain" in text
    assert "1.0 MB of features, 3.0 GB in the run's folder; 282.4 GB are free" in text
