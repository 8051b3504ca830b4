"""Admission control: limits on the seconds of audio that are queued or in progress, in all and by caller."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from segue.core.errors import Overloaded
from segue.server.callers.fair_shares import FairShares

# The fixed cost of a clip, in seconds of audio.
MIN_CLIP_SECONDS = 10.0
# Long AAC weighs more, but it must find space in a queue that is not empty.
_MAX_CLIP_SECONDS = 600.0
# Bytes weigh, whatever the header says: 16 MiB as much as a minute. A larger clip is on disk.
_BYTES_PER_SECOND = 16 * 2**20 / 60
_MAX_BYTES = 16 * 2**20


def weight(size: int, work: float) -> float:
    """Returns the time and memory that a clip may cost, in seconds of audio, [10, 600].

    Args:
        size: size of the file in bytes.
        work: estimate of the work of analyzing it, see ``server.inference.work_estimate.work_seconds``.
    """
    return min(_MAX_CLIP_SECONDS, max(work, min(size, _MAX_BYTES) / _BYTES_PER_SECOND, MIN_CLIP_SECONDS))


def max_clips(queue_seconds: float) -> int:
    """Returns the largest number of clips that are admitted at once, all of them short."""
    return int(queue_seconds / MIN_CLIP_SECONDS) + 1


@dataclass(eq=False)
class Ticket:
    """The admission of a clip.

    Attributes:
        caller: name of the caller.
        seconds: weight of the clip in seconds of audio.
        since: time of admission, on the clock of ``time.monotonic``.
        waits: True until a worker process starts with the clip.
    """

    caller: str
    seconds: float
    since: float
    waits: bool = True


class Admission:
    """Limits the clips that are queued or in progress. Only one thread may admit; any may read the figures."""

    def __init__(self, max_seconds: float) -> None:
        """Creates an empty queue.

        Args:
            max_seconds: largest total weight in seconds of audio; a single clip is admitted whatever its weight.
        """
        self._shares = FairShares(max_seconds)
        self._tickets: dict[Ticket, None] = {}

    @contextmanager
    def admit(self, caller: str, seconds: float) -> Iterator[Ticket]:
        """Admits a clip of a caller for the duration of the block.

        Raises:
            Overloaded: the clip does not fit.
        """
        self._check(caller, seconds)
        ticket = Ticket(caller, seconds, time.monotonic())
        self._tickets[ticket] = None
        try:
            with self._shares.using(caller, seconds):
                yield ticket
        finally:
            del self._tickets[ticket]

    def check(self, caller: str) -> None:
        """Checks that a clip of a caller with the weight of the lightest admitted one would be admitted now.

        Raises:
            Overloaded: it does not fit.
        """
        self._check(caller, min((ticket.seconds for ticket in self._tickets), default=MIN_CLIP_SECONDS))

    def _check(self, caller: str, seconds: float) -> None:
        shortage = self._shares.shortage(caller, seconds)
        if self._tickets and shortage == "space":
            raise Overloaded(f"{self._shares.used:.0f} s of audio are queued already. Try again in a second.")
        if shortage == "share":
            own = self._shares.used_by(caller)
            text = f"{own:.0f} s of your audio are queued already, and the rest is for other callers."
            raise Overloaded(f"{text} Try again in a second.")

    def waiting_seconds(self) -> float:
        """Returns the seconds of audio in the queue."""
        return sum(ticket.seconds for ticket in list(self._tickets) if ticket.waits)

    def age(self) -> float:
        """Returns the seconds that the oldest clip in the queue has waited; 0 for an empty queue."""
        oldest = next((ticket.since for ticket in list(self._tickets) if ticket.waits), None)
        return 0.0 if oldest is None else time.monotonic() - oldest
