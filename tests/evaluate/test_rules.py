"""Each year's rule against an independent transcription of it, and which year scores are of."""

from __future__ import annotations

import json
from functools import cache
from itertools import product

import numpy as np
import polars as pl
import pytest
from scipy.stats import hmean
from sklearn.metrics import roc_auc_score

from dgmix.config import EvaluateSettings
from dgmix.data.years import YEARS
from dgmix.errors import InputError
from dgmix.evaluate import evaluate_scores
from dgmix.evaluate.rules import blocks, convention_of, year_notes, year_of_scores
from dgmix.evaluate.scores import SCHEMA, write_scores, write_submission
from dgmix.evaluate.tables import results_frame, results_markdown

DOMAINS, LABELS = ("source", "target"), ("normal", "anomaly")


def clip_path(year, machine, section, domain, label, number):
    """A path as the set of the year has it."""
    if year == 2020:
        return f"{machine}/test/{label}_{section}_{number:08d}.wav"
    folder = f"{domain}_test" if year == 2021 else "test"
    attributes = "noAttribute" if machine in YEARS[year].hidden else "vel_8"
    name = f"section_{section}_{domain}_test_{label}_{number:04d}_{attributes}.wav"
    return f"{machine}/{folder}/{name}"


def random_scores(year, parts=("dev", "eval"), clips=7, seed=0, system="dgmix"):
    """Scores with ties of every section of a year, a few clips of each domain and label."""
    rng = np.random.default_rng([year, seed])
    known = YEARS[year]
    sections = {"dev": known.dev, "eval": known.eval}
    places = [(m, s) for part in parts for m, of in sections[part].items() for s in of]
    rows = []
    for (machine, section), domain, label in product(
        places, DOMAINS[:1] if year == 2020 else DOMAINS, LABELS
    ):
        for number in range(clips + int(rng.integers(3))):
            path = clip_path(year, machine, section, domain, label, number)
            score = round(float(rng.normal(label == "anomaly")), 1)
            rows.append((system, 0, 0, path, machine, section, domain, "test", label, score))
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def auc(normal, anomaly, max_fpr=None):
    return auc_of(tuple(normal), tuple(anomaly), max_fpr)


@cache
def auc_of(normal, anomaly, max_fpr):
    truth = [0] * len(normal) + [1] * len(anomaly)
    return roc_auc_score(truth, [*normal, *anomaly], max_fpr=max_fpr)


def by_group(scores):
    """The scores of each (machine, section), by (domain, label)."""
    groups = {}
    for row in scores.iter_rows(named=True):
        place = groups.setdefault((row["machine"], row["section"]), {})
        place.setdefault((row["domain"], row["label"]), []).append(row["score"])
    return groups


def score_2020(scores):
    """AUC and pAUC of each machine id; averages over ids, then over machine types."""
    machines = {}
    for (machine, _), groups in by_group(scores).items():
        pair = groups["source", "normal"], groups["source", "anomaly"]
        machines.setdefault(machine, []).append([auc(*pair), auc(*pair, 0.1)])
    return float(np.mean([np.mean(ids, axis=0).mean() for ids in machines.values()]))


def score_2021(scores):
    """Harmonic mean over machine types, sections and domains of AUC and pAUC within a domain."""
    numbers = []
    for groups in by_group(scores).values():
        for domain in DOMAINS:
            pair = groups[domain, "normal"], groups[domain, "anomaly"]
            numbers += [auc(*pair), auc(*pair, 0.1)]
    return float(hmean(numbers))


def score_2022(scores):
    """Harmonic mean of AUC (domain's normals, all anomalies) of both domains and pAUC of all."""
    numbers = []
    for groups in by_group(scores).values():
        anomalies = groups["source", "anomaly"] + groups["target", "anomaly"]
        normals = groups["source", "normal"] + groups["target", "normal"]
        numbers += [auc(groups[domain, "normal"], anomalies) for domain in DOMAINS]
        numbers.append(auc(normals, anomalies, 0.1))
    return float(hmean(numbers))


RULES = {2020: score_2020, 2021: score_2021} | dict.fromkeys(range(2022, 2027), score_2022)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("year", YEARS)
def test_the_official_score_is_that_of_the_year(year, seed, tmp_path):
    scores = random_scores(year, seed=seed)
    write_scores(tmp_path / "scores.csv", scores)
    evaluation = evaluate_scores(tmp_path, bootstrap=0)
    assert evaluation.year == year
    assert evaluation.omega == pytest.approx(RULES[year](scores), abs=1e-12)
    for name, places in YEARS[year].places.items():
        part = scores.filter(
            pl.struct("machine", "section").is_in(
                [{"machine": m, "section": s} for m, s in sorted(places)]
            )
        )
        assert evaluation.blocks[name] == pytest.approx(RULES[year](part), abs=1e-12)
    again = evaluate_scores(tmp_path, bootstrap=0, year=year)
    assert again == evaluation


