"""The texts of tracks in a form in which words are found whatever their case and accents."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from segue.core.selection.folding import fold

# Between the texts of a track, in which a control character is no part of any word.
_SEPARATOR = "\n"


class Match(NamedTuple):
    """A track that a query finds; matches sort from the best to the worst.

    Attributes:
        rank: 0 if the title has all words, 1 if it takes the artist as well, 2 the album, 3 the path.
        track_id: id of the track.
    """

    rank: int
    track_id: str


class Matches(NamedTuple):
    """A part of the tracks that a query finds.

    Attributes:
        page: the matches of the part, the best first.
        total: number of all matches.
        is_last: True if no match follows after the part.
    """

    page: list[Match]
    total: int
    is_last: bool


class TrackTexts:
    """The folded texts of many tracks; about 0.2 kB each. Every method is thread-safe."""

    def __init__(self) -> None:
        self._texts: dict[str, str] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._texts)

    def put(self, track_ids: Sequence[str], texts: Iterable[Sequence[str] | None]) -> None:
        """Stores the texts of tracks, the most important text first; a track without texts is dropped."""
        folded = [None if parts is None else _join(parts) for parts in texts]
        with self._lock:
            for track_id, text in zip(track_ids, folded, strict=True):
                if text is None:
                    self._texts.pop(track_id, None)
                else:
                    self._texts[track_id] = text

    def drop(self, track_ids: Iterable[str]) -> None:
        """Drops tracks, and skips unknown ones."""
        with self._lock:
            for track_id in track_ids:
                self._texts.pop(track_id, None)

    def retain(self, track_ids: Collection[str]) -> list[str]:
        """Drops all other tracks, and returns the ids of those that have no texts yet."""
        with self._lock:
            for track_id in self._texts.keys() - set(track_ids):
                del self._texts[track_id]
            return [track_id for track_id in track_ids if track_id not in self._texts]

    def search(self, words: Sequence[str], after: Match | None, size: int) -> Matches:
        """Returns the ``size`` best matches after a match, or the best ones of all.

        Args:
            words: folded words, at least one; a track matches if its texts contain all.
            after: the last match of the part before, or None for the first part.
            size: largest number of matches, at least 1.
        """
        with self._lock:
            found = list(self._texts.items())
        for word in sorted(words, key=len, reverse=True):  # the longest leaves the fewest tracks
            found = [(track_id, text) for track_id, text in found if word in text]
        # Plain tuples: a search may find every track.
        ranked = [(_rank(words, text), track_id) for track_id, text in found]
        rest = ranked if after is None else [match for match in ranked if match > after]
        page = [Match(*match) for match in heapq.nsmallest(size, rest)]
        return Matches(page, len(found), len(rest) <= size)


def _join(parts: Sequence[str]) -> str:
    return _SEPARATOR.join(fold(part).replace(_SEPARATOR, " ") for part in parts)


def _rank(words: Sequence[str], text: str) -> int:
    """Returns the number of the first part up to which the text contains all words."""
    return text.count(_SEPARATOR, 0, max(map(text.find, words)))
