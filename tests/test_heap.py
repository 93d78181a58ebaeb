"""Memory that is freed stays with the process while that is wanted, and no longer.

Each test has a process of its own, whose memory nothing else has used.
"""

from __future__ import annotations

import json
import platform
import subprocess
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
TIMES, BYTES = 8, 48 << 20
KEEPING = f"""
import json, resource
from dgmix.heap import keeping_freed_memory

def pages_fetched():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range({TIMES}):
        b"x" * {BYTES}
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

counts = []
for kept in (False, True):
    with keeping_freed_memory(kept):
        counts.append(pages_fetched())
counts.append(pages_fetched())
once = {BYTES} // resource.getpagesize()
print(json.dumps([count / once for count in counts]))
"""
GIVING_BACK = """
import ctypes, json
from itertools import pairwise
import numpy as np
from dgmix.heap import give_back_large_blocks

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


def printed(script: str) -> Any:
    """Return what a script prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def test_freed_memory_is_used_again_and_then_given_back() -> None:
    before, kept, after = printed(KEEPING)
    assert before > 0.9 * TIMES
    assert kept < TIMES / 2
    assert after > 0.9 * TIMES


@pytest.mark.skipif(platform.libc_ver() < ("glibc", "2.33"), reason="needs mallinfo2 of glibc")
def test_large_arrays_are_given_back_though_larger_ones_were_freed_before() -> None:
    assert printed(GIVING_BACK) == [20, -20]
