"""The page as a whole, read back with the standard library's parser."""

import json
import re
from itertools import pairwise
from pathlib import Path
from xml.etree.ElementTree import fromstring

import pytest
from html_page import Page
from sklearn.metrics import roc_auc_score

from dgmix.errors import InputError
from dgmix.evaluate.report import write_report
from dgmix.evaluate.scores import read_run, shown_system


def page_of(run):
    return Page(write_report(run).read_text("utf-8"))


@pytest.fixture(scope="module")
def run(make_run):
    return make_run()


@pytest.fixture(scope="module")
def page(run):
    return page_of(run)


def expected_metrics(scores, official):
    """Return the harmonic means over sections, averaged over seeds, by scikit-learn, in %."""

    def section(rows):
        def area(domains, anomalies, **kind):
            used = rows.filter(
                ((rows["label"] == "normal") & rows["domain"].is_in(domains))
                | ((rows["label"] == "anomaly") & rows["domain"].is_in(anomalies))
            )
            return roc_auc_score(used["label"] == "anomaly", used["score"], **kind)

        both = ["source", "target"]
        if not official:
            return area(["source"], ["source"]), area(["target"], ["target"])
        return area(["source"], both), area(["target"], both), area(both, both, max_fpr=0.1)

    def harmonic(values):
        return len(values) / sum(1 / value for value in values)

    by_seed = []
    for seed in scores.partition_by("seed"):
        metrics = [section(rows) for rows in seed.partition_by("machine", "section")]
        columns = [harmonic(column) for column in zip(*metrics, strict=True)]
        if official:
            columns.append(harmonic([value for row in metrics for value in row]))
        by_seed.append(columns)
    return [100 * sum(column) / len(column) for column in zip(*by_seed, strict=True)]


@pytest.mark.parametrize("official", [True, False])
def test_tables_hold_the_metrics(run, page, official):
    scores = read_run(run)
    words = "against all" if official else "of that domain only"
    (caption,) = (c for c in page.tables if c.startswith("In %") and words in c)
    shown = {tuple(row[:2]): row[2:] for row in page.tables[caption][1:]}
    for machine in ("fan", "valve", "all machines"):
        for system in scores["system"].unique():
            own = scores.filter(system=system)
            own = own if machine == "all machines" else own.filter(machine=machine)
            expected = expected_metrics(own, official)
            cells = shown[machine, shown_system(system)][: len(expected)]
            assert [float(cell) for cell in cells] == pytest.approx(expected, abs=0.0051)
    assert len(shown) == 3 * 4


def test_summary_starts_with_omega_and_agrees_with_the_table(page):
    header, *rows = page.table("Official metrics of each system")
    assert header == ["System", "Ω", "lead of dgmix", "AUC source", "AUC target", "pAUC"]
    (caption,) = (c for c in page.tables if "against all" in c)
    totals = {row[1]: row for row in page.tables[caption] if row[0] == "all machines"}
    for row in rows:
        assert row[1].split()[0] == totals[row[0]][5]
        assert row[3:] == totals[row[0]][2:5]


def test_the_same_run_gives_the_same_bytes(run, page):
    first = write_report(run).read_bytes()
    assert write_report(run).read_bytes() == first


def test_nothing_is_loaded_and_no_other_script_may_run(page):
    for tag, attributes in page.elements:
        address = attributes.get("src") or attributes.get("href") or "#"
        assert address.startswith(("#", "data:")), (tag, attributes)
        assert not any(name.startswith("on") for name in attributes), (tag, attributes)
    text = "".join(page.texts)
    assert not re.search(r"@import|url\(|fetch\(|XMLHttpRequest|https?://", text)
    policy = next(a["content"] for t, a in page.elements if a.get("http-equiv"))
    assert policy.startswith("default-src 'none'")
    assert re.search(r"script-src 'sha256-[\w+/=]+'$", policy)


