"""A random order of recommended tracks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from hashlib import blake2b
from typing import TypeVar

_Track = TypeVar("_Track")


def shuffled(tracks: Sequence[_Track], seed: int | None, id_of: Callable[[_Track], str]) -> Sequence[_Track]:
    """Returns tracks in the random order of a seed, the same for the same tracks; without a seed, as they are.

    Args:
        tracks: the tracks.
        seed: the seed, or None.
        id_of: returns the id of a track.
    """
    if seed is None:
        return tracks
    return sorted(tracks, key=lambda track: blake2b(f"{seed} {id_of(track)}".encode(), digest_size=8).digest())
