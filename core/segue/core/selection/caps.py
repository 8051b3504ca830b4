"""Limits how many tracks of one artist, of one album and of one recording are chosen."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

import numpy as np
from numpy.typing import NDArray

from segue.core.selection.criteria import Variety
from segue.core.selection.labels import NONE, Labelled

Numbers = NDArray[np.int32]


class Caps:
    """Counts the chosen tracks of each artist, each album and each group of copies.

    Tracks are offered in the order of their similarity, and each is chosen unless one of its counts is full.

    Attributes:
        has_refused: True if a track was not chosen.
    """

    def __init__(self, variety: Variety, seeds: Collection[int] = (), counted: Iterable[Labelled] = ()) -> None:
        """Counts the tracks that come before all others.

        Args:
            variety: the limits.
            seeds: the groups of copies that have a seed.
            counted: the numbers of tracks that are chosen already, whatever the limits.
        """
        self._limits = Labelled(0 if variety.keep_copies else 1, variety.per_artist, variety.per_album)
        self.is_limited = variety.is_limited
        copies, artists, albums = zip(*counted, strict=True) if (counted := list(counted)) else ((), (), ())
        self._first_counts = (Counter([*seeds, *copies]), Counter(artists), Counter(albums))
        self.reset()

    def reset(self) -> None:
        """Begins again, with the tracks that come before all others."""
        of_copies, of_artists, of_albums = self._first_counts
        self._counts = of_copies.copy(), of_artists.copy(), of_albums.copy()
        self.has_refused = False

    def take(self, copies: int, artist: int, album: int) -> bool:
        """Returns whether a track is chosen, and counts it if it is; see ``Labelled``."""
        of_copies, of_artists, of_albums = self._counts
        fold, per_artist, per_album = self._limits
        is_full = (
            (fold and copies != NONE and of_copies[copies] >= fold)
            or (per_artist and artist != NONE and of_artists[artist] >= per_artist)
            or (per_album and album != NONE and of_albums[album] >= per_album)
        )
        if is_full:
            self.has_refused = True
            return False
        of_copies[copies] += 1
        of_artists[artist] += 1
        of_albums[album] += 1
        return True

    def open_tracks(self, copies: Numbers, artists: Numbers, albums: Numbers) -> NDArray[np.bool_]:
        """Returns, for the numbers [n] of tracks, see ``Labelled``, which of them could still be chosen."""
        is_copy, is_artist, is_album = map(self._is_full, range(3), (copies, artists, albums))
        is_open: NDArray[np.bool_] = ~(is_copy | is_artist | is_album)
        self.has_refused |= not is_open.all()
        return is_open

    def _is_full(self, column: int, numbers: Numbers) -> NDArray[np.bool_]:
        limit = self._limits[column]
        full = [number for number, count in self._counts[column].items() if limit and number != NONE and count >= limit]
        return np.isin(numbers, full)
