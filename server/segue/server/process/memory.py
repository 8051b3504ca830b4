"""Memory settings of the process, for glibc and for Python's garbage collector."""

from __future__ import annotations

import ctypes
import gc
from contextlib import suppress

# The parameters of glibc's mallopt.
_MMAP_THRESHOLD, _ARENA_MAX = -3, -8


def configure_malloc() -> None:
    """Makes glibc return each large block to the system when it is freed; does nothing with another allocator.

    By default glibc's threshold rises to the size of the largest message, and the remains of old messages then keep
    memory between blocks in use. Call this before any thread starts.
    """
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, 2**20)
        mallopt(_ARENA_MAX, 4)


def freeze_gc() -> None:
    """Excludes all objects that exist now from garbage collection.

    A loaded model has some 400,000 objects. Each full collection would stop every call for 0.2 s, and Python would
    put it off for so long that garbage piles up.
    """
    gc.unfreeze()  # a model that was replaced
    gc.collect()
    gc.freeze()
    gc.collect()  # Python puts off a full collection until a quarter of the objects that the last one found are new.
