"""The choice of the default's views: exact scores, planted faults, and that what is left out is."""

from __future__ import annotations

import csv
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from dgmix.audio.io import write_wav

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
candidate_views = pytest.importorskip("candidate_views")
exact_scores = pytest.importorskip("exact_scores")
planted_faults = pytest.importorskip("planted_faults")
choose_sets = pytest.importorskip("choose_sets")
choose_search = pytest.importorskip("choose_search")
choose_default = pytest.importorskip("choose_default")

RIDGE, BETWEEN, NEAREST = (
    exact_scores.Kernel(2, 0.5),
    exact_scores.Kernel(1.5),
    exact_scores.Kernel(0),
)
FUSION = exact_scores.Fusion(4, above=1)
KERNELS = pytest.mark.parametrize("kernel", [RIDGE, BETWEEN, NEAREST], ids=["2", "1.5", "nearest"])


def points(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 4))


def variance(others: np.ndarray, point: np.ndarray, kernel: Any) -> float:
    """Return the kriging variance of a point by solving for its weights."""
    away = np.linalg.norm(others[:, None] - others, axis=-1) ** kernel.power
    to_point = np.linalg.norm(others - point, axis=-1) ** kernel.power
    system = np.ones((len(others) + 1, len(others) + 1))
    system[:-1, :-1] = kernel.nugget * np.eye(len(others)) - away
    system[-1, -1] = 0
    weights = np.linalg.solve(system, np.append(-to_point, 1))
    return float(kernel.nugget - np.append(-to_point, 1) @ weights)


@pytest.mark.parametrize("kernel", [RIDGE, BETWEEN], ids=["2", "1.5"])
def test_kriging_leaves_each_of_the_clips_out(kernel: Any) -> None:
    healthy, queries = points(7), 2 * points(3, seed=1)
    scores = exact_scores.logarithms(healthy, queries, kernel)
    for column, query in enumerate(queries):
        everyone = np.vstack([healthy, query])
        expected = [variance(np.delete(everyone, i, 0), everyone[i], kernel) for i in range(8)]
        np.testing.assert_allclose(scores[:, column], np.log(expected) / kernel.power, atol=1e-5)


@pytest.mark.parametrize("kernel", [RIDGE, BETWEEN], ids=["2", "1.5"])
def test_the_nearest_are_left_out_too(kernel: Any) -> None:
    healthy, queries = points(7), 2 * points(3, seed=1)
    scores = exact_scores.apart(healthy, queries, kernel._replace(neighbours=3))
    for column, query in enumerate(queries):
        everyone = np.vstack([healthy, query])
        for clip, point in enumerate(everyone):
            order = np.argsort(
                np.linalg.norm(everyone - point, axis=1) + 9 * (everyone == point)[:, 0]
            )
            left = everyone[np.setdiff1d(order[3:], [clip])]
            expected = np.log(variance(left, point, kernel)) / kernel.power
            assert scores[clip, column] == pytest.approx(expected, abs=1e-5)


def test_of_power_two_it_is_a_mahalanobis_distance() -> None:
    healthy, query = points(9), points(1, seed=1)
    scores = exact_scores.logarithms(healthy, query, RIDGE)[-1, 0]
    centred, away = healthy - healthy.mean(0), query[0] - healthy.mean(0)
    scatter = centred.T @ centred + RIDGE.nugget / 2 * np.eye(4)
    expected = RIDGE.nugget * (1 + 1 / 9 + away @ np.linalg.solve(scatter, away))
    assert scores == pytest.approx(np.log(expected) / 2, rel=1e-5)


def test_of_power_two_kriging_needs_no_matrix_of_clips() -> None:
    healthy, queries = points(6), 2 * points(3, seed=1)
    away = exact_scores.distances(healthy, healthy), exact_scores.distances(healthy, queries)
    scores = exact_scores.mahalanobis(healthy, queries, RIDGE.nugget)
    np.testing.assert_allclose(scores, exact_scores.kriging(*away, RIDGE))


def test_one_healthy_clip_is_as_far_as_the_query() -> None:
    healthy, query = exact_scores.mahalanobis(points(1), points(1, seed=1), RIDGE.nugget)[:, 0]
    assert healthy == pytest.approx(query)


