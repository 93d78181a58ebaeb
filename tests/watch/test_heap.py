from __future__ import annotations

import ctypes
import sys
from itertools import pairwise

import numpy as np
import pytest

from dgmix.watch.heap import give_back_large_blocks

MEGABYTE = 1_000_000


class Heap(ctypes.Structure):
    """The result of mallinfo2(3): bytes in blocks of mmap are the fifth number."""

    _fields_ = [(f"field{number}", ctypes.c_size_t) for number in range(1, 11)]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="of glibc")
def test_large_arrays_are_given_back_though_larger_ones_were_freed_before() -> None:
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "mallinfo2"):
        pytest.skip("a C library without mallinfo2")
    libc.mallinfo2.restype = Heap
    give_back_large_blocks()
    larger = np.empty(30 * MEGABYTE, np.uint8)
    del larger
    sizes = [libc.mallinfo2().field5]
    array = np.empty(20 * MEGABYTE, np.uint8)  # more than is free in the heap of this process
    sizes.append(libc.mallinfo2().field5)
    del array
    sizes.append(libc.mallinfo2().field5)
    changes = [round((after - before) / MEGABYTE) for before, after in pairwise(sizes)]
    assert changes == [20, -20]
