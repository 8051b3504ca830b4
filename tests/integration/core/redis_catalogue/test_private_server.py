"""The private Redis: started by its first user, stopped after its last, without losing data in between."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from segue.core.redis_catalogue.private.server import PrivateRedis, open_private_redis
from tests.helpers.catalogue.private_redis import UserProcess, connected, server_pid
from tests.helpers.machine.waiting import PATIENCE_SECONDS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The server's folder; its name has characters that a configuration could misread."""
    return tmp_path / "my music %20" / "redis"


def test_data_outlives_the_server(folder: Path) -> None:
    """The server that the next user starts has the data of the last one."""
    with open_private_redis(folder) as redis, connected(redis.url) as client:
        client.set("key", b"\x00value\xff")
    assert server_pid(redis.url) is None
    with open_private_redis(folder) as redis, connected(redis.url) as client:
        assert b"\x00value\xff" == client.get("key")


def test_the_last_user_stops_the_server(folder: Path) -> None:
    """Processes share the server, and the last of them stops it, whichever started it."""
    first = UserProcess(folder)
    url = first.wait_for_url()
    pid = server_pid(url)
    second = UserProcess(folder)
    assert url == second.wait_for_url()
    first.leave()
    assert pid == server_pid(url)
    with open_private_redis(folder):
        second.leave()
        assert pid == server_pid(url)
    assert server_pid(url) is None


def test_one_process_uses_the_server_twice(folder: Path) -> None:
    """A process may open the same server several times."""
    with open_private_redis(folder) as outer:
        with open_private_redis(folder) as inner:
            assert outer.url == inner.url
        assert server_pid(outer.url) is not None
    assert server_pid(outer.url) is None


def test_a_killed_user_is_not_counted(folder: Path) -> None:
    """The next user takes over the server of a killed one, and stops it afterwards."""
    user = UserProcess(folder)
    url = user.wait_for_url()
    pid = server_pid(url)
    user.process.send_signal(signal.SIGKILL)
    user.process.communicate()
    assert pid is not None
    assert pid == server_pid(url)
    with open_private_redis(folder) as redis:
        assert pid == server_pid(redis.url)
    assert server_pid(url) is None


def test_durable_for_the_duration_of_the_block(folder: Path) -> None:
    """Within the block the server syncs every write before it replies, afterwards once a second."""
    with open_private_redis(folder) as redis, connected(redis.url) as client:
        with redis.durable():
            assert {"appendfsync": "always"} == client.config_get("appendfsync")
        assert {"appendfsync": "everysec"} == client.config_get("appendfsync")


def test_many_users_at_once(folder: Path) -> None:
    """Processes and threads that start at the same time share one server, and the last of them stops it."""
    users = [UserProcess(folder) for _ in range(3)]
    pids: list[int | None] = []

    def use_repeatedly() -> None:
        for _ in range(5):
            with open_private_redis(folder) as redis:
                pids.append(server_pid(redis.url))

    threads = [threading.Thread(target=use_repeatedly) for _ in range(3)]
    for thread in threads:
        thread.start()
    urls = {user.wait_for_url() for user in users}
    for thread in threads:
        thread.join()
    (url,) = urls
    assert None not in pids
    assert 15 == len(pids)
    for user in users:
        assert server_pid(url) is not None
        user.leave()
    assert server_pid(url) is None


def test_one_user_at_a_time_starts_or_stops(folder: Path) -> None:
    """A user waits for its turn while another one starts or stops the server."""
    folder.mkdir(parents=True)
    with (folder / "start.lock").open("w") as start:
        fcntl.flock(start, fcntl.LOCK_EX)
        with ThreadPoolExecutor() as pool:
            redis = PrivateRedis(folder)
            opening = pool.submit(redis.open)
            with pytest.raises(TimeoutError):
                opening.result(timeout=0.3)
            assert ["start.lock"] == [path.name for path in folder.iterdir()]
            fcntl.flock(start, fcntl.LOCK_UN)
            opening.result(PATIENCE_SECONDS)
    assert server_pid(redis.url) is not None
    redis.close()
    assert server_pid(redis.url) is None


def test_a_folder_that_was_deleted(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A user whose folder is gone leaves the server running, and the log says so."""
    with open_private_redis(folder) as redis:
        pid = server_pid(redis.url)
        shutil.rmtree(folder)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    assert "still runs" in caplog.text
