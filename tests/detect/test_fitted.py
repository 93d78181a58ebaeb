"""What a detector has learned, as one value: scores of clips against explicit loops, and rates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from dgmix.audio.bank import MelBank
from dgmix.audio.frames import hop_frames
from dgmix.config import Recipe
from dgmix.detect.detector import Detector
from dgmix.detect.embed import embed
from dgmix.detect.fitted import FittedDetector
from dgmix.detect.judgement import ANOMALY
from dgmix.detect.learn import healthy_clips, remember
from dgmix.detect.recordings import COLUMNS, Sounds
from dgmix.detect.sources import sounds
from dgmix.detect.windows import windows_of
from dgmix.errors import InputError

Make = Callable[..., FittedDetector]
POOLS = ["mean-embedding", "mean-distance", "max-distance"]
SECTIONS = ["00", "01"] * 4
RATE = 16_000


@pytest.fixture(scope="module")
def others(make_bank: Callable[..., MelBank], tiny: Recipe) -> MelBank:
    """Three clips that are not among the healthy ones."""
    return make_bank(tiny, [1.9, 0.4, 1.2], seed=9)


def scores(fitted: FittedDetector, bank: MelBank, sections: list[str]) -> NDArray[np.float64]:
    names = [""] * len(bank)
    return np.array([each.score for each in fitted.judge(bank, names, sections)])


def window_embeddings(fitted: FittedDetector, bank: MelBank) -> list[NDArray[np.float64]]:
    """Return the embeddings (window, dim) of each clip's windows."""
    network = fitted.network
    assert network is not None
    windows = windows_of(bank, network.crop_frames, hop_frames(fitted.recipe))
    embeddings = embed(network, bank, windows).astype(np.float64)
    return [embeddings[windows.clips == clip] for clip in range(len(bank))]


def score_of(
    pool: str, clip: NDArray[np.float64], known: list[NDArray[np.float64]], k: int
) -> float:
    """Return the score of one clip's windows against those of the known clips."""
    if pool == "mean-embedding":
        clip = clip.mean(0, keepdims=True)
        known = [each.mean(0, keepdims=True) for each in known]
    distances = np.sort(cdist(clip, np.concatenate(known)), axis=1)[:, :k].mean(1)
    return float(distances.max() if pool == "max-distance" else distances.mean())


def of_section(known: list[NDArray[np.float64]], section: str) -> list[NDArray[np.float64]]:
    return [k for k, s in zip(known, SECTIONS, strict=True) if s == section]


# Scores of one view are distances


@pytest.mark.parametrize("neighbors", [1, 3])
@pytest.mark.parametrize("pool", POOLS)
def test_scores_equal_a_loop_over_clips(
    pool: str, neighbors: int, make_fitted: Make, healthy: MelBank, others: MelBank
) -> None:
    fitted = make_fitted(pool=pool, neighbors=neighbors)
    known, queries = (window_embeddings(fitted, bank) for bank in (healthy, others))
    sections = ["01", "00", "01"]
    expected = [
        score_of(pool, clip, of_section(known, section), neighbors)
        for clip, section in zip(queries, sections, strict=True)
    ]
    np.testing.assert_allclose(scores(fitted, others, sections), expected, rtol=1e-5)


@pytest.mark.parametrize("pool", POOLS)
def test_healthy_scores_leave_the_clip_itself_out(
    pool: str, make_fitted: Make, healthy: MelBank
) -> None:
    fitted = make_fitted(pool=pool)
    known = window_embeddings(fitted, healthy)
    for section in ("00", "01"):
        own = of_section(known, section)
        expected = [score_of(pool, own[i], own[:i] + own[i + 1 :], 1) for i in range(4)]
        np.testing.assert_allclose(fitted.healthy_scores(section), expected, rtol=1e-5)


def test_sections_are_kept_apart_or_not(
    make_fitted: Make, healthy: MelBank, others: MelBank
) -> None:
    apart, together = make_fitted(), make_fitted(per_section=False)
    known, queries = (window_embeddings(apart, bank) for bank in (healthy, others))
    everything = [score_of("mean-embedding", clip, known, 1) for clip in queries]
    as_00, as_01 = (scores(apart, others, [name] * 3) for name in ("00", "01"))
    np.testing.assert_allclose(np.minimum(as_00, as_01), everything, rtol=1e-5)
    assert not np.allclose(as_00, as_01)
    for name in ("00", "01", "elsewhere"):
        np.testing.assert_allclose(scores(together, others, [name] * 3), everything, rtol=1e-5)
    np.testing.assert_allclose(scores(apart, others, ["elsewhere"] * 3), everything, rtol=1e-5)


