"""The private Redis after someone deleted files around its data: its socket, its locks, its process number."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from segue.core.errors import StoreUnavailable
from segue.core.process_identity import start_time
from segue.core.redis_catalogue.private.server import open_private_redis
from segue.core.redis_catalogue.store import RedisStore
from tests.helpers.catalogue.private_redis import UserProcess, connected, server_pid
from tests.helpers.machine.waiting import wait_until

linux = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the files that a process has open are not known")


@pytest.fixture(params=["short", "long" * 30], ids=["short", "long"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The server's folder; with a long path, its socket is in a temporary folder."""
    return tmp_path / str(request.param) / "redis"


def delete_socket(url: str) -> None:
    """Deletes a socket, and its folder if that is a temporary one, as a cleaner of temporary files does."""
    socket = Path(url.removeprefix("unix://"))
    socket.unlink()
    if socket.parent.name != "redis":
        socket.parent.rmdir()


@linux
def test_a_lost_socket(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The next user ends the server by its number and starts it at the same address; acknowledged data is there."""
    user = UserProcess(folder)
    url = user.wait_for_url()
    old = server_pid(url)
    assert old is not None
    with connected(url) as client:
        client.set("key", "value")
        delete_socket(url)
        with open_private_redis(folder) as redis, connected(redis.url) as again:
            assert url == redis.url
            assert b"value" == again.get("key")
            assert server_pid(url) not in {None, old}
        assert start_time(old) is None
    assert f"(process {old}) has lost its socket" in caplog.text
    user.leave()
    assert server_pid(url) is None


@linux
def test_a_user_whose_server_loses_its_socket(folder: Path) -> None:
    """A user that is already there heals the server, too, as soon as its connection is gone."""
    with (
        open_private_redis(folder) as redis,
        closing(RedisStore(redis.url, restart_if_dead=redis.restart_if_dead)) as store,
    ):
        old = server_pid(redis.url)
        delete_socket(redis.url)
        store.ping()
        assert server_pid(redis.url) not in {None, old}


@linux
def test_the_last_user_of_a_lost_socket(folder: Path) -> None:
    """The last user stops a server without its socket."""
    with open_private_redis(folder) as redis:
        old = server_pid(redis.url) or 0
        delete_socket(redis.url)
    assert start_time(old) is None


def test_a_lost_socket_and_a_wrong_number(tmp_path: Path) -> None:
    """A process that is not certainly the server is not ended: the error names it and says what to type."""
    folder, number = tmp_path / "redis", tmp_path / "redis" / "redis.pid"
    stranger = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE)
    with stranger, open_private_redis(folder) as redis:
        own = number.read_text()
        delete_socket(redis.url)
        number.write_text(str(stranger.pid))
        with (
            pytest.raises(StoreUnavailable, match=rf"redis\.sock is gone.*`kill {stranger.pid}`"),
            open_private_redis(folder),
        ):
            pass
        number.unlink()
        with pytest.raises(StoreUnavailable, match=r"redis\.sock is gone.*unknown"), open_private_redis(folder):
            pass
        number.write_text(own)
        assert stranger.poll() is None
        stranger.kill()


def test_deleted_lock_files(folder: Path) -> None:
    """Without the lock files there is still one server on the data, and the next user finds it."""
    with open_private_redis(folder) as redis, connected(redis.url) as client:
        client.set("key", "value")
        pid = server_pid(redis.url)
        for lock in folder.glob("*.lock"):
            lock.unlink()
        with open_private_redis(folder) as again, connected(again.url) as client_again:
            assert (redis.url, pid) == (again.url, server_pid(again.url))
            assert b"value" == client_again.get("key")


def test_deleted_lock_files_of_a_killed_user(folder: Path) -> None:
    """Without the lock files, a server that a killed program has left is still used by the next one."""
    user = UserProcess(folder)
    pid = server_pid(user.wait_for_url())
    user.process.send_signal(signal.SIGKILL)
    user.process.communicate()
    for lock in folder.glob("*.lock"):
        lock.unlink()
    with open_private_redis(folder) as redis:
        assert pid == server_pid(redis.url)
    wait_until(lambda: start_time(pid or 0) is None)
