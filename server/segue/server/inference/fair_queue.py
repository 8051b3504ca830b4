"""A queue that serves callers in turn: one with many clips in it does not delay the clip of another.

It is self-clocked fair queueing. The clips of a caller follow each other on a line, each as long as its weight, and the
first one begins at the tag that was served last. The tag of a clip is the middle of its part of the line, and the
lowest tag is served next. So callers that wait get equal shares of the work, in seconds of audio. While a clip waits,
each other caller is usually served half as many seconds as it weighs, and one clip.

Source: S. Golestani, "A self-clocked fair queueing scheme for broadband applications", IEEE INFOCOM 1994. There the tag
is the end of a part. With the middle, a new clip is served before the second one of a caller with many of its weight.
"""

from __future__ import annotations

import asyncio
import heapq
from itertools import count
from typing import Generic, TypeVar

Item = TypeVar("Item")


class FairQueue(Generic[Item]):
    """Items of many callers."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Item]] = []
        self._arrivals = count()  # the order of items with equal tags
        self._tag = 0.0  # of the item that was served last
        self._last: dict[str, tuple[float, float]] = {}  # end and tag of the last item of each caller

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, caller: str, weight: float, item: Item) -> None:
        """Appends an item.

        Args:
            caller: name of the caller.
            weight: share of the work that the item takes, above 0.
            item: the item.
        """
        end, last_tag = self._last.get(caller, (0.0, 0.0))
        start = max(self._tag, end)
        # Not before the item before it, if ``charge`` has moved the end back.
        tag = max(start + weight / 2, last_tag)
        self._last[caller] = start + weight, tag
        heapq.heappush(self._heap, (tag, next(self._arrivals), item))

    def charge(self, caller: str, weight: float) -> None:
        """Moves the next items of a caller back, or forward by a negative weight; those in the queue stay."""
        if caller in self._last:
            end, tag = self._last[caller]
            self._last[caller] = end + weight, tag

    def pop(self) -> Item:
        """Removes the next item and returns it; the queue is not empty."""
        self._tag, _, item = heapq.heappop(self._heap)
        if not self._heap:
            self._tag = 0.0
            self._last.clear()
        elif len(self._last) > 2 * len(self._heap):  # some callers have left
            self._last = {caller: last for caller, last in self._last.items() if max(last) > self._tag}
        return item


# The share of the past in the ratio of time to weight, for each slot that is freed.
_DECAY = 0.99


class FairSlots:
    """A number of slots that callers occupy in turn; like a semaphore, but fair to callers instead of calls.

    The weight of an item is an estimate. A caller whose items take longer than others of their weight waits longer for
    its next turn.
    """

    def __init__(self, slots: int) -> None:
        self._free = slots
        self._waiting: FairQueue[asyncio.Future[None]] = FairQueue()
        self._seconds = self._weight = 0.0  # of what was done, less and less of the past

    async def acquire(self, caller: str, weight: float) -> None:
        """Waits for a slot; see ``FairQueue.put``."""
        if self._free:
            self._free -= 1
            return
        slot: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.put(caller, weight, slot)
        try:
            await slot
        except asyncio.CancelledError:
            if slot.done() and not slot.cancelled():
                self._free_slot()
            else:
                self._waiting.charge(caller, -weight)
            raise

    def release(self, caller: str, weight: float, seconds: float) -> None:
        """Frees a slot.

        Args:
            caller: name of the caller that had it.
            weight: the weight with which it was acquired.
            seconds: for how long it was occupied.
        """
        self._seconds = self._seconds * _DECAY + seconds
        self._weight = self._weight * _DECAY + weight
        self._waiting.charge(caller, seconds * self._weight / max(self._seconds, 1e-9) - weight)
        self._free_slot()

    def _free_slot(self) -> None:
        while self._waiting:
            slot = self._waiting.pop()
            if not slot.done():
                slot.set_result(None)
                return
        self._free += 1
