"""What the server takes on: only so many seconds of audio at a time; the rest is refused before it is decoded."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from segue.core.errors import Overloaded

# Up to here a track is decoded whole; of a longer one as much is decoded as of this.
_MAX_CLIP_SECONDS = 60.0
# What a piece costs however short it is, in seconds of audio.
MIN_CLIP_SECONDS = 10.0
# So many bytes weigh as much as a second, whatever the header says: 16 MiB are a minute.
_BYTES_PER_SECOND = 16 * 2**20 / _MAX_CLIP_SECONDS


def weight(bytes_: int, seconds: float) -> float:
    """How much of the server's time and memory a piece may take, in seconds of audio.

    Args:
        bytes_: how long its file is.
        seconds: how long it plays, as ``containers.playing_seconds`` has it.
    """
    return min(_MAX_CLIP_SECONDS, max(seconds, bytes_ / _BYTES_PER_SECOND, MIN_CLIP_SECONDS))


def max_clips(queue_seconds: float) -> int:
    """How many pieces may wait or be heard, if all are short."""
    return int(queue_seconds / MIN_CLIP_SECONDS) + 1


@dataclass(eq=False)
class Ticket:
    """A piece that was taken on; ``waits`` until somebody begins with it."""

    seconds: float
    since: float
    waits: bool = True


class Admission:
    """Counts the pieces that wait or are heard, in one thread; its figures may be read in any."""

    def __init__(self, most_seconds: float) -> None:
        """Takes how many seconds of audio may wait or be heard at once; a lone piece is always taken on."""
        self._most_seconds = most_seconds
        self._visits: dict[Ticket, None] = {}
        self._seconds = 0.0

    @contextmanager
    def admit(self, seconds: float) -> Iterator[Ticket]:
        """Takes a piece on, for as long as the block lasts.

        Raises:
            Overloaded: too much is waiting already.
        """
        if refusal := self._refusal(seconds):
            raise refusal
        visit = Ticket(seconds, time.monotonic())
        self._visits[visit] = None
        self._seconds += seconds
        try:
            yield visit
        finally:
            del self._visits[visit]
            self._seconds -= seconds

    def rejection(self) -> Overloaded | None:
        """Why not even the lightest of the pieces that are here now would be taken on, or None if it would."""
        return self._refusal(min((visit.seconds for visit in self._visits), default=MIN_CLIP_SECONDS))

    def _refusal(self, seconds: float) -> Overloaded | None:
        if self._visits and self._seconds + seconds > self._most_seconds:
            return Overloaded(f"{self._seconds:.0f} s of audio are waiting already. Try again in a second.")
        return None

    def waiting_seconds(self) -> float:
        """How many seconds of audio wait."""
        return sum(visit.seconds for visit in list(self._visits) if visit.waits)

    def age(self) -> float:
        """How many seconds the piece that has waited longest has waited, 0 where none waits."""
        oldest = next((visit.since for visit in list(self._visits) if visit.waits), None)
        return 0.0 if oldest is None else time.monotonic() - oldest