@pytest.mark.parametrize("year", [2020, 2021])
def test_sections_and_machines_of_the_first_years(year, tmp_path):
    scores = random_scores(year, parts=("eval",))
    write_scores(tmp_path / "scores.csv", scores)
    evaluation = evaluate_scores(tmp_path, bootstrap=0)
    golden = {}
    for place, groups in by_group(scores).items():
        golden[place] = {}
        for domain in DOMAINS[: 1 if year == 2020 else 2]:
            pair = groups[domain, "normal"], groups[domain, "anomaly"]
            end = "" if year == 2020 else f"_{domain}"
            golden[place] |= {f"auc{end}": auc(*pair), f"pauc{end}": auc(*pair, 0.1)}
    assert len(evaluation.rows) == len(golden)
    for row in evaluation.rows:
        expected = golden[row["machine"], row["section"]]
        assert {m: row[m] for m in expected} == pytest.approx(expected, abs=1e-12)
    kinds = {"arithmetic": np.mean} | ({} if year == 2020 else {"harmonic": hmean})
    for machine, means in {**evaluation.machines, "": evaluation.means}.items():
        assert set(means) == set(kinds)
        mine = [numbers for (m, _), numbers in golden.items() if machine in ("", m)]
        for (kind, mean), metric in product(kinds.items(), mine[0]):
            if year == 2020 and not machine:  # of the machines' means
                machines = [
                    evaluation.machines[m]["arithmetic"][metric] for m in evaluation.machines
                ]
                wanted = np.mean(machines)
            else:
                wanted = mean([numbers[metric] for numbers in mine])
            assert means[kind][metric] == pytest.approx(wanted, abs=1e-12)
    text = evaluation.to_text()
    assert text.startswith(f"dgmix, official metric of DCASE {year}, in %")
    assert "pAUC source" in text if year == 2021 else "machine id" in text
    assert json.loads(evaluation.to_json())["year"] == year


def test_2021_and_2022_are_told_apart():
    of_2021, of_2022 = random_scores(2021), random_scores(2022)
    assert (year_of_scores(of_2021).number, year_of_scores(of_2022).number) == (2021, 2022)
    common = of_2022.filter(pl.col("machine") != "bearing")
    assert year_of_scores(common).number == 2022
    assert year_of_scores(of_2021.filter(machine="fan")).number == 2021
    bare = of_2021.with_columns(path=pl.col("path").str.split("/").list.last())
    assert year_of_scores(bare).number == 2021
    assert year_of_scores(bare.filter(machine="fan")).number == 2022
    assert year_of_scores(bare.filter(machine="fan"), 2021).number == 2021
    [note] = year_notes(bare.filter(machine="fan"))
    assert note.startswith("Taken as DCASE 2022; 2021 has these machines and sections too, and an")
    assert year_notes(of_2021) == year_notes(of_2022) == year_notes(bare) == []


def test_first_shot_years_share_their_development_machines_and_their_rule():
    for year in range(2022, 2027):  # sections, machines and withheld attributes tell
        scores = random_scores(year, parts=("dev",))
        assert year_of_scores(scores).number == year
        assert year_notes(scores) == []
    scores = random_scores(2024, parts=("dev",)).filter(pl.col("machine").is_in(["fan", "valve"]))
    assert year_of_scores(scores) is None
    assert convention_of(scores) == "official"
    [note] = year_notes(scores)
    assert "which year of DCASE Task 2 this is: 2023, 2024, 2025 have these machines" in note
    assert year_notes(scores, wanted=2024) == []


def test_machines_of_two_years_are_noted():
    scores = [
        random_scores(year, ("dev",)).filter(machine=machine)
        for year, machine in ((2022, "fan"), (2023, "valve"), (2024, "slider"))
    ]
    [note] = year_notes(pl.concat(scores))
    assert note.startswith("Machines of different years of DCASE Task 2: fan (2022), slider (2024,")
    [note] = year_notes(pl.concat(scores[1:]))
    assert "which year of DCASE Task 2 this is: 2024, 2025 have these" in note


def test_renamed_clips_are_of_the_year_of_their_machines():
    scores = random_scores(2024).with_columns(pl.col("path").str.replace("_noAttribute", "_vel_8"))
    assert year_of_scores(scores).number == 2024


def test_own_clips_are_of_no_year(make_scores):
    scores = make_scores(("pump", "fan"), ("id_00", "id_02"), domains=("source",))
    assert year_of_scores(scores) is None
    assert convention_of(scores) == "official"


def test_a_year_that_scores_are_not_of_is_refused(tmp_path):
    write_scores(tmp_path / "scores.csv", random_scores(2023))
    with pytest.raises(
        InputError, match=r"DCASE 2020 has no ToyCar 00, ToyDrone 00, .* and 11 more"
    ):
        evaluate_scores(tmp_path, year=2020)
    with pytest.raises(InputError, match="year 1999: choose one of 2020, 2021"):
        evaluate_scores(tmp_path, year=1999)


def test_scores_of_2020_and_later_years_together_are_refused(tmp_path):
    write_scores(tmp_path / "scores.csv", pl.concat([random_scores(2020), random_scores(2023)]))
    with pytest.raises(InputError, match=r"scores of DCASE 2020 \(.*\) and of later years \(.*\)"):
        evaluate_scores(tmp_path)


