"""Limits how many tracks of one artist and of one album are chosen."""

from __future__ import annotations

from collections import Counter

import numpy as np
from numpy.typing import NDArray

from segue.server.selection.criteria import Variety
from segue.server.selection.labels import NONE


class Caps:
    """Counts the chosen tracks of each artist and each album.

    Tracks are offered in the order of their similarity, and each is chosen unless its artist or its album is full.

    Attributes:
        has_refused: True if a track was not chosen.
    """

    def __init__(self, variety: Variety) -> None:
        self._variety = variety
        self.reset()

    def reset(self) -> None:
        """Begins again, without chosen tracks."""
        self._artists: Counter[int] = Counter()
        self._albums: Counter[int] = Counter()
        self.has_refused = False

    @property
    def is_limited(self) -> bool:
        """True if there is a limit."""
        return self._variety.is_limited

    def take(self, artist: int, album: int) -> bool:
        """Returns whether a track is chosen, and counts it if it is."""
        per_artist, per_album = self._variety.per_artist, self._variety.per_album
        if _is_full(self._artists, artist, per_artist) or _is_full(self._albums, album, per_album):
            self.has_refused = True
            return False
        self._artists[artist] += 1
        self._albums[album] += 1
        return True

    def open_tracks(self, artists: NDArray[np.int32], albums: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Returns, for the artists [n] and albums [n] of tracks, which tracks could still be chosen."""
        full_artists = _full(self._artists, self._variety.per_artist)
        full_albums = _full(self._albums, self._variety.per_album)
        is_open = ~(np.isin(artists, full_artists) | np.isin(albums, full_albums))
        self.has_refused |= not is_open.all()
        return is_open


def _is_full(counts: Counter[int], number: int, limit: int) -> bool:
    return bool(limit) and number != NONE and counts[number] >= limit


def _full(counts: Counter[int], limit: int) -> list[int]:
    return [number for number in counts if _is_full(counts, number, limit)]
