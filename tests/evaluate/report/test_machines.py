import re

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from dgmix.evaluate.intervals import resample
from dgmix.evaluate.report import figures, machines
from dgmix.evaluate.scores import read_run, systems_of


@pytest.fixture(scope="module")
def scores(make_run):
    return read_run(make_run(separation={"dgmix": 0.6, "logmel-max": 0.9}))


@pytest.fixture(scope="module")
def judged(scores):
    return resample(scores, bootstrap=0)


def auc(scores, domain, **where):
    """The official AUC by scikit-learn: normals of the domain against all anomalies."""
    own = scores.filter(**where)
    normal = own.filter(label="normal", domain=domain)["score"].to_numpy()
    anomaly = own.filter(label="anomaly")["score"].to_numpy()
    labels = np.repeat([0, 1], [len(normal), len(anomaly)])
    return 100 * roc_auc_score(labels, np.concatenate([normal, anomaly]))


def test_distributions_of_every_machine_system_and_section(scores, judged):
    galleries = machines.score_distributions(scores, judged)
    assert [(g.machine, g.system) for g in galleries] == [
        (machine, system) for machine in ("fan", "valve") for system in ("dgmix", "logmel-max")
    ]
    assert all([p.name for p in g.panels] == ["Section 00", "Section 01"] for g in galleries)
    assert all(p.figure.count('class="bars') == 4 for g in galleries for p in g.panels)


def test_distributions_show_the_first_seed_with_its_auc(scores, judged):
    gallery = machines.score_distributions(scores, judged)[0]
    assert gallery.name == "fan, dgmix, seed 0"
    where = {"system": "dgmix", "machine": "fan", "section": "00", "seed": 0}
    shown = [float(number) for number in re.findall(r"\d+\.\d", gallery.panels[0].note)]
    assert shown == [
        pytest.approx(auc(scores, domain, **where), abs=0.051) for domain in ("source", "target")
    ]


def test_distributions_name_the_repeat_where_there_are_several(make_run):
    scores = read_run(make_run(machines=["fan"], repeats=[1, 2], separation={"dgmix": 1.0}))
    (gallery,) = machines.score_distributions(scores, resample(scores, bootstrap=0))
    assert gallery.name == "fan, dgmix, repeat 1, seed 0"


def test_roc_curves_have_the_mean_auc_over_sections_and_seeds(scores, judged):
    galleries = machines.roc_curves(judged, figures.looks(systems_of(scores)))
    assert [g.machine for g in galleries] == ["fan", "valve"]
    for domain, panel in zip(("source", "target"), galleries[1].panels, strict=True):
        for system, name in (("dgmix", "dgmix"), ("logmel-max", "log-mel max")):
            aucs = [
                auc(scores, domain, system=system, machine="valve", section=section, seed=seed)
                for section in ("00", "01")
                for seed in (0, 1)
            ]
            assert f"{name} {np.mean(aucs):.1f}" in panel.note


def test_no_roc_curve_without_both_labels(make_scores):
    scores = make_scores(labels=("normal",))
    assert machines.roc_curves(resample(scores, bootstrap=0), figures.looks(["dgmix"])) == []


def test_one_domain_alone_has_one_panel(make_scores):
    scores = make_scores(domains=("source",))
    judged = resample(scores, bootstrap=0)
    (gallery,) = machines.roc_curves(judged, figures.looks(["dgmix"]))
    assert [panel.name for panel in gallery.panels] == ["source domain"]
    (gallery,) = machines.score_distributions(scores, judged)
    assert re.fullmatch(r"AUC: source \d+\.\d", gallery.panels[0].note)


def test_clips_without_label_are_drawn_apart(make_scores):
    scores = make_scores(labels=("unknown",))
    (gallery,) = machines.score_distributions(scores, resample(scores, bootstrap=0))
    assert gallery.panels[0].note == ""
    assert gallery.panels[0].figure.count('class="bars unknown"') == 2
