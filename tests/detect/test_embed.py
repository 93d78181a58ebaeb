"""Every part of a clip is embedded, and what is embedded beside it does not matter."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from dgmix.audio.bank import MelBank
from dgmix.audio.frames import crop_frames, hop_frames
from dgmix.config import Recipe, parse_recipe
from dgmix.detect.embed import WINDOWS_AT_ONCE, embed
from dgmix.detect.windows import Windows, window_starts, windows_of
from dgmix.model.network import Network, build_network

Bank = Callable[..., MelBank]


@given(frames=st.integers(1, 500), length=st.integers(1, 120), hop=st.integers(1, 120))
def test_windows_cover_every_frame_and_stay_inside(frames: int, length: int, hop: int) -> None:
    hop = min(hop, length)
    starts = window_starts(frames, length, hop)
    covered = np.concatenate([np.arange(start, start + length) for start in starts])
    assert set(range(frames)) <= set(covered)
    assert starts == sorted(set(starts))
    assert starts[0] == 0
    if frames > length:
        assert starts[-1] + length == frames
        assert set(np.diff(starts[:-1])) <= {hop}
        assert starts[-1] - starts[-2] <= hop
    else:
        assert starts == [0]


def test_a_ten_second_clip_has_a_window_a_second() -> None:
    assert window_starts(313, 63, 31) == [0, 31, 62, 93, 124, 155, 186, 217, 248, 250]


@given(
    hop_seconds=st.floats(1e-6, 1e3),
    crop_seconds=st.floats(1e-6, 20),
    hop_length=st.integers(1, 4096),
)
def test_the_hop_leaves_no_gap_and_moves_on(
    hop_seconds: float, crop_seconds: float, hop_length: int
) -> None:
    recipe = parse_recipe(
        {
            "features": {"hop_length": hop_length},
            "input": {"crop_seconds": crop_seconds},
            "detect": {"hop_seconds": hop_seconds},
        },
        "test",
    )
    assert 1 <= hop_frames(recipe) <= crop_frames(recipe)


@given(sizes=st.lists(st.integers(1, 6), min_size=1, max_size=8), seed=st.integers(0, 99))
def test_windows_are_pooled_clip_by_clip(sizes: list[int], seed: int) -> None:
    clips = np.repeat(np.arange(len(sizes)), sizes)
    windows = Windows(clips, np.zeros_like(clips), len(sizes))
    values = np.random.default_rng(seed).normal(size=(len(clips), 3)).astype(np.float32)
    parts = [values[clips == clip].astype(np.float64) for clip in range(len(sizes))]
    np.testing.assert_allclose(windows.mean(values), [part.mean(0) for part in parts], rtol=1e-12)
    assert np.array_equal(windows.max(values), [part.max(0) for part in parts])
    np.testing.assert_allclose(windows.mean(values[:, 0]), [p[:, 0].mean() for p in parts])


def published_deviation_pooling(frames: NDArray[np.float64], gamma: float) -> NDArray[np.float64]:
    """Deviations from the temporal mean, relative to the largest, as weights (RDP)."""
    apart = [float(np.sqrt(((frame - frames.mean(0)) ** 2).sum())) for frame in frames]
    weights = [(1 + each / max(apart)) ** gamma if max(apart) else 1.0 for each in apart]
    return sum(w * frame for w, frame in zip(weights, frames, strict=True)) / sum(weights)


@given(st.lists(st.integers(1, 6), min_size=1, max_size=8), st.floats(0, 20), st.integers(0, 99))
def test_relative_deviation_pooling_is_the_published_one(
    sizes: list[int], emphasis: float, seed: int
) -> None:
    clips = np.repeat(np.arange(len(sizes)), sizes)
    windows = Windows(clips, np.zeros_like(clips), len(sizes))
    values = np.random.default_rng(seed).normal(size=(len(clips), 3)).round(1)
    values[clips == 0] = 0.5  # without any deviation
    pooled = windows.relative_deviation(values, emphasis)
    parts = [values[clips == clip] for clip in range(len(sizes))]
    expected = [published_deviation_pooling(part, emphasis) for part in parts]
    np.testing.assert_allclose(pooled, expected, rtol=1e-9, atol=1e-12)


@pytest.fixture(scope="module")
def network(tiny: Recipe) -> Network:
    return build_network(tiny, 0).eval()


def test_windows_of_a_bank_are_those_of_its_clips(make_bank: Bank, tiny: Recipe) -> None:
    bank = make_bank(tiny, [0.2, 1.7, 0.5])
    windows = windows_of(bank, 16, 15)
    assert windows.clips.tolist() == [0, 1, 1, 1, 1, 2]
    assert windows.starts.tolist() == [0, *window_starts(int(bank.frames[1]), 16, 15), 0]
    assert windows.count == 3


def test_an_embedding_is_the_network_s_answer_to_its_window(
    make_bank: Bank, tiny: Recipe, network: Network
) -> None:
    bank = make_bank(tiny, [1.7, 0.2])
    windows = windows_of(bank, network.crop_frames, 4)
    embeddings = embed(network, bank, windows)
    assert embeddings.dtype == np.float32
    assert embeddings.shape == (len(windows.clips), network.embedding_size)
    for clip, start, embedding in zip(windows.clips, windows.starts, embeddings, strict=True):
        frames = np.arange(start, start + network.crop_frames) % bank.frames[clip]
        with torch.no_grad():
            expected = network(torch.from_numpy(bank[int(clip)][frames][None]))[0]
        np.testing.assert_allclose(embedding, expected.numpy(), atol=1e-5)


def test_a_clip_is_embedded_the_same_alone_and_among_others(
    make_bank: Bank, tiny: Recipe, network: Network
) -> None:
    seconds = [2.0] * 20
    bank = make_bank(tiny, seconds)
    windows = windows_of(bank, network.crop_frames, 3)
    assert len(windows.clips) > 2 * WINDOWS_AT_ONCE
    together = embed(network, bank, windows)
    for clip in (0, 7, 19):
        mine = windows.clips == clip
        own = Windows(windows.clips[mine], windows.starts[mine], windows.count)
        np.testing.assert_allclose(embed(network, bank, own), together[mine], atol=1e-5)


def test_embeddings_do_not_depend_on_the_number_of_threads(
    make_bank: Bank, tiny: Recipe, network: Network
) -> None:
    bank = make_bank(tiny, [2.0] * 20)
    windows = windows_of(bank, network.crop_frames, 3)
    before = torch.get_num_threads()
    by_threads = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            by_threads.append(embed(network, bank, windows))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    np.testing.assert_array_equal(*by_threads)


def test_no_windows_have_no_embeddings(make_bank: Bank, tiny: Recipe, network: Network) -> None:
    none = Windows(np.zeros(0, np.int64), np.zeros(0, np.int64), 0)
    embeddings = embed(network, make_bank(tiny, [1.0]), none)
    assert embeddings.shape == (0, network.embedding_size)
