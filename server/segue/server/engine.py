"""Hears pieces of music for many callers at once, and refuses more than it can hear in time."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

from segue.core.errors import Overloaded
from segue.core.listen import listen
from segue.core.model import Heard, Model


class Engine:
    """A loaded network and the threads that decode and hear for it.

    Decoding, the front end and TensorFlow all leave Python's lock, so threads use every core.
    """

    def __init__(self, model: Model, workers: int, most_waiting: int) -> None:
        """Takes a warm model, how many pieces are heard at once, and how many may wait or be heard."""
        self.model = model
        self._most_waiting = most_waiting
        self._waiting = 0
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="hear")

    async def hear(self, audio: bytes) -> Heard:
        """What the network makes of one piece.

        Args:
            audio: the bytes of a whole file.

        Raises:
            Overloaded: too many pieces are waiting already; this one was not looked at.
            AudioError: it cannot be decoded, is too short or too long, or is silent.
        """
        if self._waiting >= self._most_waiting:
            raise Overloaded(
                f"{self._waiting} pieces are waiting already. Try again in a second, or start more servers."
            )
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, self._hear, audio)
        finally:
            self._waiting -= 1

    def _hear(self, audio: bytes) -> Heard:
        manifest = self.model.manifest
        piece = listen(audio, manifest.features, manifest.windows)
        return self.model.hear([piece.windows])[0]

    def close(self) -> None:
        """Waits for the pieces under way and ends the threads."""
        self._threads.shutdown(cancel_futures=True)
