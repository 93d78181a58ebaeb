"""Memory that a watch has used goes back to the system."""

from __future__ import annotations

import ctypes
from contextlib import suppress

M_MMAP_THRESHOLD = -3  # of malloc.h
LARGE = 256 * 1024


def give_back_large_blocks() -> None:
    """Let arrays of 256 kB and more be given back to the system as soon as they are freed.

    glibc raises its limit for that to 32 MB by itself, and then keeps what was once needed: after
    a busy minute, in which windows had to wait, memory would stay where it was. Other C libraries
    are left as they are. Source: mallopt(3).
    """
    with suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE)
