"""Metrics against scikit-learn and scipy, and what must hold of any scores."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import hmean
from sklearn.metrics import roc_auc_score

from dgmix.evaluate.metrics import (
    SectionScores,
    arithmetic_mean,
    auc,
    harmonic_mean,
    pauc,
    section_metrics,
)

few_values = st.lists(st.integers(-4, 4).map(float), min_size=1, max_size=40)
many_values = st.lists(st.floats(-1e6, 1e6, width=32), min_size=1, max_size=40)
scores = few_values | many_values


def oracle(normal, anomaly, max_fpr=None):
    truth = [0] * len(normal) + [1] * len(anomaly)
    return roc_auc_score(truth, [*normal, *anomaly], max_fpr=max_fpr)


@given(scores, scores)
def test_auc_equals_scikit_learn(normal, anomaly):
    assert auc(normal, anomaly) == pytest.approx(oracle(normal, anomaly), abs=1e-12)


@given(scores, scores, st.sampled_from([0.01, 0.1, 0.25, 0.5, 0.9, 1.0]))
def test_pauc_equals_scikit_learn(normal, anomaly, max_fpr):
    expected = oracle(normal, anomaly, max_fpr)
    assert pauc(normal, anomaly, max_fpr) == pytest.approx(expected, abs=1e-12)


@given(few_values, few_values)
def test_only_the_order_of_scores_counts(normal, anomaly):
    stretched = [np.exp(np.asarray(x)) * 7 - 3 for x in (normal, anomaly)]
    assert auc(*stretched) == auc(normal, anomaly)
    assert pauc(*stretched) == pauc(normal, anomaly)


@given(scores, scores)
def test_swapping_the_classes_mirrors_the_auc(normal, anomaly):
    assert auc(normal, anomaly) + auc(anomaly, normal) == pytest.approx(1)


def test_perfect_equal_and_reversed_scores():
    low, high = [0.0, 1.0], [2.0, 3.0]
    assert (auc(low, high), pauc(low, high)) == (1, 1)
    assert (auc(low, low), pauc([1.0], [1.0])) == (0.5, 0.5)
    assert auc(high, low) == 0
    assert pauc(high, low) == pytest.approx(oracle(high, low, 0.1))


@pytest.mark.parametrize(("normal", "anomaly"), [([], [1.0]), ([1.0], []), ([], [])])
def test_one_class_alone_is_undefined(normal, anomaly):
    assert np.isnan(auc(normal, anomaly))
    assert np.isnan(pauc(normal, anomaly))


@pytest.mark.parametrize("max_fpr", [0, -0.1, 1.1, float("nan")])
def test_a_false_positive_rate_out_of_range_is_refused(max_fpr):
    with pytest.raises(ValueError, match="max_fpr"):
        pauc([0.0], [1.0], max_fpr)


@given(st.lists(st.floats(1e-3, 1), min_size=1))
def test_harmonic_mean_equals_scipy(values):
    assert harmonic_mean(values) == pytest.approx(hmean(values))


def test_means_leave_undefined_out():
    values = [[0.5, np.nan], [1.0, np.nan]]
    assert harmonic_mean(values) == pytest.approx(2 / 3)
    np.testing.assert_allclose(harmonic_mean(values, axis=0), [2 / 3, np.nan])
    np.testing.assert_allclose(arithmetic_mean(values, axis=0), [0.75, np.nan])
    assert np.isnan(harmonic_mean([]))
    assert np.isnan(arithmetic_mean([np.nan]))


def test_an_auc_of_zero_has_the_organisers_floor():
    assert harmonic_mean([0.0, 0.0]) == 2.220446049250313e-16
    assert harmonic_mean([0.0] * 3 + [1.0] * 18) == pytest.approx(1.554312234475215e-15)


def section(rng, sizes):
    return SectionScores(*(np.round(rng.normal(i % 2, 1, n), 1) for i, n in enumerate(sizes)))


@pytest.mark.parametrize("seed", range(5))
def test_conventions_differ_only_in_the_anomalies_of_a_domain(seed):
    clips = section(np.random.default_rng(seed), (20, 15, 10, 12))
    anomalies = np.concatenate([clips.source_anomaly, clips.target_anomaly])
    normals = np.concatenate([clips.source_normal, clips.target_normal])
    whole = oracle(normals, anomalies, 0.1)
    np.testing.assert_allclose(
        section_metrics(clips, "official"),
        [oracle(clips.source_normal, anomalies), oracle(clips.target_normal, anomalies), whole],
    )
    np.testing.assert_allclose(
        section_metrics(clips, "same-domain"),
        [
            oracle(clips.source_normal, clips.source_anomaly),
            oracle(clips.target_normal, clips.target_anomaly),
            whole,
        ],
    )


def test_a_section_without_target_clips_leaves_that_term_undefined():
    metrics = section_metrics(section(np.random.default_rng(0), (9, 9, 0, 0)), "official")
    assert np.isnan(metrics.auc_target)
    assert metrics.auc_source > 0.5
    assert np.isfinite(metrics.pauc)


def test_a_section_of_one_class_is_undefined_throughout():
    assert np.isnan(
        section_metrics(section(np.random.default_rng(0), (9, 0, 9, 0)), "official")
    ).all()
    empty = SectionScores(*(np.empty(0) for _ in range(4)))
    assert np.isnan(section_metrics(empty, "same-domain")).all()