def test_nearest_is_the_nearest() -> None:
    healthy, query = points(6), points(1, seed=1)
    everyone = np.vstack([healthy, query])
    away = np.linalg.norm(everyone[:, None] - everyone, axis=-1) + np.diag([np.inf] * 7)
    scores = exact_scores.logarithms(healthy, query, NEAREST)
    np.testing.assert_allclose(np.exp(scores[:, 0]), away.min(1))


@KERNELS
@given(seed=st.integers(0, 1000), clips=st.integers(2, 9))
def test_the_query_is_one_of_them(kernel: Any, seed: int, clips: int) -> None:
    """Whichever of n + 1 clips is the query, each has the same score: p-values are exact."""
    everyone = points(clips + 1, seed)

    def scores(query: int) -> np.ndarray:
        order = np.append(np.delete(np.arange(clips + 1), query), query)
        parts = [everyone[order][:, :2], everyone[order][:, 2:]]
        logs = [exact_scores.logarithms(part[:-1], part[-1:], kernel) for part in parts]
        left = [exact_scores.apart(p[:-1], p[-1:], kernel._replace(neighbours=2)) for p in parts]
        both = [(logs, left), (logs[:1], left[:1])]
        views = [exact_scores.view_scores(np.array(a), np.array(b)) for a, b in both]
        values = np.empty(clips + 1)
        values[order] = exact_scores.fused(np.array(views), FUSION)[:, 0]
        return values

    np.testing.assert_allclose(scores(0), scores(clips), rtol=1e-4, atol=1e-4)


def test_units_are_those_of_the_others() -> None:
    values = np.array([1.0, 2.0, 4.0, 9.0])[:, None]
    scores = exact_scores.units(values)
    others = np.array([1.0, 2.0, 4.0])
    prior = exact_scores.PRIOR_CLIPS * exact_scores.PRIOR_SPREAD**2
    spread = np.sqrt((3 * others.var() + prior) / (3 + exact_scores.PRIOR_CLIPS))
    assert scores[-1, 0] == pytest.approx((9 - others.mean()) / spread)


def test_copies_of_a_clip_have_a_score() -> None:
    healthy = np.repeat(points(2), 3, axis=0)
    for kernel in (RIDGE, BETWEEN, NEAREST):
        assert np.isfinite(exact_scores.logarithms(healthy, healthy[:1], kernel)).all()


def test_the_norm_of_infinite_order_is_the_largest() -> None:
    scores = np.array([[1.0, -2.0], [3.0, -1.0]])
    largest, second = exact_scores.Fusion(math.inf), exact_scores.Fusion(2)
    np.testing.assert_array_equal(exact_scores.fused(scores, largest), [3, -1])
    np.testing.assert_allclose(exact_scores.fused(scores, second), [math.sqrt(10), -1])


def test_what_lies_below_the_least_counts_where_all_views_do() -> None:
    scores = np.array([[4.0, 1.0, 6.0], [5.0, 2.0, 2.0]])
    fused = exact_scores.fused(scores, exact_scores.Fusion(1, above=3))
    np.testing.assert_allclose(fused, [3, -1, 3])


@pytest.mark.parametrize("fault", planted_faults.FAULTS)
def test_a_fault_is_planted(fault: str) -> None:
    clip = np.random.default_rng(0).uniform(0.1, 1, (60, 32)).astype(np.float32)
    faulty = planted_faults.planted(clip, fault, (1, 2))
    assert faulty.shape == clip.shape
    assert np.isfinite(faulty).all()
    assert (faulty > 0).all()
    assert not np.allclose(faulty, clip)
    np.testing.assert_array_equal(faulty, planted_faults.planted(clip, fault, (1, 2)))
    if fault == "knock":
        assert (np.abs(faulty - clip) > 1e-6).any(1).sum() <= 2
    if fault == "quieter band":
        assert (faulty <= clip * (1 + 1e-6)).all()


@pytest.mark.parametrize("name", candidate_views.VIEWS)
def test_a_view_has_one_length(name: str) -> None:
    view = candidate_views.VIEWS[name]
    levels = np.random.default_rng(0).normal(-40, 10, (50, 128)).astype(np.float32)
    described = [view.describe(levels[:frames]) for frames in (1, 2, 50)]
    assert len({part.shape for part in described}) == 1
    assert np.isfinite(described).all()
    parts = view.parts(np.array(described))
    scaled = view.scaled(np.array(described))
    squares = sum(part.shape[1] * (part**2).sum(1) for part in parts)
    np.testing.assert_allclose(squares, (scaled**2).sum(1))


