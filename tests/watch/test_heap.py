from __future__ import annotations

import json
import platform
import subprocess
import sys

import pytest

SCRIPT = """
import ctypes, json
from itertools import pairwise
import numpy as np
from dgmix.watch.heap import give_back_large_blocks

class Heap(ctypes.Structure):  # of mallinfo2(3): bytes in blocks of mmap are the fifth number
    _fields_ = [(f"field{number}", ctypes.c_size_t) for number in range(1, 11)]

libc, megabyte = ctypes.CDLL(None), 1_000_000
libc.mallinfo2.restype = Heap
give_back_large_blocks()
larger = np.empty(30 * megabyte, np.uint8)
del larger
sizes = [libc.mallinfo2().field5]
array = np.empty(20 * megabyte, np.uint8)
sizes.append(libc.mallinfo2().field5)
del array
sizes.append(libc.mallinfo2().field5)
print(json.dumps([round((after - before) / megabyte) for before, after in pairwise(sizes)]))
"""


@pytest.mark.skipif(platform.libc_ver() < ("glibc", "2.33"), reason="needs mallinfo2 of glibc")
def test_large_arrays_are_given_back_though_larger_ones_were_freed_before() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout) == [20, -20]
