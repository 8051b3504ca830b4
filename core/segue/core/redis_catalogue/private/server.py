"""Shares a private Redis in the data folder between all Segue processes that use the folder.

Three files in the server's folder are locked and never written:

- ``start.lock`` is held while the server is being started or stopped.
- ``users.lock`` is shared by all users of the server. A user that can lock it exclusively is the last one and stops the
  server.
- ``server.lock`` is inherited and held by the server itself as long as it runs. So is a lock on the folder, which
  remains if someone deletes the files.

The system releases a lock when its process ends, even when it is killed. So no lock is ever stale, and no process id
has to be trusted.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from redis import Redis

from segue.core.errors import StoreUnavailable
from segue.core.file_lock import FileLock
from segue.core.redis_catalogue.client import translating_errors
from segue.core.redis_catalogue.private.process import STOP_SECONDS, PrivateProcess

log = logging.getLogger(__name__)


class PrivateRedis:
    """One user of the private Redis; see ``open_private_redis``."""

    def __init__(self, folder: Path, binary: Path | None = None) -> None:
        """Starts nothing yet.

        Args:
            folder: the folder of the server's data, made if it is missing.
            binary: the server's program, or None for the one that ``find_server`` finds.
        """
        self._folder = folder.absolute()
        self._process = PrivateProcess(self._folder, binary)
        self._user_lock: FileLock | None = None

    @property
    def url(self) -> str:
        """The address of the server's socket, unix://PATH; it is known once ``open`` has returned."""
        return self._process.url

    def open(self) -> None:
        """Starts the server unless it runs, and registers this user.

        Raises:
            StoreUnavailable: there is no server program, or it does not start; the message has the end of its log.
        """
        with self._translating_os_errors():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._start_lock():
                self._register()

    def restart_if_dead(self) -> None:
        """Starts the server again if its process died or lost its socket; leaves one that does not answer alone.

        Raises:
            StoreUnavailable: the server does not start.
        """
        with self._translating_os_errors():
            if not self._process.is_running() or self._process.has_lost_socket():
                with self._start_lock():
                    self._process.start()

    def close(self) -> None:
        """Removes this user, and stops the server if it was the last one."""
        if self._user_lock is None:
            return
        user_lock, self._user_lock = self._user_lock, None
        try:
            with self._start_lock():
                self._leave(user_lock)
        except FileNotFoundError:
            log.warning("The folder %s is gone, but its Redis still runs: end that process yourself", self._folder)

    @contextmanager
    def explaining_death(self) -> Iterator[None]:
        """Explains an error of the block by the end of the server's log if the server died.

        Raises:
            StoreUnavailable: the block raised it; the message has the cause, such as a full disk, if the server died.
        """
        try:
            yield
        except StoreUnavailable as error:
            if self._process.is_running():
                raise
            raise StoreUnavailable(self._process.death_message()) from error

    @contextmanager
    def durable(self) -> Iterator[None]:
        """Makes the server sync every write to disk before it replies; outside, a crash may lose the last second."""
        with self._process.client() as client:
            self._set_sync(client, "always")
            try:
                yield
            finally:
                # A server that died meanwhile starts with everysec.
                with suppress(StoreUnavailable):
                    self._set_sync(client, "everysec")

    def _register(self) -> None:
        user_lock = FileLock(self._folder / "users.lock")
        try:
            user_lock.share()
            self._process.start()
        except BaseException:
            self._leave(user_lock)
            raise
        self._user_lock = user_lock

    def _leave(self, user_lock: FileLock) -> None:
        with user_lock:
            if user_lock.try_exclusive() and self._process.is_running():
                self._process.stop()

    def _set_sync(self, client: Redis, when: str) -> None:
        with translating_errors(self.url):
            client.config_set("appendfsync", when)

    @contextmanager
    def _start_lock(self) -> Iterator[None]:
        with FileLock(self._folder / "start.lock") as lock:
            if not lock.try_exclusive(STOP_SECONDS):
                raise StoreUnavailable(
                    self._process.message(f"has been starting or stopping for more than {STOP_SECONDS:g} s")
                )
            yield

    @contextmanager
    def _translating_os_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreUnavailable(f"{self._process.message('cannot be started')} {error}.") from error


@contextmanager
def open_private_redis(folder: Path, binary: Path | None = None) -> Iterator[PrivateRedis]:
    """Opens the private Redis in a folder: starts it if it does not run, and stops it after its last user.

    Args:
        folder: the folder of the server's data, made if it is missing.
        binary: the server's program, or None for the one that ``find_server`` finds.

    Raises:
        StoreUnavailable: there is no server program, or it does not start.
    """
    redis = PrivateRedis(folder, binary)
    try:
        redis.open()
        yield redis
    finally:
        redis.close()
