"""Compares some searches with an exact one in the background, so that an index that finds too little is noticed."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from segue.core.index.vector_index import Neighbour, Vectors
from segue.server.observability.recall import Recall

K = 10
"""Number of the nearest tracks that are compared."""

# Exact search compares every track. It gets at most this share of one core, however many queries there are.
_SHARE_OF_TIME = 1 / 100
# Rounding may order tracks that are equally near in another way.
_SAME_SIMILARITY = 1e-5

_log = logging.getLogger(__name__)


class SampledView(Protocol):
    """A state of the catalogue that is searched in two ways; see ``segue.core.selection.view.View``."""

    def search(self, query: Vectors, k: int, exclude: Collection[str] = ()) -> list[Neighbour]:
        """Returns the ``k`` nearest tracks as for a caller."""
        ...

    def search_exactly(self, query: Vectors, k: int, exclude: Collection[str] = ()) -> list[Neighbour]:
        """Returns the ``k`` nearest tracks from a comparison with all of them."""
        ...

    def is_exact(self, exclude: int) -> bool:
        """Returns whether a search compares all tracks anyway, when so many are left out."""
        ...


class RecallSample:
    """Repeats a share of the queries exactly, one at a time; those that come meanwhile are dropped."""

    def __init__(
        self,
        recall: Recall,
        share: float,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Starts no thread yet.

        Args:
            recall: counts the results.
            share: share of the queries, [0, 1]; 0 for none.
            clock: returns the time in seconds.
            chance: returns a random number, [0, 1).
        """
        self._recall = recall
        self._share = share
        self._clock = clock
        self._chance = chance
        self._turn = threading.Lock()
        self._earliest = 0.0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="recall")

    def offer(self, view: SampledView, query: Vectors, exclude: Collection[str]) -> None:
        """Repeats a query in the background if it is one of the sample; takes some microseconds, and raises nothing."""
        if self._chance() >= self._share or view.is_exact(len(exclude)) or not self._turn.acquire(blocking=False):
            return
        if self._clock() < self._earliest:
            self._turn.release()
            return
        try:
            self._thread.submit(self._compare, view, query, exclude)
        except RuntimeError:  # closed, while the last calls end
            self._turn.release()

    def close(self) -> None:
        """Waits for the query at hand."""
        self._thread.shutdown(cancel_futures=True)

    def _compare(self, view: SampledView, query: Vectors, exclude: Collection[str]) -> None:
        begun = self._clock()
        try:
            found = view.search(query, K, exclude)
            wanted = view.search_exactly(query, K, exclude)
            if wanted:
                least = wanted[-1].similarity - _SAME_SIMILARITY
                self._recall.add(sum(neighbour.similarity >= least for neighbour in found), len(wanted))
        except Exception as error:  # noqa: BLE001 - no caller waits for it
            _log.warning("a search could not be compared with an exact one", exc_info=error)
        finally:
            ended = self._clock()
            self._earliest = ended + (ended - begun) / _SHARE_OF_TIME
            self._turn.release()
