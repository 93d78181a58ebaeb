"""What a reference picks up too is taken out, as least squares per frequency take it out."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from dgmix.audio.reference import Cancellation, without_reference

RATE, HOP = 1000, 128  # frames of 256 samples
RNG = np.random.default_rng(4)
MACHINE, HALL = RNG.normal(size=(2, 9000)).astype(np.float32)


def in_room(sound: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return a sound after some reflections, shorter than a frame."""
    echoes = {0: 1.0, 7: -0.4, 19: 0.3}
    return sum(gain * np.roll(sound, late) for late, gain in echoes.items()).astype(np.float32)


def spectra(signal: NDArray[np.float32]) -> NDArray[np.complex128]:
    """Return windowed spectra (frame, frequency), every half frame, from half a frame before."""
    padded = np.pad(signal.astype(np.float64), (HOP, -len(signal) % HOP + HOP))
    frames = np.lib.stride_tricks.sliding_window_view(padded, 2 * HOP)[::HOP]
    return np.fft.rfft(frames * np.sin(np.pi * (np.arange(2 * HOP) + 0.5) / (2 * HOP)))


def test_what_both_pick_up_is_taken_out_and_the_rest_stays() -> None:
    near = 0.1 * MACHINE + in_room(HALL)
    result = without_reference(np.stack([near, HALL], 1), RATE)
    np.testing.assert_array_equal(result[:, 0], near)
    left = result[:, 1] - 0.1 * MACHINE
    assert np.var(left) < 0.01 * np.var(near)
    assert np.corrcoef(result[:, 1], MACHINE)[0, 1] > 0.9


def test_the_factor_of_each_frequency_is_that_of_least_squares() -> None:
    near = MACHINE + in_room(HALL)
    cancellation = Cancellation(RATE, 1)
    cancellation.add([np.stack([near, HALL], 1)])
    channel, reference = spectra(near), spectra(HALL)
    for bin_, factor in enumerate(cancellation.factors[0]):
        (expected,) = np.linalg.lstsq(reference[:, bin_, None], channel[:, bin_], rcond=None)[0]
        assert factor == pytest.approx(expected, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("size", [1, 100, 4097])
def test_parts_give_what_the_whole_gives(size: int) -> None:
    columns = np.stack([MACHINE + HALL, MACHINE - HALL, in_room(HALL)], 1)[:5003]
    parts = [columns[first : first + size] for first in range(0, len(columns), size)]
    cancellation = Cancellation(RATE, 2)
    cancellation.add(parts)
    result = np.concatenate(list(cancellation.cancel(parts)))
    np.testing.assert_array_equal(result, without_reference(columns, RATE))


@pytest.mark.parametrize("samples", [1, 2, 127, 128, 129, 256, 1000])
def test_a_silent_reference_takes_nothing_out_however_short(samples: int) -> None:
    near = MACHINE[:samples]
    result = without_reference(np.stack([near, np.zeros_like(near)], 1), RATE)
    np.testing.assert_allclose(result, np.stack([near, near], 1), atol=1e-6)
