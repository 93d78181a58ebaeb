"""From healthy recordings to a detector, to one that knows more, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from dgmix.config import Recipe, load_recipe
from dgmix.detect import learn
from dgmix.detect.bundle import load_detector, save_detector
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.judgement import ANOMALY, UNUSABLE, Judgement
from dgmix.detect.recordings import Sounds
from dgmix.detect.resolve import recipe_at
from dgmix.detect.sources import sounds
from dgmix.detect.summary import summary
from dgmix.errors import InputError

RATE = 16_000
Signals = list[NDArray[np.float64]]


@pytest.fixture(scope="module")
def recipe() -> Recipe:
    """The default recipe, which learns no view."""
    return recipe_at(load_recipe("default"), RATE)


def hums(count: int, seed: int, level: float = 1.0) -> Signals:
    """Return healthy recordings of a second: a hum and noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(RATE) / RATE
    hum = 0.1 * np.sin(2 * np.pi * 120 * time)
    return [level * (hum + 0.05 * rng.standard_normal(RATE)) for _ in range(count)]


def whistles(count: int, seed: int) -> Signals:
    """Return recordings of a fault: a whistle above the hum."""
    time = np.arange(RATE) / RATE
    return [each + 0.3 * np.sin(2 * np.pi * 3000 * time) for each in hums(count, seed)]


def given(
    signals: Signals, recipe: Recipe, conditions: Sequence[str] | None = None, **columns: object
) -> Sounds:
    """Return signals as healthy recordings of section 00."""
    recordings = sounds(signals, RATE, "00", "source")
    return recordings.relabelled(conditions=conditions, **columns)  # type: ignore[arg-type]


def judged(fitted: FittedDetector, signals: Signals) -> list[Judgement]:
    return list(fitted.judge_recordings(sounds(signals, RATE)))


@pytest.fixture(scope="module")
def fitted(recipe: Recipe) -> FittedDetector:
    return learn.fit(given(hums(12, seed=1), recipe), recipe, seed=4, false_alarm_rate=0.1)


# fit


def test_what_is_learned_is_kept_by_name(recipe: Recipe) -> None:
    conditions = ["idle", "", "run", ""]
    healthy = given(
        hums(4, seed=1), recipe, conditions, recordings=["r1", "r1", "", ""], domains=list("abcd")
    )
    clips = learn.fit(healthy, recipe).memory.clips
    assert clips.conditions == ("idle", "b", "run", "d")
    assert clips.recordings[:2] == ("r1", "r1")
    assert len({*clips.recordings}) == 3
    assert clips.seconds == pytest.approx(1, abs=0.04)


def test_the_choices_of_the_user_are_kept(fitted: FittedDetector, recipe: Recipe) -> None:
    assert (fitted.seed, fitted.false_alarm_rate, fitted.trained) == (4, 0.1, 12)
    assert (fitted.recipe, fitted.network, fitted.updates) == (recipe, None, ())
    assert fitted.statistics_of("").count == 12


def test_copies_count_as_one_recording(recipe: Recipe) -> None:
    signals = hums(4, seed=1)
    fitted = learn.fit(given([*signals, signals[0], 0.5 * signals[1]], recipe), recipe)
    assert (len(fitted.memory.clips), fitted.count("known")) == (6, 4)
    assert fitted.rate() == 1 / 5
    scores = fitted.healthy_scores()
    assert scores[0] == pytest.approx(scores[4])
    assert np.isfinite(scores).all()


def test_a_fit_is_the_same_again(recipe: Recipe, fitted: FittedDetector) -> None:
    again = learn.fit(given(hums(12, seed=1), recipe), recipe, seed=4, false_alarm_rate=0.1)
    queries = hums(3, seed=2)
    assert judged(again, queries) == judged(fitted, queries)


# update


