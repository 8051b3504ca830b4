"""Clients and users of a private Redis."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from redis import Redis
from redis.exceptions import RedisError

from tests.helpers.machine.waiting import PATIENCE_SECONDS

_USER = """
import sys
from pathlib import Path
from segue.core.redis_catalogue.private.server import open_private_redis
with open_private_redis(Path(sys.argv[1])) as redis:
    print(redis.url, flush=True)
    sys.stdin.readline()
"""


@contextmanager
def connected(url: str) -> Iterator[Redis]:
    """Connects to the server at ``url``, without retries, for the duration of the block."""
    client = Redis.from_url(url, retry=None, protocol=2)
    try:
        yield client
    finally:
        client.close()


def server_pid(url: str) -> int | None:
    """Returns the process id of the server at ``url``, or None if none answers."""
    with connected(url) as client:
        try:
            return int(client.info("server")["process_id"])
        except RedisError:
            return None


class UserProcess:
    """Another process that uses the private Redis in a folder until ``leave`` is called."""

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _USER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def wait_for_url(self) -> str:
        """Waits until the process uses the server, and returns the address."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def leave(self) -> None:
        """Ends the process in good order."""
        self.process.communicate("\n", timeout=PATIENCE_SECONDS)
        assert 0 == self.process.returncode
