from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dgmix.watch.sound import Block
from dgmix.watch.windows import FileKey, Windower, windows_of_file

RATE = 100
SIGNAL = np.arange(100 * RATE, dtype=np.float32)
FILE = FileKey("a.wav", 1, 1.0)


def blocks(sizes: list[int]) -> list[Block]:
    cut, at = [], 0
    for size in sizes:
        cut.append(Block(SIGNAL[at : at + size], RATE, at / RATE, begins=not at))
        at += size
    return cut


@given(
    st.lists(st.integers(0, 700), min_size=1, max_size=12),
    st.sampled_from([1.0, 2.5]),
    st.sampled_from([0.5, 1.0, 4.0]),
    st.sampled_from([0.0, 1.5]),
)
def test_windows_do_not_depend_on_how_the_stream_is_cut(
    sizes: list[int], seconds: float, every: float, settle: float
) -> None:
    pieces, whole = Windower(seconds, every, settle), Windower(seconds, every, settle)
    windows = [window for block in blocks(sizes) for window in pieces.push(block)]
    expected = list(whole.push(Block(SIGNAL[: sum(sizes)], RATE, 0.0, begins=True)))
    assert [window.block.start for window in windows] == pytest.approx(
        [window.block.start for window in expected]
    )
    for number, window in enumerate(windows):
        first = round((settle + number * every) * RATE)
        np.testing.assert_array_equal(
            window.block.samples, SIGNAL[first : first + round(seconds * RATE)]
        )
        assert window.block.start == pytest.approx(first / RATE)


def test_no_window_reaches_over_a_gap_and_the_first_seconds_after_it_are_not_judged() -> None:
    windower = Windower(2.0, None, 1.0)
    list(windower.push(Block(SIGNAL[:350], RATE, 0.0, begins=True)))
    windows = list(windower.push(Block(SIGNAL[1000:1500], RATE, 50.0, begins=True)))
    assert [window.block.start for window in windows] == [51.0, 53.0]
    assert windows[0].block.samples[0] == 1100


def test_a_jump_of_the_clock_begins_anew_without_waiting() -> None:
    windower = Windower(2.0, None, 1.0)
    list(windower.push(Block(SIGNAL[:400], RATE, 0.0, begins=True)))
    windows = list(windower.push(Block(SIGNAL[400:800], RATE, -3600.0)))
    assert [window.block.start for window in windows] == [-3600.0, -3598.0]


@given(st.integers(1, 5000), st.sampled_from([1.0, 7.3]))
def test_a_file_is_cut_into_equal_pieces_that_are_the_file(samples: int, seconds: float) -> None:
    windows = list(windows_of_file(SIGNAL[:samples], RATE, 0.0, seconds, FILE))
    np.testing.assert_array_equal(
        np.concatenate([window.block.samples for window in windows]), SIGNAL[:samples]
    )
    assert [window.last for window in windows] == [False] * (len(windows) - 1) + [True]
    lengths = [len(window.block.samples) for window in windows]
    assert max(lengths) - min(lengths) <= 1
    if len(windows) > 1:
        assert all(0.6 * seconds * RATE < length < 1.6 * seconds * RATE for length in lengths)
