"""The lock of the catalogue's writer: its lease, its token, and how the next writer gets it."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path

import pytest
from redis import Redis

from segue.core.errors import CatalogueLocked
from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.private.server import PrivateRedis, open_private_redis
from segue.core.redis_catalogue.store import RedisStore
from tests.helpers.catalogue.tracks import MODEL, addition, can_write, track_id
from tests.helpers.machine.waiting import wait_until

# A writer renews its lease after a third of it, so one of this length is not renewed during a test.
LONG_LEASE_SECONDS = 600
OpenStore = Callable[..., RedisStore]


@pytest.fixture
def open_store(private_redis: PrivateRedis, keys: RedisKeys) -> Iterator[OpenStore]:
    """A function that opens the same catalogue once more, with a given lease in seconds."""
    with ExitStack() as stack:

        def open_again(lease: float = LONG_LEASE_SECONDS) -> RedisStore:
            store = RedisStore(private_redis.url, keys, lease)
            stack.callback(store.close)
            return store

        yield open_again


@pytest.fixture
def end_lease(client: Redis, keys: RedisKeys) -> Callable[[], object]:
    """A function that ends the present lease, as if its writer had slept for longer than that."""
    return lambda: client.hset(keys.writer, "until", 1)


def lease_end(client: Redis, keys: RedisKeys) -> int:
    """Returns the time at which the present lease ends, in ms since 1970."""
    return int(client.hget(keys.writer, "until") or 0)


def server_time(client: Redis) -> int:
    """Returns the time on the clock of Redis, in ms since 1970."""
    seconds, microseconds = client.time()
    return int(seconds) * 1000 + int(microseconds) // 1000


@contextmanager
def writer_elsewhere(url: str, keys: RedisKeys) -> Iterator[subprocess.Popen[str]]:
    """Starts another process that holds the lock until the end of the block."""
    script = f"""
import time
from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.store import RedisStore
keys = RedisKeys({keys.identity.decode().split(":")[0][1:]!r})
with RedisStore({url!r}, keys, lease={LONG_LEASE_SECONDS}).writer(*{tuple(MODEL)!r}):
    print("writing", flush=True)
    time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert "writing" == process.stdout.readline().strip()
        try:
            yield process
        finally:
            process.kill()


def test_a_writer_that_lost_the_lock_writes_nothing(open_store: OpenStore, end_lease: Callable[[], object]) -> None:
    """A writer whose lease ended is shut out by the next writer's token, until it takes the lock again."""
    first, second = open_store(), open_store()
    with first.writer(*MODEL) as stale:
        stale.add([addition(1)])
        end_lease()
        with second.writer(*MODEL) as fresh:
            with pytest.raises(CatalogueLocked, match=r"taken over by .*process \d+ on .*") as error:
                stale.add([addition(2)])
            with pytest.raises(CatalogueLocked):
                stale.remove([track_id(1)])
            with pytest.raises(CatalogueLocked):
                stale.trim(1)
            assert "Run the same command again" in str(error.value)
            assert (1, 1, 1) == (second.count(), second.revision(), second.state().oldest_revision)
            assert 2 == fresh.add([addition(3)])
            assert [None] == second.files([addition(2).file.path])
    with first.writer(*MODEL) as writer:
        assert 3 == writer.add([addition(2)])


def test_a_writer_whose_redis_lost_everything(open_store: OpenStore, client: Redis, keys: RedisKeys) -> None:
    """A lock that is gone was not taken over, and the error says so."""
    with open_store().writer(*MODEL) as writer:
        client.delete(keys.writer)
        with pytest.raises(CatalogueLocked, match="has lost its lock: its Redis was emptied"):
            writer.add([addition(1)])


def test_a_lost_lock_is_not_released(open_store: OpenStore, end_lease: Callable[[], object]) -> None:
    """A stale writer that ends does not release the lock of its successor."""
    first, second = open_store(), open_store()
    with ExitStack() as stack:
        with first.writer(*MODEL):
            end_lease()
            stack.enter_context(second.writer(*MODEL))
        with pytest.raises(CatalogueLocked), first.writer(*MODEL):
            pass


