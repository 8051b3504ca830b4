"""Thread pool that rejects work when its queue is full."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import ParamSpec, TypeVar

from segue.core.errors import Overloaded

P = ParamSpec("P")
R = TypeVar("R")


class BoundedExecutor:
    """Runs blocking calls in threads for asyncio, up to a limit."""

    def __init__(self, name: str, threads: int, max_pending: int) -> None:
        """Creates the pool; its threads start with the first calls.

        Args:
            name: prefix of the threads' names.
            threads: number of calls that run at once, at least 1.
            max_pending: largest number of calls that are queued or running, at least 1.
        """
        self._max_pending = max_pending
        self._pending = 0
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix=name)

    async def run(self, function: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Runs ``function`` in a thread, in the context of this task, and returns its result.

        Raises:
            Overloaded: the queue is full, and ``function`` was not called.
        """
        if self._pending >= self._max_pending:
            raise Overloaded(f"{self._pending} requests are queued already. Try again in a second.")
        self._pending += 1
        context = copy_context()
        try:
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, lambda: context.run(function, *args, **kwargs)
            )
        finally:
            self._pending -= 1

    def close(self) -> None:
        """Waits for running calls and drops queued ones."""
        self._threads.shutdown(cancel_futures=True)