def test_loudness_is_of_all_bands_together() -> None:
    levels = np.full((10, 100), -60, np.float32)
    levels[5] += 10
    loudness = candidate_views.loudness(levels)
    np.testing.assert_allclose(loudness[[0, 2, 4]], [-40, -40, -30], atol=1e-4)
    np.testing.assert_allclose(loudness[8], 10, atol=1e-4)


def some_set(name: str, seed: int, telling: str) -> Any:
    """Return a set whose anomalies differ from normal clips in one view alone."""
    random = np.random.default_rng(seed)
    described = {view: random.normal(size=(60, 12)) for view in candidate_views.VIEWS}
    described[telling][40:] += 4
    tasks = [
        choose_sets.Task(np.arange(20), np.arange(20, 40), partial) for partial in (False, True)
    ]
    trial = choose_sets.Trial(np.arange(20), np.arange(20, 60), tasks)
    return choose_sets.TestSet(name, described, [[trial]])


@pytest.mark.parametrize("telling", ["q97", "deviation", "loudness"])
def test_the_view_that_tells_is_chosen(telling: str) -> None:
    bench = choose_search.Bench([some_set(name, n, telling) for n, name in enumerate("ab")])
    chosen = bench.choose(bench.sets)
    assert telling in {view for view, _ in chosen.members}
    more = sum(telling in views for views in candidate_views.MORE.values())
    assert len(chosen.members) >= len(candidate_views.FAMILIES) + more
    assert bench.mean(chosen, bench.sets) > 80


def test_what_is_left_out_has_no_say() -> None:
    """The choice without a set is the same whatever its labels and planted faults are."""
    pairs = [
        (some_set(n, i, "q97"), some_set(f"{n}, planted", i + 5, "q97"))
        for i, n in enumerate("abc")
    ]
    others = [(some_set("a", 7, "deviation"), some_set("a, planted", 8, "loudness")), *pairs[1:]]
    first, second = choose_default.choices(pairs), choose_default.choices(others)
    assert first.left_out["a"] == second.left_out["a"]
    assert first.left_out["b"] != second.left_out["b"]


def write_table(folder: Path, name: str, seed: int) -> None:
    random = np.random.default_rng(seed)
    rows = []
    for number in range(16):
        anomaly, train = number >= 10, number < 6
        signal = 0.05 * random.standard_normal(8000)
        signal[4000 : 4000 + 2000 * anomaly] *= 3
        path = folder / f"{name}_{number}.wav"
        write_wav(path, signal, 16_000)
        domain = "target" if number % 2 else "source"
        split, label = "train" if train else "test", "anomaly" if anomaly else "normal"
        rows.append((0, path.name, name, "00", domain, split, label))
    with (folder / f"{name}.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["repeat", "path", "machine", "section", "domain", "split", "label"])
        writer.writerows(rows)


def test_it_runs_and_writes_the_choice(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    protocols, simulated = tmp_path / "protocols", tmp_path / "simulated"
    for folder, names in ((protocols, ("fan", "pump")), (simulated, ("drill",))):
        folder.mkdir()
        for seed, name in enumerate(names):
            write_table(folder, name, seed)
    arguments = [str(protocols), str(simulated / "drill.csv"), "-o", str(tmp_path / "out")]
    choose_default.main([*arguments, "--cache", str(tmp_path / "cache")])
    table = (tmp_path / "out" / "choice.md").read_text()
    assert table in capsys.readouterr().out
    assert "| **chosen on all** |" in table
    assert "| **left out** |" in table
    choice = yaml.safe_load((tmp_path / "out" / "choice.yaml").read_text())
    assert len(choice["views"]) >= len(candidate_views.FAMILIES)
    assert all(view["view"] in candidate_views.VIEWS for view in choice["views"])


def test_spreads_are_those_within_sections() -> None:
    simulated = some_set("a", 0, "q97")
    simulated.described["mean"][:20] = np.linspace(0, 1, 20)[:, None] * np.linspace(1, 3, 12)
    deviation = np.linspace(0, 1, 20).std(ddof=1)
    line = f"mean: {deviation:.2f} to {3 * deviation:.2f}"
    assert line in choose_default.spreads(simulated).splitlines()


def test_no_tables_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        choose_default.main([str(tmp_path), str(tmp_path)])
    assert "no tables of clips" in capsys.readouterr().err
