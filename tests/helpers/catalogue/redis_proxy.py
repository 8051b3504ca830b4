"""A connection to Redis that fails when a test wants it to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_BUFFER_BYTES = 2**16


class RedisProxy:
    """Forwards connections from one Unix socket to another, and interferes with one chosen request."""

    def __init__(self, path: Path, target: Path) -> None:
        """Listens at once.

        Args:
            path: the path of its own socket, at most 103 bytes.
            target: the path of the server's socket.
        """
        self.url = f"unix://{path}"
        self._target = str(target)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._pattern: bytes | None = None
        self._action: Callable[[], object] = lambda: None
        self._loses_reply = False
        threading.Thread(target=self._accept, daemon=True).start()

    def lose_reply(self, pattern: bytes) -> None:
        """Cuts the connection after the server has carried out the next request that contains the pattern."""
        self._action, self._loses_reply, self._pattern = lambda: None, True, pattern

    def run_before(self, pattern: bytes, action: Callable[[], object]) -> None:
        """Runs an action before the server gets the next request that contains the pattern."""
        self._action, self._loses_reply, self._pattern = action, False, pattern

    @property
    def has_interfered(self) -> bool:
        """True once the chosen request has come."""
        return self._pattern is None

    def close(self) -> None:
        """Accepts no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self._target)
                is_lost = threading.Event()
                for forward in (self._forward_requests, self._forward_replies):
                    threading.Thread(target=forward, args=(client, server, is_lost), daemon=True).start()

    def _forward_requests(self, client: socket.socket, server: socket.socket, is_lost: threading.Event) -> None:
        with suppress(OSError), server:
            while request := client.recv(_BUFFER_BYTES):
                if self._pattern is not None and self._pattern in request:
                    self._pattern = None
                    self._action()
                    if self._loses_reply:
                        is_lost.set()
                server.sendall(request)

    def _forward_replies(self, client: socket.socket, server: socket.socket, is_lost: threading.Event) -> None:
        with suppress(OSError), client:
            while (reply := server.recv(_BUFFER_BYTES)) and not is_lost.is_set():
                client.sendall(reply)
            # The other thread may be waiting for the next request.
            client.shutdown(socket.SHUT_RDWR)


@contextmanager
def redis_proxy(path: Path, target: Path) -> Iterator[RedisProxy]:
    """Opens a proxy at ``path`` to the server at ``target`` for the duration of the block."""
    proxy = RedisProxy(path, target)
    try:
        yield proxy
    finally:
        proxy.close()
