"""Has the memory of what was answered given back to the system."""

from __future__ import annotations

import ctypes
from contextlib import suppress

# glibc's names for what mallopt sets.
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8


def give_back_memory() -> None:
    """Tells glibc, where that is the allocator, to return each large block to the system as soon as it is freed.

    Otherwise its threshold rises to the largest message, and pieces of old messages hold on to memory between those
    that are still used. To be called before threads are started.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, 2**20)
        mallopt(_ARENA_MAX, 4)
