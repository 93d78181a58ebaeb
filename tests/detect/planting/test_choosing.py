"""The choice among candidates by faults planted in healthy recordings."""

from __future__ import annotations

import numpy as np
import pytest

from dgmix import choose
from dgmix.config import load_recipe, parse_recipe
from dgmix.detect.planting import choosing, measuring
from dgmix.detect.planting.candidates import Candidate, candidates
from dgmix.detect.planting.choosing import (
    KIND_NAMES,
    LOSS,
    choice_of,
    recordings_to_try,
    separation,
)
from dgmix.detect.planting.reporting import choice_report
from dgmix.detect.planting.trials import FOLDS, Trials, folds_of
from dgmix.detect.sources import healthy_sounds
from dgmix.errors import InputError
from dgmix.evaluate.metrics import auc, pauc

RATE = 16_000
RECIPE = load_recipe("default", ["detect.views=[logmel-mean, logmel-max, cepstrum]"])
NAMES = ("first", "second", "third")
OPTIONS = [Candidate(name, RECIPE) for name in NAMES]


def trials(gains: tuple[float, ...], hosts: int = 24, domains: int = 1, seed: int = 0) -> Trials:
    """Return trials of candidates for which a fault scores so much more than without it."""
    rng = np.random.default_rng(seed)
    healthy = rng.standard_normal((len(gains), hosts))
    faulty = rng.standard_normal((len(gains), 3 * hosts)) + np.array(gains)[:, None]
    numbers = np.arange(hosts)
    named = np.array(["source", "target"])[numbers % domains]
    return Trials(
        np.concatenate([healthy, faulty], 1),
        np.concatenate([numbers, np.repeat(numbers, 3)]),
        np.full(4 * hosts, "00"),
        np.concatenate([named, np.repeat(named, 3)]),
        np.concatenate([np.full(hosts, -1), np.tile(np.arange(3), hosts)]),
    )


@pytest.mark.parametrize("domains", [1, 2])
def test_the_mean_over_faults_is_that_of_the_official_measures(domains: int) -> None:
    tried = trials((0.0, 1.0, 2.0), domains=domains)
    values, items = separation(tried)
    normal = tried.faults < 0
    names = ["source", "target"][:domains]
    for row, scores in zip(values, tried.scores, strict=True):
        parts = [auc(scores[normal & (tried.domains == d)], scores[~normal]) for d in names]
        expected = np.mean([*parts, pauc(scores[normal], scores[~normal])])
        assert row.mean() == pytest.approx(100 * expected, abs=1e-9)
    np.testing.assert_array_equal(items, np.flatnonzero(~normal))


def test_the_default_is_kept_unless_another_is_better_by_more_than_chance() -> None:
    kept = choice_of(OPTIONS, trials((1.0, 1.05, 0.0)))
    assert kept.chosen.candidate.name == "first"
    assert (
        "'first' is kept: no candidate is better by more than chance, and as good"
        in choice_report(kept)
    )
    replaced = choice_of(OPTIONS, trials((0.0, 1.0, 3.0)))
    assert replaced.chosen.candidate.name == "third"
    assert replaced.tried[0].gain == replaced.tried[0].error == 0
    assert "'third' is better than 'first'" in choice_report(replaced)


def test_a_candidate_that_loses_for_one_kind_of_fault_is_not_chosen() -> None:
    tried = trials((0.0, 1.0, 3.0))
    tried.scores[2, tried.faults == 1] -= 4
    choice = choice_of(OPTIONS, tried)
    assert choice.tried[2].gain > choice.tried[1].gain > 2
    assert choice.tried[2].worst[0] == KIND_NAMES[1]
    assert choice.tried[2].worst[1] < -LOSS
    assert choice.chosen.candidate.name == "second"
    assert f"for {KIND_NAMES[1]}" in choice_report(choice)


def test_each_fold_has_some_of_each_domain_and_whole_recordings() -> None:
    names = [f"r{number // 2}" for number in range(32)]
    domains = ["source"] * 16 + ["target"] * 16
    folds = folds_of(names, ["00"] * 32, domains)
    assert (folds[::2] == folds[1::2]).all()
    for domain in ("source", "target"):
        own = folds[np.array(domains) == domain]
        assert np.bincount(own, minlength=FOLDS).tolist() == [4] * FOLDS


def test_candidates_are_variants_with_several_views() -> None:
    options = candidates(RECIPE, "mine")
    assert (options[0].name, options[0].recipe) == ("mine", RECIPE)
    views = {each.name: list(each.recipe.detect.views) for each in options}
    assert views["without peaks"] == ["logmel-mean", "cepstrum"]
    assert views["with rhythm"] == ["logmel-mean", "logmel-max", "cepstrum", "logmel-rhythm"]
    assert all(len(of) > 1 for of in views.values())
    single = candidates(load_recipe("published"))
    assert all("dgmix" in each.recipe.detect.views for each in single)
    for each in (*options, *single):
        parse_recipe(each.recipe.model_dump(mode="json"), each.name)


def test_few_recordings_of_both_domains_are_tried() -> None:
    sounds = healthy_sounds([np.zeros(10)] * 40, RATE)
    sounds = sounds.relabelled(domains=["source"] * 36 + ["target"] * 4)
    chosen = recordings_to_try(sounds, 20)
    assert len(chosen) == 20
    assert chosen[-4:] == [36, 37, 38, 39]


def test_choosing_from_recordings_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choosing, "FEW_PLANTINGS", 12)
    monkeypatch.setattr(measuring, "FEW_PLANTINGS", 2)
    rng = np.random.default_rng(0)
    sounds = [0.1 * rng.standard_normal(RATE // 5) for _ in range(12)]
    changes = ["detect.views=[logmel-mean, logmel-max]", "features.n_mels=32"]
    choice = choose(sounds, sample_rate=RATE, changes=changes, quick=True)
    assert choice.recordings == 12
    assert choice.faults == 13 * 12
    values = {each.candidate.name: each.value for each in choice.tried}
    assert values["default"] > 60
    assert choice.sensitivity is not None
    assert choice.recipe.detect.views == choice.chosen.candidate.recipe.detect.views
    again = choose(sounds, sample_rate=RATE, changes=changes, quick=True)
    assert again.as_values() == choice.as_values()


def test_seven_recordings_are_too_few() -> None:
    with pytest.raises(
        InputError, match="needs 8 healthy recordings of a section, and there are 7"
    ):
        choose([np.ones(100)] * 7, sample_rate=RATE)
