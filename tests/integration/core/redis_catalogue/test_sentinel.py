"""A catalogue whose Redis is found by Sentinels."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from segue.core.errors import StoreUnavailable
from segue.core.redis_catalogue.open import open_store
from segue.core.redis_catalogue.store import RedisStore
from tests.helpers.catalogue.failover import NAME, PASSWORD, SENTINEL_PASSWORD, Watched, wait_for_copy, watched
from tests.helpers.catalogue.tracks import MODEL, addition, additions


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A primary, a replica and a Sentinel, all with passwords, for tests that change none of them."""
    with watched(tmp_path_factory.mktemp("redis")) as servers:
        yield servers


def test_the_primary_is_asked_of_the_sentinels(servers: Watched, tmp_path: Path) -> None:
    """Writer and reader use the primary, and say which one it is; no password is in the address."""
    with open_store(tmp_path, servers.url) as store:
        with store.writer(*MODEL) as writer:
            writer.add(additions(1, 2))
        assert (servers.address, 2) == (store.address, store.count())
        assert f"{servers.address} (now 127.0.0.1:{servers.primary.port})" == store.place


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ((f"/{NAME}/", "/other/"), rf"have no primary of the name other, only {NAME}\. Put the right name"),
        ((f"={SENTINEL_PASSWORD}", "=wrong"), "its Sentinels refuse this user .*sentinel_password"),
        ((f"?sentinel_password={SENTINEL_PASSWORD}", ""), "its Sentinels refuse this user .*sentinel_password"),
        ((f":{PASSWORD}@", ":wrong@"), r"refuses this user .*into its URL"),
        ((f"/{NAME}/0", f"/{NAME}/99"), "out of range"),
    ],
)
def test_a_wrong_url(servers: Watched, change: tuple[str, str], expected: str) -> None:
    """Each mistake in the URL has a sentence that names it and no password."""
    with (
        closing(RedisStore(servers.url.replace(*change))) as store,
        pytest.raises(StoreUnavailable, match=expected) as error,
    ):
        store.ping()
    assert "secret" not in str(error.value)


def test_too_few_replicas(servers: Watched) -> None:
    """A primary that may not write, since a replica is away, has a sentence of its own."""
    with closing(RedisStore(servers.url)) as store, servers.primary.client() as admin:
        admin.config_set("min-replicas-to-write", 2)
        try:
            with pytest.raises(StoreUnavailable, match="has too few replicas to write"), store.writer(*MODEL):
                pass
        finally:
            admin.config_set("min-replicas-to-write", 0)


def test_no_sentinel_answers() -> None:
    """The sentence says so, and what to do."""
    with (
        closing(RedisStore("redis+sentinel://:secret@127.0.0.1:1,127.0.0.1:2/music")) as store,
        pytest.raises(StoreUnavailable, match=r"127\.0\.0\.1:2/music cannot be found: none of its Sentinels answers"),
    ):
        store.ping()


def test_a_replica_that_takes_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """An open store finds the new primary though two of three Sentinels end later, and the log names it."""
    with watched(tmp_path / "redis", sentinels=3) as servers, open_store(tmp_path / "data", servers.url) as store:
        with store.writer(*MODEL) as writer:
            writer.add(additions(1, 2))
        wait_for_copy(servers.primary, servers.replica)
        servers.lose_primary()
        servers.end_sentinels(2)
        assert 2 == store.count()
        assert f"now at 127.0.0.1:{servers.replica.port}" in caplog.text
        with store.writer(*MODEL) as writer:
            assert 3 == writer.add([addition(3)])


def test_no_primary_is_left(tmp_path: Path) -> None:
    """While the Sentinels have no primary, the sentence says so."""
    with watched(tmp_path) as servers, closing(RedisStore(servers.url)) as store:
        store.ping()
        servers.replica.kill()
        servers.primary.kill()
        with pytest.raises(StoreUnavailable, match=r"has no primary now, say its Sentinels.*again in a moment"):
            _ping_until_noticed(store)


def _ping_until_noticed(store: RedisStore) -> None:
    """Pings until the Sentinel has noticed that the primary is gone."""
    while True:
        try:
            store.ping()
        except StoreUnavailable as error:
            if "does not answer" not in str(error):
                raise
