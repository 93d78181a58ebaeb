"""Intervals: equal to the plain metric on resampled clips, stratified, paired, reproducible."""

from __future__ import annotations

from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from dgmix.errors import DgmixError
from dgmix.evaluate import draws
from dgmix.evaluate.draws import Clips, resampled_metrics
from dgmix.evaluate.intervals import clips_of, resample
from dgmix.evaluate.metrics import METRICS, harmonic_mean

groups_of_scores = st.lists(
    st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=8), min_size=4, max_size=4
)


def oracle(scores, groups, normal, anomaly, max_fpr=None):
    chosen = np.isin(groups, [*normal, *anomaly])
    return roc_auc_score(np.isin(groups, anomaly)[chosen], scores[chosen], max_fpr=max_fpr)


def oracle_metrics(scores, groups, convention):
    official = convention == "official"
    return [
        oracle(scores, groups, [0], [1, 3] if official else [1]),
        oracle(scores, groups, [2], [1, 3] if official else [3]),
        oracle(scores, groups, [0, 2], [1, 3], 0.1),
    ]


@settings(max_examples=30, deadline=None)
@given(groups_of_scores, st.sampled_from(["official", "same-domain"]), st.integers(0, 99))
def test_resampled_metrics_equal_scikit_learn_on_the_resampled_clips(lists, convention, seed):
    groups = np.repeat(range(4), [len(x) for x in lists])
    clips = Clips(np.concatenate(lists), groups, ("",) * len(groups))
    metrics = resampled_metrics(clips, convention, 8, np.random.default_rng(seed))
    times = np.concatenate(list(draws._draws(groups, 8, np.random.default_rng(seed))))
    assert metrics.shape == (9, 3)
    for row, each in zip(metrics, times.astype(int), strict=True):
        drawn = np.repeat(clips.scores, each), np.repeat(groups, each)
        np.testing.assert_allclose(row, oracle_metrics(*drawn, convention), atol=1e-12)


def test_resamples_are_stratified_and_come_in_batches(monkeypatch):
    monkeypatch.setattr(draws, "CLIPS_AT_ONCE", 30)
    groups = np.repeat([0, 1, 3], [5, 3, 2])
    batches = list(draws._draws(groups, 50, np.random.default_rng(0)))
    assert {len(batch) for batch in batches[1:]} == {2, 3}
    times = np.concatenate(batches)
    assert times.shape == (51, 10)
    assert (times[0] == 1).all()
    for group, size in Counter(groups.tolist()).items():
        assert (times[:, groups == group].sum(axis=1) == size).all()
    assert times[1:].std(axis=0).min() > 0.5


def delong_error(normal, anomaly):
    """Standard error of the AUC (DeLong, DeLong, Clarke-Pearson 1988)."""
    above = (anomaly[:, None] > normal) + (anomaly[:, None] == normal) / 2
    parts = above.mean(axis=1).var(ddof=1) / len(anomaly) + above.mean(axis=0).var(ddof=1) / len(
        normal
    )
    return np.sqrt(parts)  # fmt: skip


def test_an_interval_is_as_wide_as_delongs(make_scores):
    scores = make_scores(clips=150, decimals=6)
    estimate = resample(scores, "same-domain", 4000).estimate("dgmix", ["auc_source"])
    by_label = [
        scores.filter(pl.col("label") == label, pl.col("domain") == "source")["score"].to_numpy()
        for label in ("normal", "anomaly")
    ]
    assert estimate.high - estimate.low == pytest.approx(
        2 * 1.96 * delong_error(*by_label), rel=0.08
    )
    assert estimate.low < estimate.value < estimate.high


def test_the_value_is_the_harmonic_mean_of_the_plain_metrics(make_scores):
    scores = make_scores(("fan", "valve"), ("00", "01"))
    judged = resample(scores, bootstrap=0)
    plain = [
        oracle_metrics(clips.scores, clips.groups, "official")
        for clips in clips_of(scores).values()
    ]
    assert judged.estimate("dgmix").value == pytest.approx(harmonic_mean(plain))
    for number, metric in enumerate(METRICS):
        column = np.array(plain)[:, number]
        assert judged.estimate("dgmix", [metric]).value == pytest.approx(harmonic_mean(column))
    fan = judged.estimate("dgmix", machine="fan", places={("fan", "01")})
    assert fan.value == pytest.approx(harmonic_mean(plain[1]))
    assert np.isnan([fan.low, fan.high, fan.error]).all()


def test_results_do_not_depend_on_row_order_or_other_machines(make_scores):
    scores = make_scores(("fan", "valve"), seeds=(0, 1))
    shuffled = scores.sample(fraction=1, shuffle=True, seed=3)
    judged, again = (resample(table, bootstrap=50) for table in (scores, shuffled))
    assert judged.estimate("dgmix") == again.estimate("dgmix")
    alone = resample(scores.filter(machine="valve"), bootstrap=50)
    assert alone.estimate("dgmix") == judged.estimate("dgmix", machine="valve")
    other = resample(scores, bootstrap=50, seed=1).estimate("dgmix")
    assert other.value == judged.estimate("dgmix").value
    assert other.low != judged.estimate("dgmix").low


def with_system(scores, name, change):
    return scores.with_columns(system=pl.lit(name), score=change)


