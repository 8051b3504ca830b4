"""Packs the scores of a model's tags into a short text for the record of a track."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

# Digest of the names: scores must not get the names of another model, whose catalogue is replaced meanwhile.
_DIGEST_BYTES = 4
_STEPS = 255

MIN_TRACK_TAG = 0.1
"""The least score of a tag that describes a track: with lower scores tags rarely apply."""


def pack_tag_scores(scores: NDArray[np.float32], names: tuple[str, ...]) -> str:
    """Packs the scores of tags: base64 of a digest of their names, and one byte for each score.

    Args:
        scores: score [tags] of each tag, in [0, 1].
        names: the names of the tags, in the same order.

    Returns:
        The text, of 72 characters for 50 tags; empty without tags.
    """
    if not names:
        return ""
    steps = np.rint(np.clip(scores, 0, 1) * _STEPS).astype(np.uint8)
    return base64.b64encode(_digest(names) + steps.tobytes()).decode("ascii")


def unpack_tag_scores(packed: str, names: tuple[str, ...], least: float = 0.0) -> dict[str, float]:
    """Returns the scores of tags, to 1/510; empty if there are none, or if the tags had other names.

    Args:
        packed: the text.
        names: the names of the model's tags.
        least: the smallest score that is returned.

    Raises:
        ValueError: ``pack_tag_scores`` did not return the text.
    """
    digest, steps = _split(packed)
    if not names or digest != _digest(names) or len(steps) != len(names):
        return {}
    return {name: step / _STEPS for name, step in zip(names, steps, strict=True) if step >= least * _STEPS}


def is_packed(packed: str) -> bool:
    """Returns whether a text is one that ``pack_tag_scores`` may have returned, for tags of any names."""
    try:
        digest, steps = _split(packed)
    except ValueError:
        return False
    return packed == "" or (len(digest) == _DIGEST_BYTES and len(steps) > 0)


def _split(packed: str) -> tuple[bytes, bytes]:
    raw = base64.b64decode(packed, validate=True)
    return raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]


@lru_cache(maxsize=8)  # a page has a thousand tracks of one model
def _digest(names: tuple[str, ...]) -> bytes:
    return hashlib.blake2b("\0".join(names).encode(), digest_size=_DIGEST_BYTES).digest()
