"""A budget for the memory of messages that are arriving.

gRPC takes memory for a message while it arrives, and says nothing of its size before it is complete. So each message
counts with the largest size that is allowed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from segue.core.errors import Overloaded
from segue.server.callers.caller import current_caller
from segue.server.callers.fair_shares import FairShares


class ReceiveBudget:
    """Limits the messages that arrive at once, in all and by caller; not thread-safe."""

    def __init__(self, messages: int) -> None:
        """Creates an unused budget.

        Args:
            messages: largest number of messages that arrive at once, at least 1.
        """
        self._shares = FairShares(messages)

    @property
    def arriving(self) -> int:
        """The number of messages that are arriving, and of open streams, which may always send one."""
        return int(self._shares.used)

    @contextmanager
    def receiving(self) -> Iterator[None]:
        """Reserves memory for a message of the current caller, or for those of a stream, during the block.

        Raises:
            Overloaded: there is no memory for it.
        """
        caller = current_caller().name
        shortage = self._shares.shortage(caller, 1)
        if shortage == "space":
            raise Overloaded(f"{self.arriving} messages are arriving already. Try again in a second.")
        if shortage:
            own = int(self._shares.used_by(caller))
            text = f"{own} of your messages are arriving already, and the rest of the memory is for other callers."
            raise Overloaded(f"{text} Try again in a second.")
        with self._shares.using(caller, 1):
            yield
