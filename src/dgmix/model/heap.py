"""What a training frees stays with the process: fetching it anew costs as much as the arithmetic.

glibc gives blocks of 32 MB and more back to the system as soon as they are freed, and a batch of
2048 crops frees and needs hundreds of them in each layer (docs/decisions/0020-batch-size.md).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager, suppress

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4  # of glibc's malloc.h
NEVER = -1
MAPPINGS, LARGEST = 65_536, 1 << 25  # glibc's own, and the most that its own threshold becomes


@contextmanager
def keeping_freed_memory(wanted: bool) -> Iterator[None]:
    """Let glibc, where it is `wanted`, keep freed memory, and give it back at the end.

    Peak memory is about half as much again. Elsewhere than with glibc nothing changes.
    """
    if wanted:
        _set({M_MMAP_MAX: 0, M_TRIM_THRESHOLD: NEVER})
    try:
        yield
    finally:
        if wanted:
            own = {M_MMAP_MAX: MAPPINGS, M_MMAP_THRESHOLD: LARGEST, M_TRIM_THRESHOLD: 2 * LARGEST}
            _set(own)


def _set(options: dict[int, int]) -> None:
    with suppress(OSError, AttributeError, TypeError):
        libc = ctypes.CDLL(None)
        for option, value in options.items():
            libc.mallopt(option, value)
        libc.malloc_trim(0)
