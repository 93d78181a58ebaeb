"""Views from blocks are those of the whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dgmix.detect.views import RAW_VIEWS, logmel
from dgmix.detect.views.blocks import describe_blocks

BLOCKS = {name: view.blocks for name, view in RAW_VIEWS.items() if view.blocks}


@settings(max_examples=30)
@given(st.integers(1, 700), st.integers(1, 300), st.integers(0, 9), st.booleans())
def test_views_of_blocks_are_those_of_the_whole(
    frames: int, size: int, seed: int, steady: bool
) -> None:
    rng = np.random.default_rng(seed)
    mel = rng.lognormal(0, 0.001 if steady else 1, (frames, 32)).astype(np.float16)
    mel[:, 0] = 0
    mel = mel.astype(np.float32)
    blocks = [mel[first : first + size] for first in range(0, frames, size)]
    for name, view in describe_blocks(BLOCKS, blocks, 32).items():
        expected = RAW_VIEWS[name].describe(logmel(mel))
        assert view.shape == expected.shape
        assert view.dtype == np.float32
        np.testing.assert_allclose(view, expected, rtol=1e-5, atol=2e-4, err_msg=name)


@pytest.mark.parametrize("frames", [127, 128, 129, 191, 192, 193, 256, 1000])
def test_the_windows_of_a_rhythm_are_the_same(frames: int) -> None:
    mel = np.random.default_rng(0).lognormal(0, 1, (frames, 32)).astype(np.float32)
    view = describe_blocks(BLOCKS, np.array_split(mel, 5), 32)["logmel-rhythm"]
    np.testing.assert_allclose(view, RAW_VIEWS["logmel-rhythm"].describe(logmel(mel)), atol=1e-4)