@pytest.mark.parametrize("pool", POOLS)
def test_a_clip_scores_the_same_alone_and_among_others(
    pool: str, make_fitted: Make, make_bank: Callable[..., MelBank], tiny: Recipe
) -> None:
    fitted = make_fitted(pool=pool)
    bank = make_bank(tiny, [2.0] * 30, seed=4)
    together = scores(fitted, bank, ["00"] * 30)
    size = np.linalg.norm(fitted.memory.views["dgmix"].values, axis=1).max()
    for clip in (0, 13, 29):
        alone = scores(fitted, MelBank([bank._clips[clip]], bank.n_mels), ["00"])
        np.testing.assert_allclose(alone, together[clip], rtol=0, atol=1e-5 * size)


@pytest.mark.parametrize("pool", POOLS)
def test_the_last_second_of_ten_changes_the_score(
    pool: str, make_fitted: Make, make_bank: Callable[..., MelBank], tiny: Recipe
) -> None:
    fitted = make_fitted(pool=pool)
    known = make_bank(tiny, [10.0], seed=7)
    changed = np.array(known._clips[0])
    changed[-31:] *= 3
    one = Sounds(["clip"], [], ["00"], ["source"], [""], [""])
    alone = remember(fitted.recipe, fitted.network, known, healthy_clips(one, known, fitted.recipe))
    assert scores(alone, known, ["00"]) == pytest.approx(0, abs=1e-3)
    assert scores(alone, MelBank([changed], known.n_mels), ["00"]) > 0.02


def test_no_clips_have_no_judgements(make_fitted: Make, tiny: Recipe) -> None:
    assert make_fitted().judge(MelBank([], tiny.features.n_mels), [], []) == []


# Judgements


VIEWS = ["dgmix", "logmel-mean", "logmel-max", "logmel-rhythm"]


def test_a_judgement_says_what_it_was_compared_with(
    make_fitted: Make, healthy: MelBank, others: MelBank
) -> None:
    fitted = make_fitted(views=VIEWS)
    judged = fitted.judge(others, ["a", "b", "c"], ["00", "elsewhere", "01"])
    assert [each.name for each in judged] == ["a", "b", "c"]
    assert [each.section for each in judged] == ["00", "", "01"]
    for each in judged:
        assert list(each.view_scores) == VIEWS
        assert each.view == max(VIEWS, key=lambda name, of=each: of.view_scores[name])
        assert each.condition in ("source", "target")
        assert not each.learned
    again = fitted.judge(healthy, [""] * 8, SECTIONS)
    assert all(each.learned for each in again)
    assert [each.condition for each in again] == list(fitted.memory.clips.conditions)


@pytest.mark.parametrize("changes", [{}, {"views": VIEWS}, {"views": VIEWS[1:], "neighbors": 2}])
def test_verdict_score_and_threshold_agree(
    changes: dict[str, object], make_fitted: Make, make_bank: Callable[..., MelBank]
) -> None:
    fitted = make_fitted(**changes)
    bank = make_bank(fitted.recipe, [0.4, 0.9, 2.0, 1.1, 0.7, 1.6], seed=5)
    loud = [bank._clips[i] * np.float16(10 ** (i - 2)) for i in range(6)]
    bank = MelBank([*bank._clips, *loud], bank.n_mels)
    for section, named in (("00", None), ("01", "source"), ("elsewhere", "target")):
        judged = fitted.judge(bank, [""] * 12, [section] * 12, [named] * 12)
        calibration = fitted.calibration(section)
        for rate in (0.2, 1 / 3, 0.5, 0.7):
            limit = calibration.threshold(rate, named)
            flagged = [each.verdict(rate) == ANOMALY for each in judged]
            assert flagged == [each.score > limit for each in judged]
        by_score = sorted(judged, key=lambda each: each.score)
        p_values = [each.p_known for each in by_score]
        assert p_values == sorted(p_values, reverse=True)


