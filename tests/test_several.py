"""One command on several data sets: a run of each, and one table over all."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from scipy.stats import hmean

from dgmix.config import Recipe, load_recipe
from dgmix.data.simulate import simulate
from dgmix.errors import InputError
from dgmix.evaluate import evaluate_scores
from dgmix.several import run_several

pytestmark = pytest.mark.usefixtures("in_process")
SMALL = {"clips": 4, "test_clips": 3, "seconds": 1.0}


@pytest.fixture(scope="module")
def quick() -> Recipe:
    return load_recipe("default", ["evaluate.bootstrap=0", "evaluate.baselines=[logmel-max]"])


@pytest.fixture(scope="module")
def years(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Sets like 2020 and 2023, one machine of either half."""
    folder = tmp_path_factory.mktemp("years")
    sets = [folder / "dcase2020", folder / "dcase2023"]
    simulate(sets[0], like="dcase2020", machines=["fan"], **SMALL)
    simulate(sets[1], like="dcase2023", machines=["fan", "bandsaw"], **SMALL)
    return sets


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")[1:-1]]


def state(folder: Path) -> dict[Path, int]:
    return {p: p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def test_a_run_of_each_and_one_table(
    years: list[Path], quick: Recipe, shared_cache: Path, tmp_path: Path
) -> None:
    options = {"cache": shared_cache, "device": "cpu"}
    output = run_several(quick, years, tmp_path / "run", **options)
    lines = (output / "years.md").read_text("utf-8").splitlines()
    header, _, dgmix, baseline = map(cells, (line for line in lines if line.startswith("|")))
    places = ["dcase2020 dev", "dcase2020 eval", "dcase2023 dev", "dcase2023 eval"]
    assert header == ["Ω", *places, "harmonic mean"]
    assert [dgmix[0], baseline[0]] == ["dgmix", "log-mel max"]
    blocks = [evaluate_scores(output / year.name, bootstrap=0).blocks for year in years]
    wanted = [100 * value for each in blocks for value in each.values()]
    assert [float(cell) for cell in dgmix[1:5]] == pytest.approx(wanted, abs=5e-3)
    assert float(dgmix[5]) == pytest.approx(hmean(wanted), abs=1e-2)
    assert all((output / year.name / "report.html").is_file() for year in years)

    runs = {path: time for path, time in state(output).items() if path.name != "years.md"}
    run_several(quick, years, output, **options)
    again = state(output)
    assert {path: again[path] for path in runs} == runs


def test_names_have_to_differ(years: list[Path], quick: Recipe, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="dcase2020: 2 data sets have this name"):
        run_several(quick, [years[0], years[0]], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_machines_are_in_every_set_or_nothing_is_done(
    years: list[Path], quick: Recipe, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="there is no machine 'bandsaw'"):
        run_several(quick, years[::-1], tmp_path / "run", machines=["bandsaw"])
    assert not (tmp_path / "run").exists()


def test_a_run_of_one_data_set_is_left_alone(
    years: list[Path], quick: Recipe, tmp_path: Path
) -> None:
    (tmp_path / "recipe.yaml").write_text("")
    with pytest.raises(InputError, match=re.escape(f"{tmp_path}: holds the run of one data set")):
        run_several(quick, years, tmp_path)
