"""Ctrl-C that lets the current batch finish."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interrupt:
    """Handles SIGINT and SIGTERM while entered: the first requests a stop, the second raises KeyboardInterrupt.

    Attributes:
        signal: number of the signal that requested the stop, or None.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._previous_handlers: dict[int, Any] = {}

    def requested(self) -> bool:
        """Returns whether a stop was requested."""
        return self.signal is not None

    def __enter__(self) -> Interrupt:
        self._previous_handlers = {number: signal.signal(number, self._handle) for number in _SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Restores the previous handlers."""
        for number, handler in self._previous_handlers.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if self.requested():
            raise KeyboardInterrupt
        self.signal = number
