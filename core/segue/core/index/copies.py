"""Finds copies of the same recording among the tracks of an index."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from segue.core.features.fingerprint import MAX_WINDOWS, Fingerprint, Words
from segue.core.index.vector_index import HnswIndex, Vectors

# Copies of a track are among its nearest tracks. By the default network their cosine is above 0.97; segue-fast has
# lower ones, since it depends on the highest frequencies, which some formats leave out.
_NEIGHBOURS, _LEAST_SIMILARITY = 32, 0.75
# Share of different bits, the median of the windows. Measured on real clips: at most 0.23 for other formats and levels,
# and for clips that lack their first 0.5 s, at least 0.38 for other recordings and other keys.
_MAX_DIFFERENCE = 0.33
# Another tempo is another recording, also if it is some percent faster.
_MAX_SECONDS, _MAX_SHARE = 1.0, 0.01
# Seconds between the windows of two copies at most: they are spread over what is left of each.
_MAX_SHIFT = 0.9
_ROWS_AT_ONCE, _PAIRS_AT_ONCE = 1_000, 1_000

_Pairs = NDArray[np.int64]


class _Fingerprints:
    """The fingerprints of all rows of an index, in a few arrays."""

    def __init__(self, rows: int) -> None:
        self.words: Words = np.zeros((rows, MAX_WINDOWS, 0), np.uint32)
        self.windows = np.zeros(rows, np.int8)
        self.seconds = np.zeros(rows, np.float32)
        self._max_shift = 0

    def put(self, row: int, found: Fingerprint) -> None:
        """Stores a fingerprint, unless its windows have another length than the others'."""
        windows, times = found.words.shape
        if not self.words.shape[2]:
            self.words = np.zeros((*self.words.shape[:2], times), np.uint32)
            self._max_shift = min(times // 2, round(_MAX_SHIFT / found.step))
        if times == self.words.shape[2] and windows <= MAX_WINDOWS:
            self.words[row, :windows] = found.words
            self.windows[row] = windows
            self.seconds[row] = found.seconds

    def comparable(self, pairs: _Pairs) -> _Pairs:
        """Returns the pairs [p, 2] of rows that have the same number of windows, over about the same time."""
        first, second = pairs.T
        longer = np.maximum(self.seconds[first], self.seconds[second])
        tolerance = np.maximum(np.float32(_MAX_SECONDS), _MAX_SHARE * longer)
        same_time = np.abs(self.seconds[first] - self.seconds[second]) <= tolerance
        kept: _Pairs = pairs[same_time & (self.windows[first] > 0) & (self.windows[first] == self.windows[second])]
        return kept

    def differences(self, pairs: _Pairs) -> NDArray[np.float64]:
        """Returns the share [p] of different bits of pairs [p, 2]: the median of windows, each at its best shift."""
        shares = [self._shares(pairs, shift) for shift in range(-self._max_shift, self._max_shift + 1)]
        best = np.min(shares, axis=0)
        best[np.arange(MAX_WINDOWS) >= self.windows[pairs[:, :1]]] = np.nan
        median: NDArray[np.float64] = np.nanmedian(best, axis=1)
        return median

    def _shares(self, pairs: _Pairs, shift: int) -> NDArray[np.float64]:
        """Returns the share [p, w] of different bits, with the second track so many words later."""
        times = self.words.shape[2]
        first = self.words[pairs[:, 0], :, max(0, shift) : times + min(0, shift)]
        second = self.words[pairs[:, 1], :, max(0, -shift) : times + min(0, -shift)]
        counts: NDArray[np.float64] = np.bitwise_count(first ^ second).mean(axis=2) / 32
        return counts


def find_copies(
    index: HnswIndex,
    vectors: Vectors,
    read: Callable[[Sequence[str]], Iterable[Fingerprint | None]],
) -> dict[str, str]:
    """Groups the tracks that are copies of one recording.

    Args:
        index: the index.
        vectors: its embeddings [n, e].
        read: returns the fingerprints of tracks.

    Returns:
        The group of each track that has a copy: the least id among its copies. A copy of a copy is in the same group.
    """
    fingerprints, groups = _Fingerprints(len(index)), _Groups()
    for start in range(0, len(index), _ROWS_AT_ONCE):
        track_ids = index.track_ids[start : start + _ROWS_AT_ONCE]
        for row, found in enumerate(read(track_ids), start):
            if found is not None:
                fingerprints.put(row, found)
    for pairs in _candidates(index, vectors, fingerprints):
        for first, second in pairs[fingerprints.differences(pairs) <= _MAX_DIFFERENCE].tolist():
            groups.join(index.track_ids[first], index.track_ids[second])
    return groups.members()


def _candidates(index: HnswIndex, vectors: Vectors, fingerprints: _Fingerprints) -> Iterator[_Pairs]:
    """Yields pairs [p, 2] of rows with similar embeddings and comparable fingerprints."""
    for start in range(0, len(index) if fingerprints.windows.any() else 0, _ROWS_AT_ONCE):
        rows, similarities = index.nearest(vectors[start : start + _ROWS_AT_ONCE], _NEIGHBOURS)
        near = np.argwhere(similarities >= _LEAST_SIMILARITY)
        pairs = np.stack([start + near[:, 0], rows[near[:, 0], near[:, 1]]], axis=1)
        pairs = fingerprints.comparable(pairs[pairs[:, 0] != pairs[:, 1]])
        yield from (pairs[part : part + _PAIRS_AT_ONCE] for part in range(0, len(pairs), _PAIRS_AT_ONCE))


class _Groups:
    """Sets that have no track in common, each named by its least id."""

    def __init__(self) -> None:
        self._next: dict[str, str] = {}

    def join(self, first: str, second: str) -> None:
        """Joins the sets of two tracks."""
        least, greatest = sorted((self._name(first), self._name(second)))
        self._next[greatest] = self._next[least] = least

    def members(self) -> dict[str, str]:
        """Returns the name of each track's set."""
        return {track_id: self._name(track_id) for track_id in sorted(self._next)}

    def _name(self, track_id: str) -> str:
        while (following := self._next.get(track_id, track_id)) != track_id:
            track_id = following
        return track_id
