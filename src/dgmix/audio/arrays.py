"""Recordings in memory: arrays of any type that has a full scale, with or without their rate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dgmix.audio.io import full_scale
from dgmix.errors import InputError

MOST_CHANNELS = 32
CHANNEL_SAMPLES = 16  # a channel has at least so many times as many samples as there are channels
KILOHERTZ = 1000  # a broken number below was meant in kHz
ROWS_OF_SOUND = 1000  # so many rows of so few columns are channels, not recordings


class ArrayError(InputError, ValueError):
    """An array that holds no recordings; a `ValueError` too, as scikit-learn asks for."""


def recordings_of(array: Any) -> list[Any]:
    """Return the recordings of an array (recording, sample), or the paths of an array (path,).

    Raises `ArrayError` for a sparse one, one of other axes, and one that is sound with its channels
    side by side.
    """
    from scipy.sparse import issparse  # type: ignore[import-untyped]

    if issparse(array):
        raise ArrayError("a sparse matrix holds no recordings; give its toarray()")
    rows = _array(array, "the recordings")
    if rows.dtype.kind in "OU":
        return list(rows)
    if rows.ndim != 2:
        raise ArrayError(
            f"an array with {rows.ndim} axes; recordings are its rows, so put a single one in a "
            "list (Reshape your data)"
        )
    count, samples = rows.shape
    if samples <= MOST_CHANNELS and count >= ROWS_OF_SOUND:
        raise ArrayError(
            f"an array of {count} rows and {samples} columns would be {count} recordings of "
            f"{samples} samples; put one of {samples} channels in a list, or give its transpose"
        )
    return list(rows)


def items_of(source: Any) -> list[Any]:
    """Return the recordings of a sequence or an array; see `recordings_of`.

    Raises `ArrayError` for what is neither.
    """
    if hasattr(source, "shape"):
        items = recordings_of(source)
    elif isinstance(source, Mapping | Set | bytes | bytearray):
        kind = type(source).__name__
        raise ArrayError(f"a {kind} has no recordings in order; give a list of them")
    else:
        items = _listed(source)
    if not items:
        raise ArrayError("no recordings: the sequence is empty")
    return items


def _listed(source: Any) -> list[Any]:
    try:
        return list(source)
    except TypeError as error:
        kind = type(source).__name__
        raise ArrayError(f"a {kind} holds no recordings; give files, folders or arrays") from error


def hertz(rate: Any, name: str) -> int:
    """Return a sample rate as a whole number of Hz; raise `ArrayError` for what is none."""
    try:
        value = float(rate)
    except (TypeError, ValueError) as error:
        raise ArrayError(f"{name}: the rate {rate!r} is not a number") from error
    if not 0 < value < 1e9 or (value < KILOHERTZ and not value.is_integer()):
        raise ArrayError(f"{name}: {rate} samples a second; give how many there are, in Hz")
    return round(value)


def is_pair(item: Any) -> bool:
    """Say whether an item is samples and their rate, in either order, as programs return them."""
    if not isinstance(item, tuple | list) or len(item) != 2:
        return False
    return sum(_is_single(each) for each in item) == 1


def _is_single(value: Any) -> bool:
    return isinstance(value, Real) or (not isinstance(value, tuple | list) and np.ndim(value) == 0)


def samples_of(item: Any, name: str) -> tuple[NDArray[np.float32], int | None]:
    """Return one recording as float32 of full scale ±1, and its rate where it has one.

    That is (sample,), or (sample, channel) of several. `item` is samples (sample,), or
    two-dimensional with few channels along either axis, or a pair of samples and rate. Integers
    have the full scale of their type; those of 64 bits, and unsigned ones of 32, that of 16
    bits. Raises `ArrayError`, naming the recording, for what is none of these, and `TypeError`
    for what is no number.
    """
    rate = None
    if is_pair(item):
        samples, rate = _pair(item, name)
    else:
        samples = item
    values = _array(samples, name)
    if np.iscomplexobj(values):
        raise ArrayError(f"{name}: samples are real numbers. Complex data not supported")
    if not values.size:
        raise ArrayError(f"{name}: 0 samples where at least one is required")
    scaled = _scaled(values, name)
    try:
        scaled = scaled.astype(np.float32)
    except ValueError as error:
        raise ArrayError(f"{name}: its samples are not numbers") from error
    signal = _channels_last(scaled, name)
    if not np.isfinite(signal).all():
        raise ArrayError(f"{name}: a sample is not a finite number (NaN or inf)")
    return signal, rate


def _array(samples: Any, name: str) -> NDArray[Any]:
    """Return samples as an array of numbers, with no gaps."""
    if hasattr(samples, "detach"):  # a torch tensor, which may be of a type that NumPy lacks
        samples = samples.detach().cpu()
        samples = samples.float() if samples.is_floating_point() else samples
    if isinstance(samples, bytes | bytearray | memoryview):
        raise ArrayError(f"{name}: bytes; give np.frombuffer(..., dtype) of them, or a file")
    if np.ma.is_masked(samples):
        raise ArrayError(f"{name}: some of its samples are masked; leave out or fill the gaps")
    values = np.asarray(samples)
    if values.dtype.kind not in "biufcOUS":
        raise ArrayError(f"{name}: its samples are {values.dtype}, not numbers")
    return values


def _pair(item: Sequence[Any], name: str) -> tuple[Any, int]:
    samples, rate = item if np.ndim(item[1]) == 0 else (item[1], item[0])
    return samples, hertz(rate, name)


def _scaled(values: NDArray[Any], name: str) -> NDArray[Any]:
    """Return samples of full scale ±1, of integers that of their type."""
    if values.dtype.kind not in "iu" or values.dtype.itemsize < 4 or values.dtype == np.int32:
        return full_scale(values)
    largest = max(abs(int(values.max())), abs(int(values.min())))
    if largest > 1 << 15:
        raise ArrayError(
            f"{name}: integers of {values.dtype} up to {largest} have no known full scale; divide "
            "by theirs first, for example by 2147483648 for 32 bits"
        )
    return values / 2.0**15


def _channels_last(values: NDArray[np.float32], name: str) -> NDArray[np.float32]:
    """Return samples (sample,), (sample, channel) or its transpose as one of the first two."""
    if values.ndim == 1:
        return values
    few, many = min(values.shape, default=0), max(values.shape, default=0)
    if values.ndim != 2 or few > MOST_CHANNELS or many < CHANNEL_SAMPLES * few:
        raise ArrayError(
            f"{name}: expected samples on one axis, not {values.ndim} of the shape {values.shape}"
        )
    channels = values if np.argmin(values.shape) == 1 else values.T
    return channels[:, 0] if few == 1 else channels
