"""Connects tracks that have to stay together, such as those of one artist."""

from __future__ import annotations

from collections.abc import Iterable

Pairs = Iterable[tuple[str, str]]
"""Pairs of tracks that stay together, such as copies of a recording."""


def connect(tracks: Iterable[str], pairs: Pairs) -> dict[str, str]:
    """Returns for each track the first of those that pairs connect it with, directly or through others."""
    first = {track: track for track in sorted(tracks)}

    def root(track: str) -> str:
        while first[track] != track:
            track = first[track]
        return track

    for one, other in pairs:
        if one in first and other in first:
            low, high = sorted((root(one), root(other)))
            first[high] = low
    return {track: root(track) for track in first}
