"""The protocols of a session, and of what opens sessions; ``segue.indexer.catalogue.session`` has both."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Protocol

from segue.core.catalogue.store import TrackStore, TrackWriter
from segue.indexer.interrupt import Interrupt
from segue.indexer.pipeline.records import Source
from segue.indexer.pipeline.run_counts import RunCounts, Show


class LockedSession(Protocol):
    """Parts of a batch, while the catalogue is locked."""

    @property
    def store(self) -> TrackStore:
        """The catalogue."""
        ...

    @property
    def writer(self) -> TrackWriter:
        """Its writer."""
        ...

    def index_files(self, sources: Iterable[Source], counts: RunCounts, interrupt: Interrupt, show: Show) -> list[str]:
        """Indexes files and returns the paths of the missing ones."""
        ...


class Sessions(Protocol):
    """Opens sessions one after the other."""

    @property
    def store(self) -> TrackStore:
        """The catalogue."""
        ...

    def warm_up(self) -> None:
        """Starts what the first file would wait for."""
        ...

    def session(self) -> AbstractContextManager[LockedSession]:
        """Locks the catalogue for the duration of the block."""
        ...
