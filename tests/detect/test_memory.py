"""Scores of clips against explicit loops: pooling, sections, leave-one-out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from dgmix.audio.bank import MelBank
from dgmix.config import DetectSettings, Recipe
from dgmix.detect.detector import Detector
from dgmix.detect.embed import embed, hop_frames, windows_of
from dgmix.detect.memory import Comparison, Memory, score_view
from dgmix.detect.views import Vectors

Make = Callable[..., Detector]
POOLS = ["mean-embedding", "mean-distance", "max-distance"]
SECTIONS = ["00", "01"] * 4


@pytest.fixture(scope="module")
def asked(make_bank: Callable[..., MelBank], tiny: Recipe) -> MelBank:
    return make_bank(tiny, [1.9, 0.4, 1.2], seed=9)


def window_embeddings(detector: Detector, bank: MelBank) -> list[NDArray[np.float64]]:
    """Return the embeddings (window, dim) of each clip's windows."""
    network = detector.network_
    windows = windows_of(bank, network.crop_frames, hop_frames(detector.recipe_))
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


@pytest.mark.parametrize("neighbors", [1, 3])
@pytest.mark.parametrize("pool", POOLS)
def test_scores_equal_a_loop_over_clips(
    pool: str, neighbors: int, make_detector: Make, healthy: MelBank, asked: MelBank
) -> None:
    detector = make_detector(pool=pool, neighbors=neighbors)
    known, queries = (window_embeddings(detector, bank) for bank in (healthy, asked))
    sections = ["01", "00", "01"]
    expected = [
        score_of(
            pool, clip, [k for k, s in zip(known, SECTIONS, strict=True) if s == mine], neighbors
        )
        for clip, mine in zip(queries, sections, strict=True)
    ]
    np.testing.assert_allclose(detector.score_bank(asked, sections), expected, rtol=1e-5)


@pytest.mark.parametrize("pool", POOLS)
def test_healthy_scores_leave_the_clip_itself_out(
    pool: str, make_detector: Make, healthy: MelBank
) -> None:
    detector = make_detector(pool=pool)
    known = window_embeddings(detector, healthy)
    expected = [
        score_of(
            pool,
            known[i],
            [known[j] for j in range(8) if j != i and SECTIONS[j] == SECTIONS[i]],
            1,
        )
        for i in range(8)
    ]
    np.testing.assert_allclose(detector.decision_scores_, expected, rtol=1e-5)


def test_sections_are_kept_apart_or_not(
    make_detector: Make, healthy: MelBank, asked: MelBank
) -> None:
    apart, together = make_detector(), make_detector(per_section=False)
    known, queries = (window_embeddings(apart, bank) for bank in (healthy, asked))
    everything = [score_of("mean-embedding", clip, known, 1) for clip in queries]
    as_00, as_01 = (apart.score_bank(asked, [name] * 3) for name in ("00", "01"))
    np.testing.assert_allclose(np.minimum(as_00, as_01), everything, rtol=1e-5)
    assert not np.allclose(as_00, as_01)
    for name in ("00", "01", "elsewhere"):
        np.testing.assert_allclose(together.score_bank(asked, [name] * 3), everything, rtol=1e-5)


def test_a_section_that_is_not_known_is_compared_with_all(
    make_detector: Make, asked: MelBank
) -> None:
    found = make_detector().score_bank(asked, ["elsewhere"] * 3)
    everything = make_detector(per_section=False).score_bank(asked, ["00"] * 3)
    np.testing.assert_allclose(found, everything, rtol=1e-12)


@pytest.mark.parametrize("pool", POOLS)
def test_a_clip_scores_the_same_alone_and_among_others(
    pool: str, make_detector: Make, make_bank: Callable[..., MelBank], tiny: Recipe
) -> None:
    detector = make_detector(pool=pool)
    bank = make_bank(tiny, [2.0] * 30, seed=4)
    together = detector.score_bank(bank, ["00"] * 30)
    size = np.linalg.norm(detector.memory_.views["dgmix"].values, axis=1).max()
    for clip in (0, 13, 29):
        alone = detector.score_bank(MelBank([bank._clips[clip]], bank.n_mels), ["00"])
        np.testing.assert_allclose(alone, together[clip], rtol=0, atol=1e-5 * size)


@pytest.mark.parametrize("pool", POOLS)
def test_the_last_second_of_ten_changes_the_score(
    pool: str, make_detector: Make, make_bank: Callable[..., MelBank], tiny: Recipe
) -> None:
    detector = make_detector(pool=pool)
    known = make_bank(tiny, [10.0], seed=7)
    changed = np.array(known._clips[0])
    changed[-31:] *= 3
    detector.learn(detector.recipe_, detector.network_, known, ["00"], ["source"])
    assert detector.score_bank(known, ["00"]) == pytest.approx(0, abs=1e-3)
    assert detector.score_bank(MelBank([changed], known.n_mels), ["00"]) > 0.02


def test_memories_are_joined_clip_by_clip() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(7, 4)).astype(np.float32)
    windows = (
        Vectors(vectors[:4], np.array([0, 0, 1, 1])),
        Vectors(vectors[4:], np.array([0, 1, 1])),
    )
    whole = Vectors(vectors[:2], np.arange(2)), Vectors(vectors[2:4], np.arange(2))
    parts = [
        dict(zip(("dgmix", "logmel-max"), views, strict=True))
        for views in zip(windows, whole, strict=True)
    ]
    first = Memory(parts[0], ("a", "b"), ("source", "source"))
    joined = first.with_more(Memory(parts[1], ("a", "c"), ("target", "source")))
    assert np.array_equal(joined.views["dgmix"].values, vectors)
    assert joined.views["dgmix"].clips.tolist() == [0, 0, 1, 1, 2, 3, 3]
    assert np.array_equal(joined.views["logmel-max"].values, vectors[:4])
    assert joined.views["logmel-max"].clips.tolist() == [0, 1, 2, 3]
    assert joined.sections == ("a", "b", "a", "c")
    assert joined.domains == ("source", "source", "target", "source")


def test_which_healthy_clips_a_section_is_compared_with() -> None:
    vectors = np.zeros((3, 2), np.float32)
    view = Vectors(vectors, np.arange(3))
    memory = Memory({"dgmix": view}, ("a", "b", "a"), ("source",) * 3)
    comparison = Comparison(DetectSettings(), memory)
    assert comparison.compared_with("a").tolist() == [True, False, True]
    assert comparison.compared_with("new").tolist() == [True, True, True]


def test_a_view_is_scored_like_embeddings() -> None:
    rng = np.random.default_rng(1)
    known, queries = rng.normal(size=(9, 5)), rng.normal(size=(4, 5))
    sections, mine = ["a", "b", "b"] * 3, ["b", "a", "b", "a"]
    found = score_view(DetectSettings(pool="max-distance"), known, sections, queries, mine)
    of = {name: known[np.array(sections) == name] for name in "ab"}
    expected = [cdist(q[None], of[name]).min() for q, name in zip(queries, mine, strict=True)]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_no_clips_have_no_scores(make_detector: Make, tiny: Recipe) -> None:
    assert make_detector().score_bank(MelBank([], tiny.features.n_mels), []).shape == (0,)
