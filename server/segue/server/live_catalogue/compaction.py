"""Makes one index of a snapshot and all that came since, in the background: the exact part must not grow for ever."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, Protocol, TypeVar

_log = logging.getLogger(__name__)

# Up to here exact search costs less than a tenth of a millisecond.
_LEAST_CHANGES = 5_000
# Beyond it an index that grows is built anew each time that it has grown by this share, so that building stays cheap.
_SHARE = 0.25


class Grown(Protocol):
    """A state that is an index and the changes since."""

    @property
    def changes(self) -> int:
        """How many tracks were added, removed or replaced since the index was made."""

    def __len__(self) -> int:
        """How many tracks there are."""


State = TypeVar("State", bound=Grown)


class Compactor(Generic[State]):
    """Compacts one state at a time; for one thread."""

    def __init__(self, compact: Callable[[State], State]) -> None:
        """Takes what makes one index of a state, which may take long."""
        self._compact = compact
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="compact")
        self._source: State | None = None
        self._work: Future[State] | None = None

    def offer(self, state: State) -> None:
        """Begins to compact a state that has grown enough, unless one is under way."""
        if self._work is None and state.changes >= max(_LEAST_CHANGES, _SHARE * len(state)):
            self._source = state
            self._work = self._thread.submit(self._compact, state)

    def finished(self) -> tuple[State, State] | None:
        """A state and what was made of it, once; None while there is none."""
        if self._work is None or self._source is None or not self._work.done():
            return None
        source, work = self._source, self._work
        self._source = self._work = None
        if error := work.exception():
            _log.warning("the index could not be compacted", exc_info=error)
            return None
        return source, work.result()

    def close(self) -> None:
        """Waits for what is under way."""
        self._thread.shutdown(cancel_futures=True)
