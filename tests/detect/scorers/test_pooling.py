"""From vectors to clips."""

from __future__ import annotations

import numpy as np

from dgmix.detect.scorers.pooling import pool


def test_pooling_takes_the_mean_or_the_farthest() -> None:
    values, clips = np.array([1.0, 3.0, 5.0]), np.array([0, 0, 1])
    for name, expected in (("mean-distance", [2, 5]), ("max-distance", [3, 5])):
        assert pool(name, values, clips, 2).tolist() == expected


def test_one_vector_a_clip_stays_as_it_is() -> None:
    values = np.array([1.0, 3.0])
    for name in ("mean-embedding", "mean-distance", "max-distance"):
        assert pool(name, values, np.arange(2), 2) is values
