"""Finds copies of the same recording among the tracks of an index."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from segue.core.features.fingerprint import MAX_WINDOWS, Fingerprint, Words
from segue.core.index.vector_index import ExactIndex, HnswIndex, Vectors

# Copies of a track are among its nearest tracks. By the default network their cosine is above 0.97; segue-fast has
# lower ones, since it depends on the highest frequencies, which some formats leave out.
_NEIGHBOURS, _LEAST_SIMILARITY = 32, 0.75
# The median of the windows' differences, 0 for equal fingerprints and 0.5 for unrelated ones; see ``_Fingerprints``.
_MAX_DIFFERENCE = 0.28
# Of the bits of a window, so many must say something in both tracks; a silent band or moment says nothing.
_LEAST_SHARE = 0.4
# Where nearly all bits are equal, chance makes windows alike.
_LEAST_EXPECTED = 0.2
# Another tempo is another recording, also if it is some percent faster.
_MAX_SECONDS, _MAX_SHARE = 1.0, 0.01
# Seconds between the windows of two copies at most: they are spread over what is left of each.
_MAX_SHIFT = 0.9
_ROWS_AT_ONCE, _PAIRS_AT_ONCE = 1_000, 1_000

_Pairs = NDArray[np.int64]


class _Fingerprints:
    """The fingerprints of all rows of an index, in a few arrays."""

    def __init__(self, found: Sequence[Fingerprint | None]) -> None:
        """Collects fingerprints [n]; those whose windows are not as long as most of the others are left out."""
        lengths = Counter((known.words.shape[1], known.step) for known in found if known is not None)
        (times, step), _ = max(lengths.items(), key=lambda item: (item[1], item[0]), default=((1, 1.0), 0))
        self.words: Words = np.zeros((len(found), MAX_WINDOWS, times), np.uint32)
        self.windows = np.zeros(len(found), np.int8)
        self.seconds = np.zeros(len(found), np.float32)
        self._max_shift = min(times // 2, round(_MAX_SHIFT / step))
        for row, known in enumerate(found):
            if known is not None and (known.words.shape[1], known.step) == (times, step):
                self.windows[row] = len(known.words)
                self.words[row, : self.windows[row]] = known.words
                self.seconds[row] = known.seconds

    def comparable(self, pairs: _Pairs) -> _Pairs:
        """Returns the pairs [p, 2] of rows that have the same number of windows, over about the same time."""
        first, second = pairs.T
        longer = np.maximum(self.seconds[first], self.seconds[second])
        tolerance = np.maximum(np.float32(_MAX_SECONDS), _MAX_SHARE * longer)
        same_time = np.abs(self.seconds[first] - self.seconds[second]) <= tolerance
        kept: _Pairs = pairs[same_time & (self.windows[first] > 0) & (self.windows[first] == self.windows[second])]
        return kept

    def differences(self, pairs: _Pairs) -> NDArray[np.float64]:
        """Returns the differences [p] of pairs [p, 2]: the median of the windows, each at its best shift.

        Windows without enough bits to compare are left out; a pair without half of its windows has the difference 1.
        """
        shares = [self._window_differences(pairs, shift) for shift in range(-self._max_shift, self._max_shift + 1)]
        best = np.fmin.reduce(shares)
        is_enough = 2 * np.isfinite(best).sum(axis=1) >= self.windows[pairs[:, 0]]
        best[~is_enough] = 1.0
        median: NDArray[np.float64] = np.nanmedian(best, axis=1)
        return median

    def _window_differences(self, pairs: _Pairs, shift: int) -> NDArray[np.float64]:
        """Returns the differences [p, w] with the second track so many words later, NaN where few bits say something.

        It is the share of different bits, relative to that of bits with the same shares of ones by chance, times 0.5.
        """
        times = self.words.shape[2]
        first = self.words[pairs[:, 0], :, max(0, shift) : times + min(0, shift)]
        second = self.words[pairs[:, 1], :, max(0, -shift) : times + min(0, -shift)]
        said = _said(first, second)
        count = np.bitwise_count(said).sum(axis=2, dtype=np.float64)
        with np.errstate(divide="ignore", invalid="ignore"):
            ones, others, different = (
                np.bitwise_count(words & said).sum(axis=2) / count for words in (first, second, first ^ second)
            )
            expected = ones * (1 - others) + others * (1 - ones)
            relative: NDArray[np.float64] = 0.5 * different / expected
        relative[(count < _LEAST_SHARE * 32 * first.shape[2]) | ~(expected >= _LEAST_EXPECTED)] = np.nan
        return relative


def _said(first: Words, second: Words) -> Words:
    """Returns the bits [p, w, t] that say something in both tracks: neither their band nor their moment has only 0."""
    bands = np.bitwise_or.reduce(first, axis=2) & np.bitwise_or.reduce(second, axis=2)
    moments = (first != 0) & (second != 0)
    said: Words = np.where(moments, bands[..., None], np.uint32(0))
    return said


def find_copies(
    index: ExactIndex | HnswIndex,
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
    found: list[Fingerprint | None] = []
    for start in range(0, len(index), _ROWS_AT_ONCE):
        found += read(index.track_ids[start : start + _ROWS_AT_ONCE])
    fingerprints, groups = _Fingerprints(found), _Groups()
    for pairs in _candidates(index, vectors, fingerprints):
        for first, second in pairs[fingerprints.differences(pairs) <= _MAX_DIFFERENCE].tolist():
            groups.join(index.track_ids[first], index.track_ids[second])
    return groups.members()


def _candidates(index: ExactIndex | HnswIndex, vectors: Vectors, fingerprints: _Fingerprints) -> Iterator[_Pairs]:
    """Yields pairs [p, 2] of rows with similar embeddings and comparable fingerprints."""
    known = np.full((len(index), min(len(index), _NEIGHBOURS)), -1, np.int32)  # the nearest rows so far
    for start in range(0, len(index) if fingerprints.windows.any() else 0, _ROWS_AT_ONCE):
        rows, similarities = index.nearest(vectors[start : start + _ROWS_AT_ONCE], _NEIGHBOURS)
        known[start : start + len(rows)] = rows
        near = np.argwhere(similarities >= _LEAST_SIMILARITY)
        pairs = np.stack([start + near[:, 0], rows[near[:, 0], near[:, 1]]], axis=1)
        pairs = fingerprints.comparable(pairs[pairs[:, 0] != pairs[:, 1]])
        # Most pairs are found from both rows; from the later one, only those that the earlier one lacks are left.
        is_found = (known[pairs[:, 1]] == pairs[:, :1]).any(axis=1)
        pairs = pairs[(pairs[:, 0] < pairs[:, 1]) | ~is_found]
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
