"""The server process of the private Redis: its options, its death, and data that it cannot load."""

from __future__ import annotations

import os
import signal
import stat
import threading
from contextlib import ExitStack
from pathlib import Path

import pytest

from segue.core.errors import StoreUnavailable
from segue.core.file_lock import FileLock
from segue.core.redis_catalogue.client import translating_errors
from segue.core.redis_catalogue.private.locations import find_server
from segue.core.redis_catalogue.private.server import open_private_redis
from tests.helpers.catalogue.private_redis import connected, server_pid
from tests.helpers.machine.waiting import wait_until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The server's folder."""
    return tmp_path / "redis"


def test_the_server_is_private(folder: Path) -> None:
    """It has a socket with access for its owner only, keeps a log of commands, and evicts nothing."""
    with open_private_redis(folder) as redis, connected(redis.url) as client:
        expected = {"port": "0", "appendonly": "yes", "appendfsync": "everysec", "save": ""}
        expected |= {"maxmemory-policy": "noeviction"}
        assert expected == {name: client.config_get(name)[name] for name in expected}
        assert 0o700 == stat.S_IMODE(folder.stat().st_mode)
        assert 0o700 == stat.S_IMODE((folder / "redis.sock").stat().st_mode)
        assert stat.S_ISSOCK((folder / "redis.sock").stat().st_mode)
    assert not (folder / "redis.sock").exists()


def test_ctrl_c_does_not_reach_the_server(folder: Path) -> None:
    """The server has a session of its own, and is not a child process that would remain as a zombie."""
    with open_private_redis(folder) as redis:
        pid = server_pid(redis.url)
        assert pid is not None
        assert os.getsid(0) != os.getsid(pid)
        with pytest.raises(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def test_a_killed_server_is_started_again(folder: Path) -> None:
    """A stale socket and a stale pid file are cleaned up, and durable data is still there."""
    with open_private_redis(folder) as redis, connected(redis.url) as client, redis.durable():
        client.set("key", "value")
        killed = server_pid(redis.url)
        assert killed is not None
        os.kill(killed, signal.SIGKILL)
        wait_until(lambda: server_pid(redis.url) is None)
        assert (folder / "redis.sock").exists()
        with open_private_redis(folder) as again, connected(again.url) as client_again:
            assert b"value" == client_again.get("key")
            assert server_pid(again.url) not in {None, killed}


def test_a_killed_server_that_has_not_ended_yet(folder: Path) -> None:
    """A server that was killed a moment ago still has its lock, and its socket remains: it is started again."""
    folder.mkdir()
    (folder / "socket-path").write_bytes(os.fsencode(folder / "redis.sock"))
    (folder / "redis.sock").touch()
    ending = FileLock(folder / "server.lock", folder)
    assert ending.try_exclusive()
    threading.Timer(0.3, ending.close).start()
    with open_private_redis(folder) as redis:
        assert server_pid(redis.url) is not None


def test_a_log_cut_off_by_a_crash(folder: Path) -> None:
    """Half a transaction at the end of the log of commands is dropped, and everything before it is loaded."""
    with open_private_redis(folder) as redis, connected(redis.url) as client:
        client.set("whole", "value")
        with client.pipeline(transaction=True) as pipe:
            pipe.set("half", "value")
            pipe.set("other half", "value")
            pipe.execute()
    (log,) = (folder / "appendonlydir").glob("*.incr.aof")
    os.truncate(log, log.stat().st_size - 30)
    with open_private_redis(folder) as redis, connected(redis.url) as client:
        assert [b"value", None, None] == client.mget("whole", "half", "other half")


def test_damaged_data(folder: Path) -> None:
    """A server that refuses its data is not waited for, and the error has the end of its log."""
    with open_private_redis(folder) as redis, connected(redis.url) as client:
        client.set("key", "value")
    (log,) = (folder / "appendonlydir").glob("*.incr.aof")
    log.write_bytes(b"*garbage*" + log.read_bytes())
    for _ in range(2):
        with (
            pytest.raises(StoreUnavailable, match=r"(?s)stopped while it started.*Its log ends:.*format"),
            ExitStack() as stack,
        ):
            stack.enter_context(open_private_redis(folder))


def test_data_of_a_newer_server(folder: Path, redis_program: Path) -> None:
    """Data that a newer server wrote is refused by an older one, and the error has the reason from its log."""
    with open_private_redis(folder) as redis, connected(redis.url) as client:
        client.set("key", "value")
        client.bgrewriteaof()
        wait_until(lambda: not client.info("persistence")["aof_rewrite_in_progress"])
    with pytest.raises(StoreUnavailable, match=r"(?s)Its log ends:.*(version|format)"), ExitStack() as stack:
        stack.enter_context(open_private_redis(folder, redis_program))


@pytest.mark.parametrize("program", ["valkey", "redis"])
def test_a_full_disk(program: str, folder: Path, request: pytest.FixtureRequest) -> None:
    """A server that cannot write its log of commands dies, and the error says why: Valkey 9.1 and Redis 7.0."""
    binary = request.getfixturevalue("redis_program") if program == "redis" else find_server()
    # No file of the server can grow beyond 8 KiB, as on a full disk.
    limited = folder.with_name("limited-server")
    limited.write_text(f"#!/bin/sh\ntrap '' XFSZ\nulimit -f 16\nexec '{binary}' \"$@\"\n")
    limited.chmod(0o700)
    with (
        pytest.raises(StoreUnavailable, match=r"(?s)died: its disk is full\. See .*redis\.log.*Its log ends:"),
        open_private_redis(folder, limited) as redis,
        redis.explaining_death(),
        redis.durable(),
        translating_errors(redis.url),
        connected(redis.url) as client,
    ):
        client.set("key", "value" * 4_000)


def test_a_program_that_refuses_its_options(folder: Path) -> None:
    """The error says that the program did not start."""
    with pytest.raises(StoreUnavailable, match="does not start"), ExitStack() as stack:
        stack.enter_context(open_private_redis(folder, Path("/bin/false")))


def test_a_folder_or_a_program_that_is_missing(tmp_path: Path) -> None:
    """The error names a file in the place of the folder, or the program that does not exist."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match=r"file.*cannot be started"), ExitStack() as stack:
        stack.enter_context(open_private_redis(tmp_path / "file"))
    with pytest.raises(StoreUnavailable, match="no-such-program"), ExitStack() as stack:
        stack.enter_context(open_private_redis(tmp_path / "redis", tmp_path / "no-such-program"))