def test_views_may_be_left_out(make_fitted: Make, others: MelBank) -> None:
    views = ["logmel-min", "dgmix", "logmel-max"]
    sections = ["00", "01", "new"]
    fitted = make_fitted(views=views)
    for some in (["dgmix"], ["logmel-max", "logmel-min"], views):
        part, alone = fitted.with_views(some), make_fitted(views=some)
        assert part.views == some
        judged, expected = (each.judge(others, [""] * 3, sections) for each in (part, alone))
        assert judged == expected


# Rates and promises


def test_the_rate_is_that_of_the_sections_and_conditions_asked_about(make_fitted: Make) -> None:
    fitted = make_fitted()  # section 00: 3 source, 1 target; 01: the same; 8 in all
    assert fitted.sections == ["00", "01"]
    assert fitted.count("known") == fitted.count("known", ["00"]) == 4
    assert fitted.count("known", ["elsewhere"]) == 8
    assert fitted.count("known", ["elsewhere", "01"]) == 4
    assert fitted.count("known", ["00"], "source") == 3
    assert fitted.count("known", ["elsewhere"], "target") == 2
    assert fitted.count("new") == fitted.count("new", ["elsewhere"]) == 2
    assert fitted.rate() == fitted.rate(1 / 5) == 1 / 5
    assert fitted.rate(1 / 9, ["elsewhere"]) == 1 / 9
    assert fitted.rate(None, ["00"], "new") == 1 / 3
    with pytest.raises(InputError, match="9 healthy recordings, and there are 4"):
        fitted.rate(1 / 10)
    with pytest.raises(InputError, match=r"3 healthy recordings of condition target, and .* are 1"):
        fitted.rate(1 / 4, ["00"], "known", "target")
    with pytest.raises(InputError, match="9 healthy conditions, and there are 2"):
        fitted.rate(1 / 10, ["elsewhere"], "new")


def test_the_default_promise_is_for_both_where_the_conditions_allow_it(
    make_fitted: Make,
) -> None:
    fitted = make_fitted()
    assert fitted.promise(None) == "known"  # 1/5 needs 4 conditions, and there are 2
    assert fitted.promise(0.4) == "both"
    assert fitted.promise(0.4, condition="source") == "known"
    assert fitted.promise(0.4, condition="winter") == "new"


@pytest.mark.parametrize("changes", [{"scorer": "gmm"}, {"whiten": True}], ids=str)
def test_nothing_is_promised_of_new_conditions_where_scores_are_estimated(
    changes: dict[str, object], make_fitted: Make
) -> None:
    fitted = make_fitted(per_section=False, **changes)
    assert fitted.count("new") == 0
    assert fitted.promise(0.5) == "known"
    for promise in ("new", "both"):
        with pytest.raises(InputError, match="nothing is promised of new conditions: this needs"):
            fitted.rate(0.5, [], promise)  # type: ignore[arg-type]


def test_a_section_must_be_known(make_fitted: Make) -> None:
    fitted = make_fitted()
    fitted.check_section("")
    fitted.check_section("01")
    with pytest.raises(
        InputError, match=r"section 07: the detector does not know it.*; choose from 00, 01"
    ):
        fitted.check_section("07")
    assert fitted.key("07") == fitted.key("") == ""


# From recordings to judgements


def test_recordings_are_judged_in_order_and_broken_ones_are_told(
    make_fitted: Make, tiny: Recipe
) -> None:
    rng = np.random.default_rng(0)
    signals = [0.1 * rng.standard_normal(RATE) for _ in range(3)]
    fitted = make_fitted()
    given = sounds(signals, RATE)
    broken = sounds(["none.wav"])
    mixed = Sounds(*(getattr(given, name) + getattr(broken, name) for name in COLUMNS)).select(
        [0, 3, 1, 2]
    )
    judged = list(fitted.judge_recordings(mixed, ["source", None, "target", None]))
    assert [each.error is None for each in judged] == [True, False, True, True]
    assert [each.name for each in judged] == mixed.names
    assert np.isnan(judged[1].score)
    whole = list(fitted.judge_recordings(given))
    np.testing.assert_allclose(
        [each.score for each in judged if not each.error],
        [each.score for each in whole],
        atol=1e-5,
    )
    expected = Detector.of(fitted).p_values(given, conditions=["source", "target", None])
    assert [each.p_known for each in judged if not each.error] == expected.tolist()
