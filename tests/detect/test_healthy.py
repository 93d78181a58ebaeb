"""Recordings are known again by their content."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from dgmix.audio.bank import MelBank
from dgmix.config import Recipe
from dgmix.detect.healthy import Healthy

Bank = Callable[..., MelBank]


def test_the_same_sound_is_the_same_recording(make_bank: Bank, tiny: Recipe) -> None:
    first, again = (make_bank(tiny, [0.5, 0.9, 0.7], seed=1) for _ in range(2))
    other = make_bank(tiny, [0.5, 0.9, 0.7], seed=2)
    kept = Healthy.of(first, tiny, trained=3)
    assert kept.knows(again).tolist() == [True] * 3
    assert kept.knows(other).tolist() == [False] * 3
    assert kept.with_more(Healthy.of(other, tiny)).knows(other).all()


def test_copies_share_a_number(make_bank: Bank, tiny: Recipe) -> None:
    bank = make_bank(tiny, [0.5, 0.9], seed=1)
    one, two = (bank[i].astype(np.float16) for i in range(2))
    recordings = Healthy.of(MelBank([one, two, one, two, one], bank.n_mels), tiny).recordings
    assert recordings[0] == recordings[2] == recordings[4]
    assert recordings[1] == recordings[3]
    assert sorted(set(recordings.tolist())) == [0, 1]


def test_more_recordings_come_after_and_were_not_trained_on(make_bank: Bank, tiny: Recipe) -> None:
    first, more = make_bank(tiny, [1.0, 2.0], seed=1), make_bank(tiny, [0.5], seed=2)
    joined = Healthy.of(first, tiny, trained=2).with_more(Healthy.of(more, tiny))
    hop = tiny.features.hop_length / tiny.audio.sample_rate
    np.testing.assert_allclose(joined.seconds, [1.0, 2.0, 0.5], atol=hop)
    assert (len(joined.digests), joined.trained) == (3, 2)
