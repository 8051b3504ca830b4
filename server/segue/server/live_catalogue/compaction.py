"""Merges an index and the changes since into a new index, in the background: exact search must not grow without end."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, Protocol, TypeVar

_log = logging.getLogger(__name__)

# Up to here exact search costs less than a tenth of a millisecond.
_MIN_CHANGES = 5_000
# Beyond it, an index is rebuilt each time that it has grown by this share, so that the cost of rebuilding stays low.
_MIN_SHARE = 0.25


class Compactable(Protocol):
    """A state that consists of an index and the changes since."""

    @property
    def changes(self) -> int:
        """The number of tracks that were added, removed or replaced since the index was built."""

    def __len__(self) -> int:
        """Returns the number of tracks."""


State = TypeVar("State", bound=Compactable)


class Compactor(Generic[State]):
    """Compacts one state at a time; not thread-safe."""

    def __init__(self, compact: Callable[[State], State]) -> None:
        """Creates an idle compactor.

        Args:
            compact: merges a state into one index; may take seconds.
        """
        self._compact = compact
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="compact")
        self._source: State | None = None
        self._work: Future[State] | None = None

    def start_if_due(self, state: State) -> None:
        """Starts to compact a state that has changed enough, unless another compaction is running."""
        if self._work is None and state.changes >= max(_MIN_CHANGES, _MIN_SHARE * len(state)):
            self._source = state
            self._work = self._thread.submit(self._compact, state)

    def take_result(self) -> tuple[State, State] | None:
        """Returns a state and its compacted form, once; None while there is none."""
        if self._work is None or self._source is None or not self._work.done():
            return None
        source, work = self._source, self._work
        self._source = self._work = None
        if error := work.exception():
            _log.warning("the index could not be compacted", exc_info=error)
            return None
        return source, work.result()

    def close(self) -> None:
        """Waits for a running compaction."""
        self._thread.shutdown(cancel_futures=True)
