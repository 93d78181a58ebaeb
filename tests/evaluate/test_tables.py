"""Tables: every number in them is the plain metric, and their text says which one it is."""

from __future__ import annotations

import csv
import re

import numpy as np
import polars as pl
import pytest
from scipy.stats import hmean
from sklearn.metrics import roc_auc_score

from dgmix.config import EvaluateSettings
from dgmix.evaluate.scores import read_scores
from dgmix.evaluate.tables import (
    markdown_table,
    results_csv,
    results_frame,
    results_markdown,
    summary_text,
)

SETTINGS = EvaluateSettings(bootstrap=40)
SIX = ("00", "01", "02", "03", "04", "05")


def oracle(scores, domain, convention):
    """Scikit-learn's AUC of a domain of one section, or the pAUC where `domain` is None."""
    chosen = pl.lit(True)
    if domain is not None:
        chosen = pl.col("domain") == domain
        if convention == "official":
            chosen |= pl.col("label") == "anomaly"
    clips = scores.filter(chosen)
    return roc_auc_score(
        clips["label"] == "anomaly", clips["score"], max_fpr=None if domain else 0.1
    )


def harmonic(scores, domain, convention="official"):
    sections = [part for _, part in scores.group_by("machine", "section")]
    return float(hmean([oracle(part, domain, convention) for part in sections]))


def markdown_tables(text):
    """Return the tables under each heading: by heading, then by first cell, without emphasis."""
    tables, heading = {}, ""
    for line in text.splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        elif line.startswith("|"):
            first, *cells = [cell.strip(" *") for cell in line.strip("|").split("|")]
            tables.setdefault(heading, {})[first] = cells
    return tables


def value(cell):
    return float(cell.split()[0]) / 100


def test_results_have_both_conventions_and_the_counts(make_scores):
    scores = make_scores(("fan", "valve"), ("00", "01"), ("dgmix", "untrained"), (0, 1), (0, 1))
    results = results_frame(scores)
    keys = ["system", "repeat", "seed", "machine", "section"]
    assert results.columns[:5] == keys
    assert results.select(keys).rows() == sorted(scores.select(keys).unique().rows())
    for row in results.iter_rows(named=True):
        part = scores.filter(**{key: row[key] for key in keys})
        for domain in ("source", "target"):
            same = oracle(part, domain, "same-domain")
            assert row[f"auc_{domain}"] == pytest.approx(oracle(part, domain, "official"))
            assert row[f"auc_{domain}_same"] == pytest.approx(same)
            assert (row[f"{domain}_normal"], row[f"{domain}_anomaly"]) == (10, 10)
        assert row["pauc"] == pytest.approx(oracle(part, None, "official"))


def test_results_csv_is_the_same_to_the_byte_and_reads_back_exactly(make_scores):
    scores = make_scores(("fan", "valve"), seeds=(0, 1), clips=7)
    shuffled = scores.sample(fraction=1, shuffle=True, seed=1)
    text = results_csv(scores)
    assert text == results_csv(shuffled)
    assert "\r" not in text
    rows = list(csv.DictReader(text.splitlines()))
    expected = results_frame(scores)
    assert [float(row["pauc"]) for row in rows] == expected["pauc"].to_list()
    assert list(rows[0]) == expected.columns


def test_undefined_is_empty_in_csv_and_said_in_markdown(make_scores):
    scores = pl.concat(
        [
            make_scores(("fan",), domains=("source",)),
            make_scores(("pump",), labels=("normal",)),
            make_scores(("valve",)),
            make_scores(("valve",), ("01",)).with_columns(label=pl.lit("unknown")),
        ]
    )
    rows = {(r["machine"], r["section"]): r for r in csv.DictReader(results_csv(scores).split())}
    assert rows["fan", "00"]["auc_target"] == ""
    assert rows["fan", "00"]["auc_source"] != ""
    assert rows["pump", "00"]["pauc"] == ""
    assert rows["valve", "01"]["unlabeled"] == "40"
    assert rows["valve", "01"]["source_normal"] == "0"
    text = results_markdown(scores, SETTINGS)
    table = markdown_tables(text)["dgmix, official"]
    assert table["pump"] == ["undefined"] * 4
    assert table["fan"][1] == "undefined"
    assert value(table["all machines"][1]) == pytest.approx(
        harmonic(scores.filter(machine="valve", section="00"), "target"), abs=5e-5
    )
    assert "AUC target is undefined, and left out of the means, in fan 00, pump 00" in text
    assert "left out: 40." in text


