"""Threads that take on only so much: what cannot be done soon is refused at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from segue.core.errors import Overloaded

P = ParamSpec("P")
R = TypeVar("R")


class BoundedExecutor:
    """Runs blocking work for asyncio."""

    def __init__(self, name: str, threads: int, most_waiting: int) -> None:
        """Takes how many run at once, and how many may wait or run, both at least 1."""
        self._most_waiting = most_waiting
        self._waiting = 0
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Runs ``work`` in a thread.

        Raises:
            Overloaded: too much is waiting already; nothing was done.
        """
        if self._waiting >= self._most_waiting:
            raise Overloaded(f"{self._waiting} requests are waiting already. Try again in a second.")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, lambda: work(*args, **kwargs))
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Waits for what runs, and drops what waits."""
        self._threads.shutdown(cancel_futures=True)
