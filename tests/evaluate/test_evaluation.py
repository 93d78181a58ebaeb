"""`evaluate_scores` against golden files: the organisers' own, and small ones by scikit-learn."""

from __future__ import annotations

import csv
import json
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from dgmix.errors import InputError
from dgmix.evaluate import evaluate_scores
from dgmix.evaluate.metrics import METRICS
from dgmix.evaluate.scores import write_scores

GOLDEN = Path(__file__).parent / "golden"
EXPECTED = json.loads((GOLDEN / "expected.json").read_text())


def same(value, expected):
    """Compare numbers of which some are None, at 1e-12."""
    value, expected = (np.array(list(x), dtype=float) for x in (value, expected))
    np.testing.assert_allclose(value, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda e: e["convention"])
def test_golden_scores(expected):
    evaluation = evaluate_scores(GOLDEN / "scores", expected["convention"], bootstrap=10)
    assert evaluation.convention == expected["convention"]
    assert evaluation.system == "scores"
    same([evaluation.omega], [expected["omega"]])
    places = [(row["machine"], row["section"]) for row in evaluation.rows]
    assert places == [(row["machine"], row["section"]) for row in expected["rows"]]
    for row, wanted in zip(evaluation.rows, expected["rows"], strict=True):
        same((row[m] for m in METRICS), (wanted[m] for m in METRICS))
    same((evaluation.means["harmonic"][m] for m in METRICS), expected["harmonic"].values())
    assert list(evaluation.machines) == list(expected["machines"])
    omegas = [means["harmonic"]["omega"] for means in evaluation.machines.values()]
    same(omegas, expected["machines"].values())
    low, high = evaluation.omega_interval
    assert low < high
    undefined = [note for note in evaluation.notes if "undefined" in note]
    assert any("AUC target" in note and "slider 01" in note for note in undefined)
    assert any("pAUC" in note and "ToyCar 00" in note for note in undefined)


def leaves(value):
    """Return what a nest of mappings and lists holds, in order."""
    if isinstance(value, dict | list):
        inner = value.values() if isinstance(value, dict) else value
        return [leaf for each in inner for leaf in leaves(each)]
    return [value]


def test_golden_files_are_what_the_generator_makes():
    generator = runpy.run_path(str(GOLDEN / "generate.py"))
    generated = leaves([generator["expected"](each["convention"]) for each in EXPECTED])
    for value, expected in zip(generated, leaves(EXPECTED), strict=True):
        assert value == pytest.approx(expected, abs=1e-12)


def organisers_results(path):
    """Return the organisers' result.csv: rows by machine ("" is over all), then by first cell."""
    tables, machine = {}, ""
    for cells in csv.reader(path.read_text().splitlines()):
        if len(cells) == 1:
            machine = cells[0]
        elif cells and cells[0] not in ("section", ""):
            name = "" if "over all" in cells[0] else machine
            tables.setdefault(name, {})[cells[0].split(" over")[0]] = list(map(float, cells[1:4]))
    return tables


def test_the_organisers_numbers(real_data):
    folder = real_data / "dcase2022_scores" / "baseline_ae"
    expected = organisers_results(folder / "result.csv")
    assert len(expected) == 8
    evaluation = evaluate_scores(folder, bootstrap=0)
    assert len(evaluation.rows) == 21
    for row in evaluation.rows:
        wanted = expected[row["machine"]][row["section"]]
        assert [row[m] for m in METRICS] == pytest.approx(wanted, abs=1e-9)
    for machine, means in {**evaluation.machines, "": evaluation.means}.items():
        for kind in ("arithmetic", "harmonic"):
            wanted = expected[machine][f"{kind} mean"]
            assert [means[kind][m] for m in METRICS] == pytest.approx(wanted, abs=1e-9)
    assert [round(100 * evaluation.means["harmonic"][m], 2) for m in METRICS] == [
        69.34,
        42.13,
        53.93,
    ]
    assert round(100 * evaluation.omega, 2) == 52.91
    assert evaluation.system == "baseline_ae"


def test_json_holds_fractions_and_null_for_undefined():
    evaluation = json.loads(evaluate_scores(GOLDEN / "scores", bootstrap=10).to_json())
    assert evaluation["convention"] == "official"
    assert evaluation["omega"] == pytest.approx(EXPECTED[0]["omega"])
    assert [row["auc_target"] for row in evaluation["rows"]][3:5] == [None, None]
    assert set(evaluation["rows"][0]) == {"machine", "section", *METRICS}
    assert evaluation["omega_error"] is None