def test_many_undefined_sections_are_counted(make_scores):
    scores = make_scores(("a", "b", "c"), SIX[:5], domains=("source",))
    assert re.search(r"in a 00, .*, c 01 and 3 more:", results_markdown(scores, SETTINGS))


def test_the_official_table_is_of_the_official_metric(make_scores):
    scores = make_scores(("ToyCar", "pump", "fan"), ("00", "id_02"))
    text = results_markdown(scores, SETTINGS)
    tables = markdown_tables(text)
    table = tables["dgmix, official"]
    assert "against all anomalies of the section" in text
    assert list(table)[2:] == ["fan", "ToyCar", "pump", "all machines"]
    assert table["official"] == ["AUC source", "AUC target", "pAUC", "Ω"]
    for machine in ("fan", "pump", "ToyCar", "all machines"):
        part = scores if machine == "all machines" else scores.filter(machine=machine)
        wanted = [harmonic(part, domain) for domain in ("source", "target", None)]
        assert [value(cell) for cell in table[machine][:3]] == pytest.approx(wanted, abs=5e-5)
        assert value(table[machine][3]) == pytest.approx(hmean(wanted), abs=5e-5)
        low, high = map(float, re.search(r"\[(.*), (.*)\]", table[machine][3]).groups())
        assert low < 100 * value(table[machine][3]) < high
    (overview,) = (t for name, t in tables.items() if name.startswith("Official"))
    assert overview["dgmix"] == table["all machines"]


def test_six_sections_make_a_development_and_an_evaluation_block(make_scores):
    scores = make_scores(("fan", "valve"), SIX)
    tables = markdown_tables(results_markdown(scores, SETTINGS))
    parts = {
        "dgmix, official, dev (sections 00–02)": scores.filter(pl.col("section") < "03"),
        "dgmix, official, eval (sections 03–05)": scores.filter(pl.col("section") >= "03"),
        "dgmix, official, all sections": scores,
    }
    for title, part in parts.items():
        assert value(tables[title]["all machines"][0]) == pytest.approx(
            harmonic(part, "source"), abs=5e-5
        )
    same = tables["dgmix, same-domain"]
    assert list(same)[2:] == ["source_dev", "source_eval", "target_dev", "target_eval"]
    assert same["same-domain"] == ["AUC", "fan", "valve"]
    evaluation = parts["dgmix, official, eval (sections 03–05)"]
    wanted = [evaluation, evaluation.filter(machine="fan"), evaluation.filter(machine="valve")]
    assert [value(cell) for cell in same["target_eval"]] == pytest.approx(
        [harmonic(part, "target", "same-domain") for part in wanted], abs=5e-5
    )
    (overview,) = (t for name, t in tables.items() if name.startswith("Official"))
    assert overview["official"][3:] == ["Ω dev", "Ω eval", "Ω all"]


def test_one_block_has_source_and_target_rows(make_scores):
    tables = markdown_tables(results_markdown(make_scores(("fan",), SIX[:3]), SETTINGS))
    assert "source" in tables["dgmix, same-domain"]
    assert not any("dev" in name for name in tables)


def test_systems_stand_side_by_side_with_the_lead_of_dgmix(make_scores):
    scores = make_scores(("fan",), SIX[:2], ("logmel-max", "dgmix", "untrained"))
    text = results_markdown(scores, SETTINGS)
    (overview,) = (t for name, t in markdown_tables(text).items() if name.startswith("Official"))
    assert list(overview)[2:] == ["dgmix", "untrained encoder", "log-mel max"]
    assert overview["dgmix"][-1] == ""
    lead = value(overview["dgmix"][3]) - value(overview["untrained encoder"][3])
    assert value(overview["untrained encoder"][-1]) == pytest.approx(lead, abs=1.1e-4)
    fewer = scores.filter(~((pl.col("system") == "untrained") & (pl.col("section") == "01")))
    text = results_markdown(fewer, SETTINGS)
    assert "other clips" in text
    assert "The systems did not score the same sections" in text