def test_an_update_is_as_if_it_had_been_remembered_from_the_start(
    fitted: FittedDetector, recipe: Recipe
) -> None:
    first, more = hums(12, seed=1), hums(3, seed=7)
    updated = learn.update(fitted, given(more, recipe, ["winter"] * 3), accept=True)
    whole = given([*first, *more], recipe, ["source"] * 12 + ["winter"] * 3)
    fresh = learn.fit(whole, recipe, seed=4, false_alarm_rate=0.1)
    assert updated.memory.clips.conditions == fresh.memory.clips.conditions
    assert np.array_equal(updated.memory.clips.digests, fresh.memory.clips.digests)
    np.testing.assert_allclose(updated.healthy_scores(), fresh.healthy_scores(), rtol=1e-6)
    queries = [*hums(3, seed=8), *whistles(2, seed=9)]
    for one, other in zip(judged(updated, queries), judged(fresh, queries), strict=True):
        assert one.score == pytest.approx(other.score, rel=1e-6)
        assert (one.p_known, one.p_new) == (other.p_known, other.p_new)
        assert (one.view, one.condition) == (other.view, other.condition)
    for name in ("mean", "std", "rise", "fall"):
        values, expected = (getattr(d.statistics_of(""), name) for d in (updated, fresh))
        np.testing.assert_allclose(values, expected, atol=1e-3)
    assert (updated.trained, updated.statistics_of("").count) == (12, 15)


def test_what_looks_like_a_fault_is_left_out_and_verdicts_stay(
    fitted: FittedDetector, recipe: Recipe
) -> None:
    faults, queries = whistles(3, seed=3), [*hums(3, seed=5), *whistles(3, seed=6)]
    before = judged(fitted, queries)
    assert [each.verdict(0.1) == ANOMALY for each in before[3:]] == [True] * 3
    after = learn.update(fitted, given(faults, recipe))
    assert judged(after, queries) == before
    (entry,) = after.updates
    assert (entry.added, entry.left_out, entry.conditions) == (0, 3, ())
    assert after.rate() == fitted.rate()


def test_what_is_accepted_is_healthy_from_then_on(fitted: FittedDetector, recipe: Recipe) -> None:
    after = learn.update(fitted, given(whistles(3, seed=3), recipe), accept=True)
    assert all(each.verdict(0.1) != ANOMALY for each in judged(after, whistles(3, seed=6)))
    (entry,) = after.updates
    assert (entry.added, entry.left_out, entry.conditions) == (3, 0, ("source",))
    assert len(fitted.memory.clips) == 12


def test_healthy_recordings_join_and_faults_among_them_do_not(
    fitted: FittedDetector, recipe: Recipe
) -> None:
    mixed = [*hums(2, seed=10), *whistles(2, seed=11), *hums(2, seed=12)]
    looked_like_faults = [each.verdict(0.1) == ANOMALY for each in judged(fitted, mixed)]
    after = learn.update(fitted, given(mixed, recipe, list("abcdef")))
    (entry,) = after.updates
    assert looked_like_faults[2:4] == [True, True]
    assert entry.left_out == sum(looked_like_faults)
    kept = [name for name, odd in zip("abcdef", looked_like_faults, strict=True) if not odd]
    assert after.memory.clips.conditions[12:] == tuple(kept)
    assert entry.conditions == tuple(kept)


def test_recordings_that_it_knows_are_left_out(fitted: FittedDetector, recipe: Recipe) -> None:
    known, new = hums(12, seed=1)[:5], hums(1, seed=20)
    after = learn.update(fitted, given([*known, *new], recipe), accept=True)
    assert (len(after.memory.clips), after.updates[0].added) == (13, 1)
    same = learn.update(after, given([*known, *new], recipe))
    assert same.updates == after.updates
    assert judged(after, new)[0].learned


def test_an_update_that_fails_changes_nothing(fitted: FittedDetector, recipe: Recipe) -> None:
    before = judged(fitted, hums(2, seed=2))
    signals = given(hums(2, seed=3), recipe)
    broken = replace(signals, items=[signals.items[0], *sounds(["none.wav"]).items])
    with pytest.raises(InputError, match=r"none\.wav"):
        learn.update(fitted, broken, accept=True)
    assert (len(fitted.memory.clips), fitted.updates) == (12, ())
    assert judged(fitted, hums(2, seed=2)) == before


