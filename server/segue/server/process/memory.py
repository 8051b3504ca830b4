"""Has the memory of what was answered given back, to Python and to the system."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

# glibc's names for what mallopt sets.
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8


def configure_malloc() -> None:
    """Tells glibc, where that is the allocator, to return each large block to the system as soon as it is freed.

    Otherwise its threshold rises to the largest message, and pieces of old messages hold on to memory between those
    that are still used. To be called before threads are started.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, 2**20)
        mallopt(_ARENA_MAX, 4)


def freeze_gc() -> None:
    """Takes all that was loaded until now for what stays, so that collecting garbage does not go through it again.

    A network is some 400,000 objects: that would stop every call for 0.2 s, and be put off for so long because of it.
    """
    gc.collect()
    gc.freeze()
    gc.collect()  # Python puts off a full collection until a quarter of what it found the last time is new.
