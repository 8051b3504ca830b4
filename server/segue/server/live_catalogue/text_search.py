"""Search in the titles, artists, albums and paths of the live catalogue, whose texts are kept in memory.

The same reading fills the table of the properties by which tracks are chosen.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from segue.core.catalogue.records import Track
from segue.core.catalogue.store import TrackStore
from segue.core.errors import SegueError, Starting
from segue.core.selection.track_table import TrackTable
from segue.core.selection.view import View
from segue.server.live_catalogue.track_texts import Match, TrackTexts

IDLE_SECONDS = 1.0
"""Pause after a step that had nothing to read."""

# 500 tracks take some 25 ms of one core, so the first reading uses a third of it, and later ones 9 %.
_TEXTS_PER_READ = 500
_FIRST_PAUSE_SECONDS = 0.05
_PAUSE_SECONDS = 0.25
_CLOSE_SECONDS = 20.0

_log = logging.getLogger(__name__)


class FollowedCatalogue(Protocol):
    """The catalogue whose texts are searched."""

    @property
    def view(self) -> View:
        """The newest view, which may be stale."""
        ...

    @property
    def store(self) -> TrackStore:
        """The store, or StoreUnavailable if it does not answer."""
        ...

    @property
    def table(self) -> TrackTable:
        """The properties by which tracks are chosen."""
        ...


class FoundTracks(NamedTuple):
    """A page of the tracks that a query finds.

    Attributes:
        tracks: the best matches first, without those that were removed a moment ago.
        last: the last match of the page, or None after the last page.
        total: number of all matches.
    """

    tracks: list[Track]
    last: Match | None
    total: int


class TextSearch:
    """Searches texts of tracks; ``start`` begins to follow a catalogue, ``close`` ends it.

    A changed title has no event, so all texts are read again in the background whenever a writer was at work.
    """

    def __init__(self, catalogue: FollowedCatalogue) -> None:
        """Reads nothing yet.

        Args:
            catalogue: the catalogue to follow.
        """
        self._catalogue, self._table = catalogue, catalogue.table
        self._texts = TrackTexts()
        self._view: View | None = None
        self._mark = ""
        self._pending: list[str] = []  # ids of texts to read, the next ones at the end
        self._is_complete = False
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="texts", daemon=True)

    def start(self) -> None:
        """Begins to read the texts."""
        self._thread.start()

    def wait_until_complete(self, seconds: float) -> None:
        """Waits until all texts are read, but not longer than some seconds."""
        end = time.monotonic() + seconds
        while not self._is_complete and time.monotonic() < end:
            time.sleep(_FIRST_PAUSE_SECONDS)

    def close(self) -> None:
        """Stops reading."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_CLOSE_SECONDS)

    def search(self, words: Sequence[str], after: Match | None, size: int) -> FoundTracks:
        """Returns a page of the tracks whose texts contain all words, the best matches first.

        Args:
            words: folded words, at least one.
            after: the last match of the page before, or None for the first page.
            size: largest number of tracks, at least 1.

        Raises:
            Starting: the texts are not read yet.
            StoreUnavailable: the store does not answer.
        """
        store = self._catalogue.store
        if not self._is_complete:
            raise Starting(
                f"The server reads the texts to search: {len(self._texts):,} of {len(self._catalogue.view):,} are "
                "there. Try again in a second."
            )
        matches = self._texts.search(words, after, size)
        tracks = store.get([match.track_id for match in matches.page])
        last = None if matches.is_last else matches.page[-1]
        return FoundTracks([track for track in tracks if track is not None], last, matches.total)

    def _follow(self) -> None:
        pause = 0.0
        while not self._stop.wait(pause):
            try:
                pause = self.refresh()
            except SegueError:  # the catalogue logs it
                pause = IDLE_SECONDS
            except Exception:  # noqa: BLE001 - the thread must survive any error of one step
                _log.warning("the texts to search cannot be read", exc_info=True)
                pause = IDLE_SECONDS

    def refresh(self) -> float:
        """Finds out which texts to read, or reads some; returns the seconds to pause before the next step.

        Raises:
            StoreUnavailable: the store does not answer.
        """
        store = self._catalogue.store
        self._follow_view(self._catalogue.view, store)
        if self._pending:
            page = self._pending[-_TEXTS_PER_READ:]
            facts = store.facts(page)
            self._texts.put(page, [known and (known.title, known.artist, known.album, known.path) for known in facts])
            self._table.put(page, facts)
            del self._pending[-_TEXTS_PER_READ:]
            return _PAUSE_SECONDS if self._is_complete else _FIRST_PAUSE_SECONDS
        self._is_complete = self._table.is_complete = True
        self._follow_writers(store)
        return IDLE_SECONDS

    def _follow_view(self, view: View, store: TrackStore) -> None:
        """Drops the texts of removed tracks, and puts those of added ones next in turn."""
        known = self._view
        if view is known:
            return
        if known is None:
            self._mark = store.write_mark()
        elif view.identity != known.identity:
            self._mark = store.write_mark()  # another catalogue: all texts are read again
            self._is_complete = self._table.is_complete = False
            self._view, self._pending = view, view.track_ids()
            self._table.retain(self._pending)
            self._texts.retain(self._pending)
            return
        elif view.base_ids is known.base_ids:
            self._follow_changes(known, view)
            return
        track_ids = view.track_ids()
        self._table.retain(track_ids)
        self._pending += self._texts.retain(track_ids)
        self._view = view

    def _follow_changes(self, known: View, view: View) -> None:
        """Drops and adds what changed between two views with the same index; much cheaper than a full comparison."""
        gone = (view.removed - known.removed) | (known.added.keys() - view.added.keys())
        gone -= view.added.keys()
        self._texts.drop(gone)
        self._table.drop(gone)
        if gone:
            self._pending = [track_id for track_id in self._pending if track_id not in gone]
        self._pending += view.added.keys() - known.added.keys()
        self._view = view

    def _follow_writers(self, store: TrackStore) -> None:
        """Begins to read all texts again if a writer was at work since the last time."""
        mark = store.write_mark()
        if mark != self._mark and self._view is not None:
            self._mark, self._pending = mark, self._view.track_ids()
