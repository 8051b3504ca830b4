"""Packs the embeddings of a track's windows, by which matching moments are found."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_WINDOWS = 64
"""Largest number of windows that a track keeps; the models use 10."""

_VERSION = 1
_HEAD_BYTES = 2
_STEPS = 127


@dataclass(frozen=True)
class WindowEmbeddings:
    """The embeddings of the windows of a track.

    Attributes:
        starts: start of each window [w] in seconds, to a hundredth.
        values: embedding [w, e] of each window, of length 1.
    """

    starts: NDArray[np.float64]
    values: NDArray[np.float32]


def pack_windows(windows: WindowEmbeddings) -> bytes:
    """Packs the first ``MAX_WINDOWS`` windows.

    Of each window it keeps the start, in hundredths of a second as 4 bytes, and one byte for each number of the
    embedding, relative to the largest one. So the cosine of two windows is wrong by about 0.001.

    Returns:
        2 + w (4 + e) bytes: a version, w, the starts as little-endian uint32, the embeddings as int8.
    """
    values, starts = windows.values[:MAX_WINDOWS], windows.starts[:MAX_WINDOWS]
    largest = np.maximum(np.abs(values).max(axis=1, keepdims=True, initial=0), np.finfo(np.float32).tiny)
    steps = np.rint(values / largest * _STEPS).astype(np.int8)
    centiseconds: NDArray[np.uint32] = np.rint(starts * 100).astype("<u4")
    return b"".join((bytes([_VERSION, len(steps)]), centiseconds.tobytes(), steps.tobytes()))


def unpack_windows(packed: bytes, width: int | None = None) -> WindowEmbeddings:
    """Unpacks what ``pack_windows`` returned.

    Args:
        packed: the bytes.
        width: the width of the embeddings, or None if it is unknown.

    Raises:
        ValueError: the bytes are damaged; the message is a sentence.
    """
    count = packed[1] if len(packed) > _HEAD_BYTES and packed[0] == _VERSION else 0
    body = packed[_HEAD_BYTES + 4 * count :]
    if not 0 < count <= MAX_WINDOWS or not body or len(body) % count or width not in {None, len(body) // count}:
        raise ValueError("Its windows cannot be read.")
    starts = np.frombuffer(packed, "<u4", count, _HEAD_BYTES) / 100
    steps = np.frombuffer(body, np.int8).reshape(count, -1).astype(np.float32)
    lengths = np.linalg.norm(steps, axis=1, keepdims=True)
    if not lengths.all():
        raise ValueError("One of its windows has no direction.")
    return WindowEmbeddings(starts, steps / lengths)