def test_anonymous_clips_are_known_by_their_year(tmp_path):
    from dgmix.data.download.names import full_names

    named = {k: v for k, v in full_names(2023).items() if k.startswith("bandsaw/")}
    rng = np.random.default_rng(0)
    scores = {anonymous: float(rng.normal()) for anonymous in named}
    for folder, paths in (("full", named.values()), ("anonymous", named)):
        lines = [
            f"{p.rpartition('/')[2]},{s!r}" for p, s in zip(paths, scores.values(), strict=True)
        ]
        (tmp_path / folder).mkdir()
        name = "anomaly_score_bandsaw_section_00_test.csv"
        (tmp_path / folder / name).write_text("\n".join(lines))
    with pytest.raises(InputError, match="does not tell domain and label; give its year"):
        evaluate_scores(tmp_path / "anonymous")
    full = evaluate_scores(tmp_path / "full", bootstrap=0)
    evaluation = evaluate_scores(tmp_path / "anonymous", bootstrap=0, year=2023)
    assert full.year == 2023
    assert evaluation.omega == pytest.approx(full.omega, abs=1e-12)


def test_runs_of_different_recipes_break_the_first_shot_rule(tmp_path):
    scores = random_scores(2023)
    for half, places in (("a", YEARS[2023].dev), ("b", YEARS[2023].eval)):
        part = scores.filter(pl.col("machine").is_in(list(places)))
        write_scores(tmp_path / half / "scores.csv", part)
        (tmp_path / half / "recipe.yaml").write_text("detect: {}")
    notes = evaluate_scores(tmp_path, bootstrap=0).notes
    assert "First-shot rule kept: one recipe for all machines." in notes
    (tmp_path / "b" / "recipe.yaml").write_text("detect: {neighbors: 2}")
    notes = evaluate_scores(tmp_path, bootstrap=0).notes
    assert "First-shot rule broken: the runs a, b have different recipes." in notes


def test_blocks_are_development_and_evaluation_set():
    assert blocks([("fan", "00"), ("slider", "00")]) == {"": None}
    assert blocks([("fan", "00"), ("bandsaw", "00")]) == {
        "dev": {("fan", "00")},
        "eval": {("bandsaw", "00")},
        "all": None,
    }
    assert list(blocks([("fan", "id_00"), ("fan", "id_01")])) == ["dev", "eval", "all"]
    assert list(blocks([("fan", "00"), ("fan", "03")])) == [""]


@pytest.mark.parametrize("year", [2020, 2021, 2023])
def test_tables_are_of_the_rule_of_the_year(year):
    scores = random_scores(year)
    text = results_markdown(scores, EvaluateSettings(bootstrap=10))
    assert f"{100 * RULES[year](scores):.2f}" in text
    assert f"Official metric (DCASE {'2022–2026' if year == 2023 else year})" in text
    assert ("Same-domain metric" in text) == (year == 2023)
    assert "Published figures" not in text  # a few clips are no whole set
    frame = results_frame(scores)
    extra = {2020: ["auc"], 2021: ["pauc_source", "pauc_target"], 2023: []}[year]
    assert frame.columns[frame.columns.index("unlabeled") + 1 :] == extra


def test_published_figures_stand_beside_a_whole_set():
    scores = random_scores(2023, clips=50)
    text = results_markdown(scores, EvaluateSettings(bootstrap=0))
    part = text.partition("## Published figures of DCASE 2023")[2].partition("\n## ")[0]
    assert "only if its clips are those of the challenge" in part
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in part.splitlines()
        if "|" in line
    ]
    ours = next(row for row in rows if "this run" in row[0])
    wanted = [
        score_2022(scores.filter(pl.col("machine").is_in(list(of))))
        for of in (YEARS[2023].dev, YEARS[2023].eval)
    ]
    assert [float(cell) for cell in ours[1:3]] == pytest.approx([100 * w for w in wanted], abs=5e-3)
    assert ["autoencoder", "54.82", "57.80"] in [row[:3] for row in rows]
    assert ["challenge winner", "–", "66.97"] in [row[:3] for row in rows]
    assert all(row[3] for row in rows[3:])
    unlabelled = random_scores(2026, ("eval",), 5).with_columns(label=pl.lit("unknown"))
    scores = pl.concat([random_scores(2026, ("dev",), 50), unlabelled])
    assert "| 66.20 | 70.24 |" in results_markdown(scores, EvaluateSettings(bootstrap=0))


def test_withheld_attributes_are_told_in_every_table(tmp_path):
    scores = random_scores(2024).with_columns(
        path=pl.when(machine="slider")
        .then(pl.col("path").str.replace("noAttribute", "hidden_vel_8"))
        .otherwise("path")
    )
    assert "Names of slider have attributes that the challenge withheld" in results_markdown(
        scores, EvaluateSettings(bootstrap=0)
    )
    write_submission(tmp_path, scores)
    assert any("Names of slider" in note for note in evaluate_scores(tmp_path, bootstrap=0).notes)
    assert "withheld" not in results_markdown(random_scores(2024), EvaluateSettings(bootstrap=0))