def test_repeats_are_shown_as_mean_and_standard_error(make_scores):
    scores = make_scores(repeats=(0, 1, 2, 3), systems=("dgmix", "untrained"))
    text = results_markdown(scores, SETTINGS)
    ours = scores.filter(system="dgmix")
    values = [harmonic(ours.filter(repeat=r), "source") for r in range(4)]
    shown = f"{100 * np.mean(values):.2f} ± {100 * np.std(values, ddof=1) / 2:.2f}"
    assert markdown_tables(text)["dgmix, official"]["fan"][0] == shown
    assert shown in summary_text(scores, SETTINGS)
    assert "standard error over 4 train/test splits; each split is one seed" in text
    assert "[" not in markdown_tables(text)["dgmix, official"]["fan"][3]


def test_notes_say_how_the_interval_was_made(make_scores):
    one = results_markdown(make_scores(), SETTINGS)
    assert "95 % bootstrap interval, 40 resamples of the test clips" in one
    assert "; one seed." in one
    settings = EvaluateSettings(bootstrap=20, confidence=0.9)
    three = results_markdown(make_scores(seeds=(0, 1, 2)), settings)
    assert "90 % bootstrap interval, 20 resamples" in three
    assert "and of the seeds; every number is the mean over 3 seeds" in three
    none = results_markdown(make_scores(), EvaluateSettings(bootstrap=0))
    assert "no interval was computed" in none
    partial = make_scores(("fan", "valve"), seeds=(0, 7)).head(-40)
    assert "dgmix: seed 7 has not scored every section" in results_markdown(partial, SETTINGS)
    splits = make_scores(("fan", "valve"), repeats=(0, 1)).head(-40)
    assert "dgmix: split 1 (seed 0) has not scored" in results_markdown(splits, SETTINGS)
    two = make_scores(seeds=(0, 1), systems=("dgmix", "untrained")).filter(
        (pl.col("system") == "dgmix") | (pl.col("seed") == 0)
    )
    assert "not all of the same seeds and splits" in results_markdown(two, SETTINGS)
    assert "not all of the same" not in three


def test_the_summary_is_the_overview_in_short(make_scores):
    scores = make_scores(("fan", "valve"), SIX, ("dgmix", "untrained"))
    text = summary_text(scores, SETTINGS)
    assert text.startswith(
        "2 machines, 12 sections, 480 test clips, 1 seed. Official metric, in %:"
    )
    assert "lead" not in text
    (line,) = (line for line in text.splitlines() if line.startswith("dgmix"))
    cells = line.removeprefix("dgmix").split()
    assert value(cells[0]) == pytest.approx(
        harmonic(scores.filter(system="dgmix"), "source"), abs=5e-5
    )
    assert len(cells) == 8
    assert all(len(line) <= 100 for line in text.splitlines()[1:-1])


def test_markdown_does_not_depend_on_row_order(make_scores):
    scores = make_scores(("fan", "valve"), ("00", "01"), ("dgmix", "untrained"), (0, 1))
    shuffled = scores.sample(fraction=1, shuffle=True, seed=1)
    assert results_markdown(scores, SETTINGS) == results_markdown(shuffled, SETTINGS)


def test_no_scores_at_all_make_tables_without_rows(make_scores):
    empty = make_scores().head(0)
    assert results_csv(empty).count("\n") == 1
    assert "Anomaly detection results" in results_markdown(empty, SETTINGS)
    assert summary_text(empty, SETTINGS)


def test_a_bar_in_a_name_does_not_break_a_table():
    assert markdown_table(["a|b", "c"], [["1", "2"]]).splitlines()[0] == "| a\\|b |   c |"


def test_the_published_table_of_the_baseline(real_data):
    scores = read_scores(real_data / "dcase2022_scores" / "baseline_ae")
    tables = markdown_tables(results_markdown(scores, SETTINGS))
    table = tables["baseline_ae, official"]
    assert table["all machines"][:3] == ["69.34", "42.13", "53.93"]
    assert table["all machines"][3].startswith("52.91 [")
    machines = ["bearing", "fan", "gearbox", "valve", "slider", "ToyCar", "ToyTrain"]
    assert list(table)[2:-1] == machines
    assert tables["baseline_ae, same-domain"]["same-domain"] == ["AUC", *machines]