def test_a_lease_that_ended_without_a_successor(open_store: OpenStore, end_lease: Callable[[], object]) -> None:
    """A writer whose lease ended goes on writing as long as no other has taken the lock."""
    with open_store().writer(*MODEL) as writer:
        end_lease()
        assert 1 == writer.add([addition(1)])


def test_the_length_of_a_lease(open_store: OpenStore, client: Redis, keys: RedisKeys) -> None:
    """A lease lasts as many seconds as asked for, by the clock of Redis, and ends with its writer."""
    before = server_time(client)
    with open_store(lease=7).writer(*MODEL):
        assert before + 7_000 <= lease_end(client, keys) <= server_time(client) + 7_000
    assert lease_end(client, keys) <= server_time(client)


def test_a_writer_renews_its_lease(open_store: OpenStore, client: Redis, keys: RedisKeys) -> None:
    """A writer keeps its lock, however long it works."""
    with open_store(lease=6).writer(*MODEL) as writer:
        first_end = lease_end(client, keys)
        wait_until(lambda: lease_end(client, keys) != first_end)
        with pytest.raises(CatalogueLocked), open_store().writer(*MODEL):
            pass
        assert 1 == writer.add([addition(1)])


def test_a_dead_writer_is_replaced_at_once(private_redis: PrivateRedis, keys: RedisKeys, open_store: OpenStore) -> None:
    """The error names the process that holds the lock; once it is killed, the next writer does not wait for a lease."""
    store = open_store()

    with writer_elsewhere(private_redis.url, keys) as process:
        with pytest.raises(CatalogueLocked, match=rf"process {process.pid} on .*, since 20\d\d-"), store.writer(*MODEL):
            pass
        process.send_signal(signal.SIGKILL)
        wait_until(partial(can_write, store))


def test_a_writer_on_another_host(open_store: OpenStore, client: Redis, keys: RedisKeys) -> None:
    """It is unknown if a process on another host runs, so its lease has to end first."""
    with open_store().writer(*MODEL):
        pass
    later = round(time.time() * 1000) + 600_000
    client.hset(keys.writer, mapping={"place": "elsewhere", "host": "far-away", "until": later})
    with pytest.raises(CatalogueLocked, match="on far-away"), open_store().writer(*MODEL):
        pass
    client.hset(keys.writer, "until", round(time.time() * 1000) - 1)
    with open_store().writer(*MODEL) as writer:
        assert 1 == writer.add([addition(1)])


def test_tokens_grow(open_store: OpenStore, client: Redis, keys: RedisKeys) -> None:
    """Every writer gets a greater token than all writers before it."""
    tokens = []
    for _ in range(3):
        with open_store().writer(*MODEL):
            tokens.append(int(client.hget(keys.writer, "number") or 0))
    assert [1, 2, 3] == tokens


def test_a_redis_that_was_emptied(tmp_path: Path) -> None:
    """After FLUSHDB in the middle of a run the error says that everything is lost, also if another writer has begun."""
    with (
        open_private_redis(tmp_path) as redis,
        closing(Redis.from_url(redis.url, protocol=2)) as client,
        closing(RedisStore(redis.url)) as store,
        closing(RedisStore(redis.url)) as other,
        store.writer(*MODEL) as writer,
    ):
        writer.add([addition(1)])
        client.flushdb()
        with pytest.raises(CatalogueLocked, match=r"was emptied.*What was written before is lost") as error:
            writer.add([addition(2)])
        assert "kept" not in str(error.value)
        with other.writer(*MODEL) as new_writer:
            new_writer.add([addition(3)])
            with pytest.raises(CatalogueLocked, match=r"was emptied.*What was written before is lost"):
                writer.add([addition(2)])
