"""What is remembered of healthy clips: columns, vectors, and how they are known again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dgmix.audio.bank import MelBank
from dgmix.audio.quality import MEASURES
from dgmix.config import Recipe
from dgmix.detect.memory import HealthyClips, Memory, digests, durations
from dgmix.detect.quality import measures_of
from dgmix.detect.views import Vectors

Bank = Callable[..., MelBank]


def clips_of(names: str, numbers: tuple[int, ...]) -> HealthyClips:
    """Return clips that have a letter for a section, and a digest each."""
    letters = tuple(names)
    return HealthyClips(
        letters,
        tuple(f"domain {each}" for each in letters),
        tuple(f"recording {each}" for each in numbers),
        tuple(f"condition {each}" for each in letters),
        np.array(numbers),
        np.array(numbers) / 2,
        np.repeat(np.array(numbers, float)[:, None], len(MEASURES), 1),
    )


def memories() -> tuple[Memory, Memory, np.ndarray]:
    """Return two memories of windows and whole clips, and the vectors that they hold."""
    vectors = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    first = {
        "dgmix": Vectors(vectors[:4], np.array([0, 0, 1, 1])),
        "logmel-max": Vectors(vectors[:2], np.arange(2)),
    }
    second = {
        "dgmix": Vectors(vectors[4:], np.array([0, 1, 1])),
        "logmel-max": Vectors(vectors[2:4], np.arange(2)),
    }
    return Memory(first, clips_of("ab", (1, 2))), Memory(second, clips_of("ac", (3, 4))), vectors


def test_memories_are_joined_clip_by_clip() -> None:
    first, second, vectors = memories()
    joined = first.with_more(second)
    assert np.array_equal(joined.views["dgmix"].values, vectors)
    assert joined.views["dgmix"].clips.tolist() == [0, 0, 1, 1, 2, 3, 3]
    assert np.array_equal(joined.views["logmel-max"].values, vectors[:4])
    assert joined.views["logmel-max"].clips.tolist() == [0, 1, 2, 3]
    assert joined.clips.sections == ("a", "b", "a", "c")
    assert joined.clips.domains == ("domain a", "domain b", "domain a", "domain c")
    assert joined.clips.recordings == tuple(f"recording {number}" for number in (1, 2, 3, 4))
    assert joined.clips.conditions[2:] == ("condition a", "condition c")
    assert joined.clips.digests.tolist() == [1, 2, 3, 4]
    assert joined.clips.seconds.tolist() == [0.5, 1, 1.5, 2]
    assert joined.sections == ["a", "b", "c"]


def test_some_clips_of_a_memory_are_numbered_anew() -> None:
    first, second, vectors = memories()
    some = first.with_more(second).select(np.array([1, 3]))
    assert some.views["dgmix"].clips.tolist() == [0, 0, 1, 1]
    assert np.array_equal(some.views["dgmix"].values, vectors[[2, 3, 5, 6]])
    assert np.array_equal(some.views["logmel-max"].values, vectors[[1, 3]])
    assert (some.clips.sections, len(some.clips)) == (("b", "c"), 2)
    assert some.clips.seconds.tolist() == [1, 2]


def test_joining_and_selecting_undo_each_other() -> None:
    first, second, _ = memories()
    again = first.with_more(second).select(np.arange(2))
    assert again.clips.recordings == first.clips.recordings
    for name, view in first.views.items():
        assert np.array_equal(again.views[name].values, view.values)
        assert np.array_equal(again.views[name].clips, view.clips)


def test_the_same_sound_has_the_same_number(make_bank: Bank, tiny: Recipe) -> None:
    first, again = (make_bank(tiny, [0.5, 0.9, 0.7], seed=1) for _ in range(2))
    other = make_bank(tiny, [0.5, 0.9, 0.7], seed=2)
    assert np.array_equal(digests(first), digests(again))
    assert len({*digests(first), *digests(other)}) == 6
    columns = digests(first), durations(first, tiny), measures_of(first.qualities)
    kept = HealthyClips(*[("x",) * 3] * 4, *columns)
    assert kept.include(again).tolist() == [True] * 3
    assert kept.include(other).tolist() == [False] * 3


def test_durations_are_in_whole_frames(make_bank: Bank, tiny: Recipe) -> None:
    hop = tiny.features.hop_length / tiny.audio.rate
    seconds = durations(make_bank(tiny, [1.0, 2.0, 0.5], seed=1), tiny)
    np.testing.assert_allclose(seconds, [1.0, 2.0, 0.5], atol=hop)
    np.testing.assert_allclose(seconds / hop, np.round(seconds / hop))
