"""Admission control: a limit on the seconds of audio that are queued or in progress."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from segue.core.errors import Overloaded

# A clip up to this length is decoded whole. From a longer one, windows of about this total length are decoded.
_MAX_CLIP_SECONDS = 60.0
# The fixed cost of a clip, in seconds of audio.
MIN_CLIP_SECONDS = 10.0
# Bytes that weigh as much as a second, whatever the header says: 16 MiB weigh a minute.
_BYTES_PER_SECOND = 16 * 2**20 / _MAX_CLIP_SECONDS


def weight(size: int, seconds: float) -> float:
    """Returns the time and memory that a clip may cost, in seconds of audio, [10, 60].

    Args:
        size: size of the file in bytes.
        seconds: duration that the header gives, or an estimate.
    """
    return min(_MAX_CLIP_SECONDS, max(seconds, size / _BYTES_PER_SECOND, MIN_CLIP_SECONDS))


def max_clips(queue_seconds: float) -> int:
    """Returns the largest number of clips that are admitted at once, all of them short."""
    return int(queue_seconds / MIN_CLIP_SECONDS) + 1


@dataclass(eq=False)
class Ticket:
    """The admission of a clip.

    Attributes:
        seconds: weight of the clip in seconds of audio.
        since: time of admission, on the clock of ``time.monotonic``.
        waits: True until a worker process starts with the clip.
    """

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
        self._max_seconds = max_seconds
        self._tickets: dict[Ticket, None] = {}
        self._seconds = 0.0

    @contextmanager
    def admit(self, seconds: float) -> Iterator[Ticket]:
        """Admits a clip for the duration of the block.

        Raises:
            Overloaded: the clip does not fit.
        """
        if error := self._rejection(seconds):
            raise error
        ticket = Ticket(seconds, time.monotonic())
        self._tickets[ticket] = None
        self._seconds += seconds
        try:
            yield ticket
        finally:
            del self._tickets[ticket]
            self._seconds -= seconds

    def rejection(self) -> Overloaded | None:
        """Returns the error that a clip with the weight of the lightest admitted one would get now, or None."""
        return self._rejection(min((ticket.seconds for ticket in self._tickets), default=MIN_CLIP_SECONDS))

    def _rejection(self, seconds: float) -> Overloaded | None:
        if self._tickets and self._seconds + seconds > self._max_seconds:
            return Overloaded(f"{self._seconds:.0f} s of audio are queued already. Try again in a second.")
        return None

    def waiting_seconds(self) -> float:
        """Returns the seconds of audio in the queue."""
        return sum(ticket.seconds for ticket in list(self._tickets) if ticket.waits)

    def age(self) -> float:
        """Returns the seconds that the oldest clip in the queue has waited; 0 for an empty queue."""
        oldest = next((ticket.since for ticket in list(self._tickets) if ticket.waits), None)
        return 0.0 if oldest is None else time.monotonic() - oldest