# undo


def test_undoing_restores_the_file_to_the_byte(
    fitted: FittedDetector, recipe: Recipe, tmp_path: Path
) -> None:
    states = [fitted]
    for seed, accept in ((21, True), (22, False), (23, True)):
        signals = [*hums(2, seed), *whistles(1, seed)]
        more = given(signals, recipe, [f"condition {seed}"] * 3)
        states.append(learn.update(states[-1], more, accept=accept))
    for number, state in enumerate(states):
        save_detector(state, tmp_path / f"{number}.dgmix")
    current = load_detector(tmp_path / "3.dgmix")
    for number in (2, 1, 0):
        current = learn.undo_update(current)
        save_detector(current, tmp_path / "undone.dgmix")
        expected = (tmp_path / f"{number}.dgmix").read_bytes()
        assert (tmp_path / "undone.dgmix").read_bytes() == expected
    with pytest.raises(InputError, match="never updated; there is nothing to undo"):
        learn.undo_update(current)


def test_an_update_that_added_nothing_can_be_undone(fitted: FittedDetector, recipe: Recipe) -> None:
    after = learn.update(fitted, given(whistles(2, seed=3), recipe))
    undone = learn.undo_update(after)
    assert (undone.updates, len(undone.bands)) == ((), 1)
    assert judged(undone, hums(2, seed=2)) == judged(fitted, hums(2, seed=2))


def test_every_update_is_listed(fitted: FittedDetector, recipe: Recipe) -> None:
    after = learn.update(fitted, given(hums(2, seed=30), recipe, ["b", "a"]), accept=True)
    after = learn.update(after, given(whistles(1, seed=31), recipe))
    entries = summary(after)["updates"]
    assert [(each["added"], each["left out"]) for each in entries] == [(2, 0), (0, 1)]
    assert entries[0]["conditions"] == ["a", "b"]
    assert all(each["time"].endswith("+00:00") for each in entries)


# Few recordings


def faults_of(healthy: Signals, seed: int) -> dict[str, NDArray[np.float64]]:
    """Return gross faults of a recording like the healthy ones."""
    rng = np.random.default_rng(seed)
    (usual,) = hums(1, seed)
    knocks = np.zeros(RATE)
    knocks[:: RATE // 8] = 0.9
    ring = np.exp(-np.arange(400) / 60) * np.sin(2 * np.pi * 1800 * np.arange(400) / RATE)
    return {
        "silence": np.zeros(RATE),
        "white noise": 0.3 * rng.standard_normal(RATE),
        "20 dB louder": 10 * usual,
        "knocks": usual + np.convolve(knocks, ring)[:RATE],
    }


@pytest.mark.parametrize("count", [2, 3])
def test_gross_faults_are_found_by_two_and_three_recordings(count: int, recipe: Recipe) -> None:
    for seed in range(3):
        healthy = hums(count, seed=100 + seed)
        fitted = learn.fit(given(healthy, recipe), recipe)
        rate = fitted.rate()
        assert rate == 1 / (count + 1)
        for name, sound in faults_of(healthy, seed=200 + seed).items():
            (judgement,) = judged(fitted, [sound])
            assert judgement.anomalous(rate), (name, judgement)
            assert judgement.verdict(rate) == (UNUSABLE if name == "silence" else ANOMALY)


def test_one_recording_alone_flags_nothing_and_says_so(recipe: Recipe) -> None:
    fitted = learn.fit(given(hums(1, seed=1), recipe), recipe)
    faults = list(faults_of(hums(1, seed=1), seed=2).values())
    judgement = judged(fitted, faults)
    assert [each.p_known for each in judgement] == [1.0] * 4
    assert np.isfinite([each.score for each in judgement]).all()
    assert [each.verdict(fitted.rate()) for each in judgement] == ["unusable", *["normal"] * 3]
    values = summary(fitted)
    assert values["promises"]["known conditions"]["smallest false-alarm rate"] is None
    assert values["threshold"] == {"00": None}
