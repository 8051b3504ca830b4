"""Starts and stops the server process of a private Redis."""

from __future__ import annotations

import errno
import logging
import os
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from redis import Redis
from redis.exceptions import BusyLoadingError, RedisError

from segue.core.errors import StoreUnavailable
from segue.core.file_lock import FileLock
from segue.core.process_identity import has_open
from segue.core.redis_catalogue.client import DEFAULT_TIMEOUTS, connect
from segue.core.redis_catalogue.private.locations import SOCKET, find_server, is_private, socket_path

# Long enough for a server that loads or saves a catalogue of millions of tracks.
STOP_SECONDS = 300.0
_START_SECONDS = 10.0
# A server that was started a moment ago by a program that was killed has its socket within milliseconds.
_SOCKET_SECONDS = 2.0
_ADDRESS, _LOG, _PID = "socket-path", "redis.log", "redis.pid"
# Paths are relative to the server's folder. The path of the socket follows.
_OPTIONS = (
    *("--daemonize", "yes", "--dir", ".", "--pidfile", _PID, "--logfile", _LOG),
    *("--port", "0", "--unixsocketperm", "700"),
    *("--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--maxmemory-policy", "noeviction"),
)
# A server that cannot write its log of commands ends. It cannot say so over the connection, only in redis.log.
_DISK_FULL = re.compile(f"Short write|{re.escape(os.strerror(errno.ENOSPC))}")

log = logging.getLogger(__name__)


