"""Memory that is freed stays with the process while that is wanted, and no longer."""

from __future__ import annotations

import json
import platform
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
TIMES, BYTES = 8, 48 << 20
SCRIPT = f"""
import json, resource
from dgmix.model.heap import keeping_freed_memory

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


def test_freed_memory_is_used_again_and_then_given_back() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    before, kept, after = json.loads(done.stdout)
    assert before > 0.9 * TIMES
    assert kept < TIMES / 2
    assert after > 0.9 * TIMES
