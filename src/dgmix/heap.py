"""When freed memory goes back to the system, by settings of glibc's malloc; source: mallopt(3).

Other C libraries are left as they are.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager, suppress

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_MMAP_MAX = -1, -3, -4  # of glibc's malloc.h
NEVER = -1
MAPPINGS, LARGEST = 65_536, 1 << 25  # glibc's own, and the most that its own threshold becomes
LARGE = 256 * 1024


@contextmanager
def keeping_freed_memory(wanted: bool) -> Iterator[None]:
    """Let freed memory, where it is `wanted`, stay with the process, and give it back at the end.

    What a training frees costs as much as the arithmetic to fetch anew: glibc gives blocks of 32 MB
    and more back as soon as they are freed, and a batch of 2048 crops frees and needs hundreds of
    them in each layer (docs/decisions/0020-batch-size.md). Peak memory is about half as much again.
    """
    if wanted:
        _set({M_MMAP_MAX: 0, M_TRIM_THRESHOLD: NEVER})
        _trim()
    try:
        yield
    finally:
        if wanted:
            own = {M_MMAP_MAX: MAPPINGS, M_MMAP_THRESHOLD: LARGEST, M_TRIM_THRESHOLD: 2 * LARGEST}
            _set(own)
            _trim()


def give_back_large_blocks() -> None:
    """Let arrays of 256 kB and more be given back to the system as soon as they are freed.

    glibc raises its limit for that to 32 MB by itself, and then keeps what was once needed: after
    a busy minute of a watch, in which windows had to wait, memory would stay where it was.
    """
    _set({M_MMAP_THRESHOLD: LARGE})


def _set(options: dict[int, int]) -> None:
    with suppress(AttributeError, OSError, TypeError):
        for option, value in options.items():
            ctypes.CDLL(None).mallopt(option, value)


def _trim() -> None:
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)