def test_text_from_files_is_escaped(make_run):
    evil = "<script>alert(1)</script>"
    run = make_run(machines=[evil, '"><img src=x onerror=alert(1)>'], separation={"dgmix": 1.0})
    (run / "environment.json").write_text(json.dumps({evil: evil}), "utf-8")
    (run / "recipe.yaml").write_text(json.dumps({"evil": evil, "evaluate": {"bootstrap": 10}}))
    for log in run.rglob("log.jsonl"):
        log.write_text(json.dumps({"stage": evil, "epoch": 1, evil: 1.0, "loss": 1.0}), "utf-8")
    page = page_of(run)
    tags = [tag for tag, _ in page.elements]
    assert tags.count("script") == 1
    assert "img" not in tags
    assert any(row[0] == evil for row in page.table("Clips of each machine"))


def test_every_figure_is_well_formed_and_described(run):
    text = write_report(run).read_text("utf-8")
    figures = re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    assert len(figures) > 50
    for figure in map(fromstring, figures):
        assert figure.get("aria-hidden") or len(figure.get("aria-label", "")) > 10


def test_the_page_can_be_read_without_seeing_it(page):
    tags = [tag for tag, _ in page.elements]
    assert tags.count("h1") == tags.count("main") == tags.count("header") == tags.count("nav") == 1
    levels = [int(tag[1]) for tag in tags if re.fullmatch(r"h\d", tag)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert tags.count("caption") == tags.count("table")
    assert all("scope" in attributes for tag, attributes in page.elements if tag == "th")
    assert ("html", {"lang": "en"}) in page.elements
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [a["href"][1:] for t, a in page.elements if t == "a"]
    labelled = [a["aria-labelledby"] for _, a in page.elements if "aria-labelledby" in a]
    assert {*targets, *labelled} <= set(ids)


@pytest.mark.slow
def test_a_report_of_the_whole_benchmark_stays_small(make_run):
    machines = ("bearing", "fan", "gearbox", "valve", "slider", "ToyCar", "ToyTrain")
    sections = [f"0{number}" for number in range(6)]
    run = make_run(machines, sections, seeds=(0, 1, 2), clips=50, epochs=100)
    (run / "recipe.yaml").write_text("evaluate: {bootstrap: 10}\n", "utf-8")
    assert write_report(run).stat().st_size < 1_700_000


def test_missing_files_are_no_obstacle(make_run):
    run = make_run(machines=["fan"])
    for path in [*run.rglob("log.jsonl"), *run.rglob("clips.csv")]:
        path.unlink()
    (run / "recipe.yaml").unlink()
    (run / "environment.json").unlink()
    page = page_of(run)
    text = " ".join(page.texts)
    assert "holds no recipe.yaml" in text
    assert "holds no environment.json" in text
    assert "training" not in [attributes.get("id") for _, attributes in page.elements]


def test_a_machine_that_has_only_trained_so_far_can_be_chosen(make_run):
    run = make_run(separation={"dgmix": 1.0})
    for path in (run / "valve").rglob("scores*.csv"):
        path.unlink()
    page = page_of(run)
    options = [attributes["value"] for tag, attributes in page.elements if tag == "option"]
    assert options == ["fan", "valve", "", "dgmix"]
    assert [row[0] for row in page.table("Clips of each machine")] == ["Machine", "fan"]


def test_labels_that_are_unknown_leave_the_scores(make_run):
    run = make_run(machines=["fan"], separation={"dgmix": 1.0})
    for path in run.rglob("scores.csv"):
        path.write_text(
            re.sub(r",(normal|anomaly),", ",unknown,", path.read_text("utf-8")), "utf-8"
        )
    page = page_of(run)
    assert "nothing can be judged" in " ".join(page.texts)
    assert ("path", "bars unknown") in [(tag, a.get("class")) for tag, a in page.elements]
    assert "roc" not in [attributes.get("id") for _, attributes in page.elements]


def test_a_folder_without_scores_is_named(tmp_path):
    with pytest.raises(InputError, match=re.escape(str(tmp_path))):
        write_report(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        write_report(tmp_path / "nowhere")


def test_the_title_is_the_name_of_the_run(make_run, monkeypatch):
    run = make_run(machines=["fan"], separation={"dgmix": 1.0})
    monkeypatch.chdir(run)
    assert "<h1>run</h1>" in write_report(Path()).read_text("utf-8")