def test_differences_are_paired(make_scores):
    scores = make_scores(clips=40, seeds=(0, 1))
    noise = pl.Series(np.random.default_rng(5).normal(size=len(scores)))
    same_order = with_system(scores, "stretched", pl.col("score") * 3 + 1)
    nearly = with_system(scores, "nearly", pl.col("score") + 0.2 * noise)
    judged = resample(pl.concat([scores, same_order, nearly]), bootstrap=200)
    assert judged.difference("dgmix", "stretched") == (0, 0, 0, pytest.approx(np.nan, nan_ok=True))
    difference = judged.difference("nearly", "dgmix")
    ours, theirs = judged.estimate("dgmix"), judged.estimate("nearly")
    assert difference.value == pytest.approx(theirs.value - ours.value)
    assert difference.high - difference.low < 0.5 * (ours.high - ours.low)


def test_different_clips_are_not_compared(make_scores):
    scores = make_scores()
    other = with_system(scores, "other", pl.col("score"))
    fewer = resample(pl.concat([scores, other.head(-1)]), bootstrap=5)
    with pytest.raises(DgmixError, match="did not score the same clips"):
        fewer.difference("dgmix", "other")


def test_seeds_and_splits_that_one_system_lacks_do_not_count_for_a_lead(make_scores):
    good, bad = make_scores(clips=40, gap=3.0), make_scores(clips=40, gap=0.0)
    for change in ({"seed": 1}, {"repeat": 1}):
        both = pl.concat(
            [good, bad.with_columns(**{k: pl.lit(v, pl.Int64) for k, v in change.items()})]
        )
        other = with_system(good, "other", pl.col("score"))
        judged = resample(pl.concat([both, other]), bootstrap=5)
        assert judged.difference("dgmix", "other").value == 0
        assert judged.difference("other", "dgmix").value == 0
        assert judged.trainings("other") == [(0, 0)]
        assert len(judged.trainings("dgmix")) == 2


def test_seeds_that_disagree_widen_the_interval(make_scores):
    good, bad = make_scores(clips=40, gap=3.0), make_scores(clips=40, gap=0.0)
    seeds = pl.concat([good, bad.with_columns(seed=pl.lit(1, pl.Int64))])
    judged = resample(seeds, bootstrap=400)
    values = [resample(each, bootstrap=0).estimate("dgmix").value for each in (good, bad)]
    estimate = judged.estimate("dgmix")
    assert estimate.value == pytest.approx(np.mean(values))
    assert estimate.low < values[1] + 0.1
    assert estimate.high > values[0] - 0.1


def test_a_seed_that_lacks_sections_is_left_out(make_scores):
    scores = make_scores(("fan", "valve"), seeds=(0, 1))
    partial = scores.filter((pl.col("seed") == 0) | (pl.col("machine") == "fan"))
    judged = resample(partial, bootstrap=0)
    whole = resample(scores.filter(seed=0), bootstrap=0)
    assert judged.partial_trainings("dgmix") == [(0, 1)]
    assert judged.estimate("dgmix").value == whole.estimate("dgmix").value
    fan = [each.estimate("dgmix", machine="fan").value for each in (judged, whole)]
    assert fan[0] != fan[1]
    crossed = scores.filter((pl.col("seed") == 0) == (pl.col("machine") == "fan"))
    assert np.isnan(resample(crossed, bootstrap=0).estimate("dgmix").value)


def test_repeats_give_mean_and_standard_error(make_scores):
    scores = make_scores(repeats=(0, 1, 2, 3), seeds=(0, 1), systems=("dgmix", "other"))
    judged = resample(scores)

    def values(system):
        return np.array([
            resample(scores.filter(system=system, repeat=r), bootstrap=0).estimate(system).value
            for r in range(4)
        ])  # fmt: skip

    ours, others = values("dgmix"), values("other")
    estimate = judged.estimate("dgmix")
    assert estimate.value == pytest.approx(ours.mean())
    assert estimate.error == pytest.approx(ours.std(ddof=1) / 2)
    assert np.isnan(estimate.low)
    gap = judged.difference("dgmix", "other")
    assert gap.value == pytest.approx((ours - others).mean())
    assert gap.error == pytest.approx((ours - others).std(ddof=1) / 2)


def test_undefined_metrics_stay_out_of_the_means(make_scores):
    whole = make_scores(("valve",), ("01",))
    one_class = make_scores(("fan",), labels=("normal",))
    no_target = make_scores(("fan",), ("01",), domains=("source",))
    unlabelled = make_scores(("fan",), ("02",)).with_columns(label=pl.lit("unknown"))
    judged = resample(pl.concat([whole, one_class, no_target, unlabelled]), bootstrap=20)
    assert len(judged.cells) == 4
    alone = resample(whole, bootstrap=20)
    assert judged.estimate("dgmix", ["auc_target"]) == alone.estimate("dgmix", ["auc_target"])
    nothing = judged.estimate("dgmix", machine="fan", places={("fan", "00"), ("fan", "02")})
    assert np.isnan(nothing).all()
    assert judged.estimate("dgmix", machine="fan").value > 0.5


def test_an_absent_system_and_an_empty_table_are_undefined(make_scores):
    assert np.isnan(resample(make_scores(), bootstrap=5).estimate("nobody")).all()
    assert resample(make_scores().head(0)).cells == {}


def test_training_clips_are_not_judged(make_scores):
    scores = make_scores()
    train = scores.with_columns(split=pl.lit("train"), path="train/" + pl.col("path"), score=9.0)
    assert resample(pl.concat([scores, train]), bootstrap=0).estimate("dgmix") == resample(
        scores, bootstrap=0
    ).estimate("dgmix")