class PrivateProcess:
    """The server process of a private Redis, shared by all Segue processes that use the same folder.

    The server inherits the lock on ``server.lock`` and on its folder, so both are held exactly as long as it runs. Who
    deletes lock files does not remove the lock on the folder, so there is never a second server on the same data. Only
    a process that holds ``start.lock`` starts or stops the server; see ``PrivateRedis``.
    """

    def __init__(self, folder: Path, binary: Path | None = None) -> None:
        """Starts nothing yet.

        Args:
            folder: the absolute path of the server's data.
            binary: the server's program, or None for the one that ``find_server`` finds.
        """
        self._folder = folder
        self._binary = binary
        self._socket = folder / SOCKET

    @property
    def url(self) -> str:
        """The address of the socket, unix://PATH; it is known once ``start`` has returned."""
        return f"unix://{quote(str(self._socket))}"

    def is_running(self) -> bool:
        """Returns whether the server's process exists, even if it does not answer."""
        with self._server_lock() as lock:
            return not lock.try_exclusive()

    def has_lost_socket(self) -> bool:
        """Returns whether the server runs without its socket, as after a program has cleaned the temporary folder."""
        return self.is_running() and not self._find_socket()

    def start(self) -> None:
        """Starts the server unless it runs, and waits until it has loaded its data.

        A server without its socket is ended and started again.

        Raises:
            StoreUnavailable: there is no server program, or it does not start.
        """
        launched = False
        while not launched:
            launched = self._launch_unless_running()
            if self._becomes_ready():
                return
            # A server that this call did not start may have been killed a moment ago, and had not ended yet.
        raise StoreUnavailable(f"{self.message('stopped while it started')} {self._log_end()}")

    def stop(self) -> None:
        """Stops the server and waits until its data is on disk. A server that does not answer is left running.

        Raises:
            StoreUnavailable: the server did not end within ``STOP_SECONDS``, or it has lost its socket and cannot be
                identified.
        """
        try:
            self._request_shutdown()
        except ConnectionError:
            pass  # it was killed
        except FileNotFoundError:
            self._terminate()
        except OSError as error:
            # A suspended server reads the request when it resumes.
            log.warning("The private Redis in %s does not answer (%s) and is left running", self._folder, error)
            return
        with self._server_lock() as lock:
            if not lock.try_exclusive(STOP_SECONDS):
                raise StoreUnavailable(self.message("does not stop"))
        self._remove_socket(self._socket)

    def message(self, what: str) -> str:
        """Returns an error message: what happened to the server, where, and what to do."""
        return (
            f"The private Redis in {self._folder} {what}. See {self._folder / _LOG}, or name another Redis with "
            "--redis URL."
        )

    def death_message(self) -> str:
        """Returns an error message about a server that died, with the end of its log."""
        log_end = self._log_end()
        return f"{self.message('died: its disk is full' if _DISK_FULL.search(log_end) else 'died')} {log_end}"

    @contextmanager
    def client(self) -> Iterator[Redis]:
        """Connects to the server for the duration of the block."""
        client = connect(self.url, DEFAULT_TIMEOUTS._replace(retries=0))
        try:
            yield client
        finally:
            client.close()

    def _server_lock(self) -> FileLock:
        return FileLock(self._folder / "server.lock", self._folder)

    def _recorded_socket(self) -> Path | None:
        """Returns the path of the server's socket, or of the last server's, or None if it is not known."""
        with suppress(FileNotFoundError):
            return Path(os.fsdecode((self._folder / _ADDRESS).read_bytes()))
        return None

    def _find_socket(self) -> bool:
        """Waits a moment for the socket of a running server, and returns whether it is there."""
        deadline = time.monotonic() + _SOCKET_SECONDS
        while True:
            self._socket = self._recorded_socket() or self._socket
            if self._socket.exists():
                return True
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)

    def _terminate(self) -> None:
        """Requests the end of a server that has lost its socket, by SIGTERM.

        Raises:
            StoreUnavailable: it is not certain which process it is.
        """
        pid = self._pid()
        if pid is None or not has_open(pid, self._folder):
            process = f"process {pid}, by its file {_PID}" if pid else f"unknown, since it has no file {_PID}"
            raise StoreUnavailable(
                f"The private Redis in {self._folder} runs, but its socket {self._socket} is gone. Its process is "
                f"{process}: make sure of that with `ps -fp {pid or 'NUMBER'}`, end it with `kill {pid or 'NUMBER'}`, "
                "then run the same command again."
            )
        log.warning("The private Redis (process %d) has lost its socket %s, and is ended", pid, self._socket)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)

    def _pid(self) -> int | None:
        """Returns the process id that the server has written, or None."""
        with suppress(OSError, ValueError):
            return int((self._folder / _PID).read_bytes())
        return None

    def _launch_unless_running(self) -> bool:
        """Starts the server if none runs, or one without its socket, and returns whether it did."""
        with self._server_lock() as lock:
            if not lock.try_exclusive():
                if self._find_socket():
                    return False
                self._terminate()
                if not lock.try_exclusive(STOP_SECONDS):
                    raise StoreUnavailable(self.message("does not stop"))
            self._launch(lock)
        return True

    def _launch(self, lock: FileLock) -> None:
        previous = self._recorded_socket()
        self._socket = socket_path(self._folder, previous)
        if previous and previous != self._socket:
            self._remove_socket(previous)
        self._socket.unlink(missing_ok=True)
        # Other users of the folder may have another temporary folder, and so compute another path.
        (self._folder / _ADDRESS).write_bytes(os.fsencode(self._socket))
        (self._folder / _LOG).write_bytes(b"")
        command = [str(self._binary or find_server()), *_OPTIONS, "--unixsocket", str(self._socket)]
        launched = subprocess.run(
            command,
            cwd=self._folder,
            pass_fds=lock.descriptors,
            # Ctrl-C in a terminal reaches Segue only, which then stops the server properly.
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if launched.returncode != 0:
            raise StoreUnavailable(f"{self.message('does not start')}\n{launched.stdout}{launched.stderr}".rstrip())

    def _becomes_ready(self) -> bool:
        """Waits while the server loads its data, however long that takes, and returns False if it ends meanwhile."""
        last_sign_of_life = time.monotonic()
        with self.client() as client:
            while (state := _state(client)) != "ready":
                if not self.is_running():
                    return False
                if state == "loading":
                    last_sign_of_life = time.monotonic()
                if time.monotonic() - last_sign_of_life > _START_SECONDS:
                    raise StoreUnavailable(f"{self.message('runs, but does not answer')} {self._log_end()}")
                time.sleep(0.01)
        return True

    def _request_shutdown(self) -> None:
        # A Redis client would first wait for a reply. A suspended server must find the request when it resumes.
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(DEFAULT_TIMEOUTS.answer)
            connection.connect(os.fspath(self._socket))
            connection.sendall(b"SHUTDOWN NOSAVE\r\n")
            connection.recv(1)

    def _remove_socket(self, path: Path) -> None:
        """Removes a socket that no server uses, with its temporary folder. Leaves what another user has put there."""
        if path.parent == self._folder:
            path.unlink(missing_ok=True)
        elif is_private(path.parent):
            path.unlink(missing_ok=True)
            with suppress(OSError):
                path.parent.rmdir()

    def _log_end(self) -> str:
        lines = (self._folder / _LOG).read_text(encoding="utf-8", errors="replace").splitlines()
        return "Its log ends:\n" + "\n".join(lines[-5:])


def _state(client: Redis) -> Literal["ready", "loading", "unreachable"]:
    try:
        client.ping()
    except BusyLoadingError:
        return "loading"
    except RedisError:
        return "unreachable"
    return "ready"
