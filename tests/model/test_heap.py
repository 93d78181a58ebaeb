"""Memory that is freed stays with the process while that is wanted, and no longer."""

from __future__ import annotations

import platform
import resource

import pytest
import torch

from dgmix.model.heap import keeping_freed_memory

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
TIMES, NUMBERS = 8, 6 << 20


def pages_fetched() -> int:
    """Return how many pages are fetched for tensors of 64 MB that come and go."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(TIMES):
        torch.ones(NUMBERS, dtype=torch.float64)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def test_freed_memory_is_used_again_and_then_given_back() -> None:
    once = NUMBERS * 8 // resource.getpagesize()
    with keeping_freed_memory(False):
        assert pages_fetched() > 0.9 * TIMES * once
    with keeping_freed_memory(True):
        assert pages_fetched() < TIMES / 2 * once
    assert pages_fetched() > 0.9 * TIMES * once
