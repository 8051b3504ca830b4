"""Finds the tracks of files that were moved or renamed, so that these need not be decoded again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property

from segue.core.catalogue.records import PathRecord

# So many records are read from the store while one file is decoded: some 16 us each, and 80 ms.
_RECORDS_PER_DECODING = 5_000
# Several tracks have files of this size and time.
_AMBIGUOUS = ""


class MovedFiles:
    """Looks up the tracks of indexed files by size and time, which a file keeps when it is moved.

    All records are read at the first look-up: most runs find no new file, or too few to be worth it.
    """

    def __init__(self, all_files: Callable[[], Iterable[PathRecord]]) -> None:
        """Reads nothing yet.

        Args:
            all_files: returns the records of all indexed files.
        """
        self._all_files = all_files
        self._is_read = False

    def pays(self, new_files: int, tracks: Callable[[], int]) -> bool:
        """Returns whether looking up so many new files takes less time than decoding them, in a catalogue of tracks."""
        return new_files > 0 and (self._is_read or tracks() <= _RECORDS_PER_DECODING * new_files)

    def track_id(self, size: int, mtime_ns: int) -> str:
        """Returns the track of the indexed files with a size in bytes and a time in ns since 1970.

        "" means that there is no such file, or that such files have different tracks.
        """
        return self._tracks.get(hash((size, mtime_ns)), "")

    @cached_property
    def _tracks(self) -> dict[int, str]:
        """The tracks by a hash of size and time, which takes half the memory; the audio is compared in any case."""
        self._is_read = True
        tracks: dict[int, str] = {}
        for file in self._all_files():
            key = hash((file.size, file.mtime_ns))
            tracks[key] = file.track_id if tracks.get(key, file.track_id) == file.track_id else _AMBIGUOUS
        return tracks
