"""Hears pieces of music for many callers at once, and refuses more than it can hear in time."""

from __future__ import annotations

from typing import NamedTuple

from segue.core.listen import Piece, listen
from segue.core.model import Heard, Model
from segue.server.threads import BoundedThreads


class Hearing(NamedTuple):
    """A piece of music and what the network makes of it."""

    piece: Piece
    heard: Heard


class Engine:
    """A loaded network and the threads that decode and hear for it.

    Decoding, the front end and TensorFlow all leave Python's lock, so threads use every core.
    """

    def __init__(self, model: Model, threads: BoundedThreads) -> None:
        """Takes a warm model and the threads to run it in."""
        self.model = model
        self._threads = threads

    async def hear(self, audio: bytes) -> Hearing:
        """What the network makes of one piece.

        Args:
            audio: the bytes of a whole file.

        Raises:
            Overloaded: too many pieces are waiting already; this one was not looked at.
            AudioError: it cannot be decoded, is too short or too long, or is silent.
        """
        return await self._threads.run(self._hear, audio)

    def _hear(self, audio: bytes) -> Hearing:
        manifest = self.model.manifest
        piece = listen(audio, manifest.features, manifest.windows)
        return Hearing(piece, self.model.hear([piece.windows])[0])