def test_text_is_in_per_cent_and_names_the_convention():
    text = evaluate_scores(GOLDEN / "scores", "same-domain", bootstrap=10).to_text()
    assert text.startswith("scores, same-domain metric, in %")
    row = EXPECTED[1]["rows"][0]
    line = next(line for line in text.splitlines() if line.startswith("fan"))
    assert line.split() == ["fan", "00", *(f"{100 * row[m]:.2f}" for m in METRICS)]
    assert "undefined" in next(line for line in text.splitlines() if line.startswith("ToyCar"))
    assert f"Ω {100 * EXPECTED[1]['omega']:.2f} [" in text


def test_seeds_are_averaged_and_dgmix_is_meant_by_default(make_scores, tmp_path):
    scores = make_scores(("fan", "valve"), seeds=(0, 1), systems=("dgmix", "untrained"))
    for (system, seed), part in scores.group_by("system", "seed"):
        name = "scores.csv" if system == "dgmix" else f"scores_{system}.csv"
        write_scores(tmp_path / f"seed{seed}" / name, part)
    both = evaluate_scores(tmp_path, bootstrap=0)
    assert both.system == "dgmix"
    each = [evaluate_scores(tmp_path / f"seed{s}" / "scores.csv", bootstrap=0) for s in (0, 1)]
    assert both.omega == pytest.approx(np.mean([e.omega for e in each]))
    for number, row in enumerate(both.rows):
        assert row["pauc"] == pytest.approx(np.mean([e.rows[number]["pauc"] for e in each]))
    other = evaluate_scores(tmp_path, bootstrap=0, system="untrained")
    assert other.omega != both.omega
    with pytest.raises(InputError, match="no scores of a system 'nobody'"):
        evaluate_scores(tmp_path, system="nobody")


def test_several_foreign_systems_need_a_choice(make_scores, tmp_path):
    for name in ("a", "b"):
        write_scores(tmp_path / f"scores_{name}.csv", make_scores())
    with pytest.raises(InputError, match=r"several systems \(a, b\)"):
        evaluate_scores(tmp_path)


def test_repeats_have_a_standard_error(make_scores, tmp_path):
    for (repeat,), part in make_scores(repeats=(0, 1, 2)).group_by("repeat"):
        write_scores(tmp_path / f"repeat{repeat}" / "seed0" / "scores.csv", part)
    evaluation = evaluate_scores(tmp_path)
    assert evaluation.omega_interval is None
    assert evaluation.omega_error > 0
    assert f"± {100 * evaluation.omega_error:.2f}" in evaluation.to_text()


def test_scores_without_any_label_are_undefined_throughout(make_scores, tmp_path):
    unknown = make_scores().with_columns(label=pl.lit("unknown"), domain=pl.lit("unknown"))
    write_scores(tmp_path / "scores.csv", unknown)
    evaluation = evaluate_scores(tmp_path)
    assert evaluation.omega is None
    assert evaluation.means["arithmetic"]["pauc"] is None
    assert "Ω undefined" in evaluation.to_text()
    assert any("left out: 40" in note for note in evaluation.notes)


def test_an_unknown_convention_is_refused():
    with pytest.raises(InputError, match="choose from official, same-domain"):
        evaluate_scores(GOLDEN / "scores", "unofficial")


def test_importing_the_package_imports_nothing_heavy():
    code = "import sys, dgmix.evaluate; print(*sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"numpy", "polars", "torch"} & set(run.stdout.split())


def test_the_package_has_only_what_it_says():
    import dgmix.evaluate

    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        dgmix.evaluate.nothing  # noqa: B018


def test_it_is_shown_as_a_table_and_becomes_a_frame():
    evaluation = evaluate_scores(GOLDEN / "scores", bootstrap=10)
    assert repr(evaluation) == evaluation.to_text()
    assert evaluation.to_polars().to_dicts() == [dict(row) for row in evaluation.rows]
    assert evaluation.to_pandas()["machine"].tolist() == [row["machine"] for row in evaluation.rows]
    assert evaluation._repr_html_().count("<tr>") == 1 + len(evaluation.rows)
