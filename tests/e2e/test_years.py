"""The way of a user through each year of DCASE: a set of its form, a run, its official score."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from dgmix.config import Recipe, load_recipe
from dgmix.data import load_manifest
from dgmix.data.simulate import simulate
from dgmix.data.years import YEARS
from dgmix.evaluate import evaluate_scores
from dgmix.evaluate.comparison import compare_scores
from dgmix.pipeline import run

pytestmark = pytest.mark.usefixtures("in_process")
OFFICIAL = {2020: "DCASE 2020", 2021: "DCASE 2021"}


@pytest.fixture(scope="module")
def quick() -> Recipe:
    """The default recipe, with few resamples and one baseline."""
    return load_recipe("default", ["evaluate.bootstrap=10", "evaluate.baselines=[logmel-max]"])


@pytest.mark.parametrize("number", YEARS)
def test_simulate_run_evaluate(
    number: int, quick: Recipe, shared_cache: Path, tmp_path: Path
) -> None:
    year = YEARS[number]
    machines = list(dict.fromkeys([next(iter(year.dev)), next(iter(year.eval))]))
    sections = {m: {*year.dev.get(m, ()), *year.eval.get(m, ())} for m in machines}
    data = tmp_path / "data"
    simulate(data, like=year.dataset, machines=machines, clips=3, test_clips=1, seconds=1.0)
    test = load_manifest(data).select(split="test")
    assert {m: set(test.select(machine=m).values("section")) for m in machines} == sections

    output = run(quick, data, tmp_path / "run", cache=shared_cache, device="cpu")
    evaluation = evaluate_scores(output, bootstrap=0)
    assert evaluation.year == number
    assert evaluation.omega is not None
    assert set(evaluation.blocks) == {"dev", "eval"}
    assert len(evaluation.rows) == sum(map(len, sections.values()))
    results = (output / "results.md").read_text("utf-8")
    assert OFFICIAL.get(number, "DCASE 2022–2026") in results
    assert ("First-shot rule kept: one recipe for all machines." in results) == year.first_shot
    assert "report.html" in {path.name for path in output.iterdir()}
    assert compare_scores([output], bootstrap=0).systems == ["dgmix", "log-mel max"]

    written: Counter[str] = Counter()
    for path in output.rglob("*_fan_*.csv"):
        with path.open(newline="") as file:
            written[path.name.partition("_fan")[0]] += len(list(csv.reader(file)))
    fan = len(test.select(machine="fan"))
    assert written == ({"anomaly_score": fan, "decision_result": fan} if fan else {})
    by_domain = list(output.rglob("anomaly_score_fan_section_*_source_test.csv"))
    assert bool(by_domain) == (number == 2021)
