"""Real Redis servers that replicate, and Sentinels that promote the replica."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from tests.helpers.machine.ports import free_port
from tests.helpers.machine.waiting import wait_until

NAME = "music"
"""The name of the primary."""

_NO_RETRY = Retry(NoBackoff(), 0)

PASSWORD, SENTINEL_PASSWORD = "primary-secret", "sentinel-secret"


class Server:
    """A Redis server of its own, which is no Sentinel.

    Attributes:
        port: its port on 127.0.0.1.
    """

    def __init__(self, folder: Path, primary: Server | None = None) -> None:
        """Starts it, as a replica if there is a primary, and waits until it answers."""
        self.port = free_port()
        self._folder = folder
        self._primary = primary
        folder.mkdir(parents=True)
        self.start()

    def start(self) -> None:
        """Starts it again on the same port and with the same data."""
        options = {"save": "", "appendonly": "yes", "appendfsync": "always", "repl-diskless-sync-delay": "0"}
        login = {"requirepass": PASSWORD, "masterauth": PASSWORD}
        replica = {"replicaof": f"127.0.0.1 {self._primary.port}"} if self._primary else {}
        self._process = _run(self._folder, self.port, options | login | replica)
        wait_until(self._answers)

    def _answers(self) -> bool:
        with suppress(RedisError), self.client() as client:
            return bool(client.ping())
        return False

    def client(self) -> Any:  # noqa: ANN401 - redis-py types its replies for all protocols at once
        """Returns a client of this server, whatever its role."""
        return Redis("127.0.0.1", self.port, password=PASSWORD, protocol=2, retry=_NO_RETRY, decode_responses=True)

    @property
    def url(self) -> str:
        """The address of this server, with its password."""
        return f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"

    def role(self) -> str:
        """Returns "master" or "slave"."""
        with self.client() as client:
            return str(client.info("replication")["role"])

    def kill(self) -> None:
        """Ends it at once."""
        self._process.kill()
        self._process.wait()


def cut_link(primary: Server, replica: Server) -> None:
    """Ends the replication: what is written from now on, the replica does not get."""
    with primary.client() as source, replica.client() as target:
        target.config_set("masterauth", "wrong")
        source.client_kill_filter(_type="replica")
        wait_until(lambda: "down" == target.info("replication")["master_link_status"])


def wait_for_copy(primary: Server, replica: Server) -> None:
    """Waits until the replica has everything."""
    with primary.client() as source, replica.client() as target:
        wait_until(
            lambda: (
                "up" == target.info("replication").get("master_link_status")
                and source.info("replication")["master_repl_offset"] == target.info("replication")["slave_repl_offset"]
            )
        )


class Watched:
    """A primary and a replica that Sentinels watch.

    Attributes:
        primary: the first primary.
        replica: its replica, which is promoted when the primary dies.
        url: the address by the Sentinels, with passwords.
        address: the same without passwords.
    """

    def __init__(self, folder: Path, sentinels: int) -> None:
        """Starts all, and waits until the Sentinels know the replica and each other."""
        self.primary = Server(folder / "primary")
        self.replica = Server(folder / "replica", self.primary)
        wait_for_copy(self.primary, self.replica)
        self._sentinels = [
            _Sentinel(folder / f"sentinel-{n}", self.primary, sentinels // 2 + 1) for n in range(sentinels)
        ]
        hosts = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self._sentinels)
        self.address = f"redis+sentinel://{hosts}/{NAME}/0"
        self.url = f"redis+sentinel://:{PASSWORD}@{hosts}/{NAME}/0?sentinel_password={SENTINEL_PASSWORD}"
        for sentinel in self._sentinels:
            wait_until(partial(sentinel.is_complete, sentinels - 1))

    def lose_primary(self) -> None:
        """Kills the primary, and waits until the replica is promoted and all Sentinels say so."""
        self.primary.kill()
        self.wait_for_promotion()

    def wait_for_promotion(self) -> None:
        """Waits until the replica is the primary, and all Sentinels say so."""
        for sentinel in self._sentinels:
            wait_until(partial(sentinel.has_primary, self.replica.port))
        wait_until(lambda: "master" == self.replica.role())

    def end_sentinels(self, count: int) -> None:
        """Kills the first Sentinels of the address."""
        for sentinel in self._sentinels[:count]:
            sentinel.kill()

    def end(self) -> None:
        """Ends all processes."""
        self.end_sentinels(len(self._sentinels))
        self.replica.kill()
        self.primary.kill()


class _Sentinel:
    def __init__(self, folder: Path, primary: Server, quorum: int) -> None:
        self.port = free_port()
        folder.mkdir(parents=True)
        file = folder / "sentinel.conf"
        lines = (
            f"monitor {NAME} 127.0.0.1 {primary.port} {quorum}",
            f"down-after-milliseconds {NAME} 500",
            f"failover-timeout {NAME} 3000",
            f"auth-pass {NAME} {PASSWORD}",
            f"sentinel-pass {SENTINEL_PASSWORD}",
        )
        text = "".join(f"sentinel {line}\n" for line in lines)
        file.write_text(f"{text}requirepass {SENTINEL_PASSWORD}\n")
        self._process = _run(folder, self.port, {}, str(file), "--sentinel")

    def _state(self) -> dict[str, Any]:
        with (
            suppress(RedisError),
            Redis("127.0.0.1", self.port, password=SENTINEL_PASSWORD, protocol=2, retry=_NO_RETRY) as client,
        ):
            return dict(client.sentinel_master(NAME))
        return {}

    def is_complete(self, others: int) -> bool:
        """Returns whether it knows the replica and the other Sentinels."""
        state = self._state()
        return (1, others) == (state.get("num-slaves"), state.get("num-other-sentinels"))

    def has_primary(self, port: int) -> bool:
        """Returns whether it names this port as that of the primary."""
        return port == self._state().get("port")

    def kill(self) -> None:
        """Ends it at once."""
        self._process.kill()
        self._process.wait()


def _run(folder: Path, port: int, options: dict[str, str], *first: str) -> subprocess.Popen[bytes]:
    program = shutil.which("redis-server")
    if program is None:
        pytest.skip("no redis-server on the PATH: install it to test a failover")
    more = {"port": str(port), "bind": "127.0.0.1", "dir": str(folder), "logfile": str(folder / "log"), **options}
    words = [word for name, value in more.items() for word in (f"--{name}", *(value.split(" ")))]
    return subprocess.Popen([program, *first, *words], stdout=subprocess.DEVNULL)


@contextmanager
def watched(folder: Path, sentinels: int = 1) -> Iterator[Watched]:
    """Runs a primary, a replica and Sentinels for the duration of the block."""
    with ExitStack() as stack:
        servers = Watched(folder, sentinels)
        stack.callback(servers.end)
        yield servers


@contextmanager
def replicated(folder: Path) -> Iterator[tuple[Server, Server]]:
    """Runs a primary and a replica without Sentinels for the duration of the block."""
    primary = Server(folder / "primary")
    replica = Server(folder / "replica", primary)
    try:
        wait_for_copy(primary, replica)
        yield primary, replica
    finally:
        replica.kill()
        primary.kill()
