"""The writer's lock and token, and a Redis that does not do as it should."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import pytest
from redis import Redis

from segue.core.catalogue.records import Addition, PathRecord, Track
from segue.core.errors import CatalogueLocked, CatalogueMismatch, StoreUnavailable
from segue.core.redis_catalogue.client import translating_errors
from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.lock import WriterLock
from segue.core.redis_catalogue.private_server import PrivateRedis
from segue.core.redis_catalogue.store import RedisStore

MAKER = ("segue-test-1", "front-end-1", 4)
Open = Callable[..., RedisStore]


@pytest.fixture
def client(local_redis: PrivateRedis) -> Iterator[Redis]:
    """The server as it is, behind the store's back."""
    client = Redis.from_url(local_redis.url, protocol=2)
    yield client
    client.close()


@pytest.fixture
def opened(local_redis: PrivateRedis, keys: RedisKeys) -> Iterator[Open]:
    """Opens the same catalogue as often as a test likes, with a lease that outlasts it unless told otherwise."""
    with ExitStack() as stack:

        def open_it(lease: float = 600) -> RedisStore:
            store = RedisStore(local_redis.url, keys, lease)
            stack.callback(store.close)
            return store

        yield open_it


@pytest.fixture
def oversleep(monkeypatch: pytest.MonkeyPatch, client: Redis, keys: RedisKeys) -> Callable[[], object]:
    """No lease is renewed, as if the writer slept; the fixture is what lets the one that is held run out."""
    monkeypatch.setattr(WriterLock, "_keep", lambda self, token, stop: None)
    return lambda: client.hset(keys.writer, "until", 1)


def lease_end(client: Redis, keys: RedisKeys) -> int:
    """When the lease that is held runs out, in ms since 1970."""
    return int(client.hget(keys.writer, "until") or 0)


def addition(number: int) -> Addition:
    """The addition of the test's track of this number."""
    track_id = f"{number:032x}"
    return Addition(
        Track(track_id, "Title"), np.eye(1, 4, dtype=np.float32)[0], PathRecord(f"/{number}", 1, 1, track_id)
    )


@contextmanager
def writing_elsewhere(local_redis: PrivateRedis, keys: RedisKeys) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock, until the test kills it."""
    script = f"""
import sys, time
from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.store import RedisStore
keys = RedisKeys({keys.identity.decode().split(":")[0][1:]!r})
with RedisStore({local_redis.url!r}, keys, lease=600).writer(*{MAKER!r}):
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


def test_a_writer_who_lost_the_lock_writes_nothing(opened: Open, oversleep: Callable[[], object]) -> None:
    """A writer who slept through the lease is fenced off by the next one's token, and does not take the lock back."""
    sleeper, next_one = opened(), opened()
    with sleeper.writer(*MAKER) as stale:
        stale.add([addition(1)])
        oversleep()
        with next_one.writer(*MAKER) as fresh:
            with pytest.raises(CatalogueLocked, match=r"taken over by .*process \d+ on .*") as lost:
                stale.add([addition(2)])
            with pytest.raises(CatalogueLocked):
                stale.remove([f"{1:032x}"])
            with pytest.raises(CatalogueLocked):
                stale.trim(1)
            assert "run the same command again" in str(lost.value)
            assert (1, 1, 1) == (next_one.count(), next_one.revision(), next_one.oldest_revision())
            assert 2 == fresh.add([addition(3)])
            assert [None] == next_one.files(["/2"])
    with sleeper.writer(*MAKER) as writer:
        assert 3 == writer.add([addition(2)])


def test_a_writer_whose_redis_lost_everything(opened: Open, client: Redis, keys: RedisKeys) -> None:
    """Nobody has taken the lock over when it is gone with all else, and the writer says so."""
    with opened().writer(*MAKER) as writer:
        client.delete(keys.writer)
        with pytest.raises(CatalogueLocked, match="has no lock any more: its Redis was emptied"):
            writer.add([addition(1)])


def test_a_redis_that_was_started_anew(client: Redis) -> None:
    """One that does not know its script any more was started anew in the middle of a call, and is not too old."""
    with (
        pytest.raises(StoreUnavailable, match=r"redis://here was started anew .* full disk"),
        translating_errors("redis://here"),
    ):
        client.evalsha("0" * 40, 0)


def test_a_lost_lock_is_not_given_back_twice(opened: Open, oversleep: Callable[[], object]) -> None:
    """A stale writer that leaves does not free the lock of the one who came after it."""
    sleeper, next_one = opened(), opened()
    with ExitStack() as stack:
        with sleeper.writer(*MAKER):
            oversleep()
            stack.enter_context(next_one.writer(*MAKER))
        with pytest.raises(CatalogueLocked), sleeper.writer(*MAKER):
            pass


def test_a_lease_that_ran_out_harms_no_one_alone(opened: Open, oversleep: Callable[[], object]) -> None:
    """As long as nobody else has come, a writer who slept goes on as if nothing had been."""
    with opened().writer(*MAKER) as writer:
        oversleep()
        assert 1 == writer.add([addition(1)])


def test_a_lease_is_as_long_as_it_was_told(opened: Open, client: Redis, keys: RedisKeys) -> None:
    """It ends so many seconds after the lock was taken, by the clock of Redis, and with the writer's leave."""

    def clock() -> int:
        seconds, microseconds = client.time()
        return int(seconds) * 1000 + int(microseconds) // 1000

    before = clock()
    with opened(lease=7).writer(*MAKER):
        assert before + 7_000 <= lease_end(client, keys) <= clock() + 7_000
    assert lease_end(client, keys) <= clock()


def test_a_writer_at_work_keeps_its_lock(opened: Open, client: Redis, keys: RedisKeys) -> None:
    """The lease is renewed while the writer lives, however long it works."""
    with opened(lease=6).writer(*MAKER) as writer:
        first = lease_end(client, keys)
        while lease_end(client, keys) == first:
            time.sleep(0.05)
        with pytest.raises(CatalogueLocked), opened().writer(*MAKER):
            pass
        assert 1 == writer.add([addition(1)])


def test_a_dead_writer_is_replaced_at_once(local_redis: PrivateRedis, keys: RedisKeys, opened: Open) -> None:
    """Who holds the lock is named; once it was killed on this host, the next need not wait for the lease of 600 s."""
    store = opened()
    with writing_elsewhere(local_redis, keys) as process:
        with pytest.raises(CatalogueLocked, match=rf"process {process.pid} on .*, since 20\d\d-"), store.writer(*MAKER):
            pass
        process.send_signal(signal.SIGKILL)
        while True:  # until the signal has arrived
            try:
                with store.writer(*MAKER) as writer:
                    assert 1 == writer.add([addition(1)])
                break
            except CatalogueLocked:
                time.sleep(0.01)


def test_a_writer_on_another_host_is_waited_for(opened: Open, client: Redis, keys: RedisKeys) -> None:
    """Whether a process elsewhere lives cannot be seen, so its lease has to run out."""
    with opened().writer(*MAKER):
        pass
    until = round(time.time() * 1000) + 600_000
    client.hset(keys.writer, mapping={"place": "elsewhere", "host": "far-away", "until": until})
    with pytest.raises(CatalogueLocked, match="on far-away"), opened().writer(*MAKER):
        pass
    client.hset(keys.writer, "until", round(time.time() * 1000) - 1)
    with opened().writer(*MAKER) as writer:
        assert 1 == writer.add([addition(1)])


def test_tokens_grow(opened: Open, client: Redis, keys: RedisKeys) -> None:
    """Every writer gets a greater token than all before it."""
    tokens = []
    for _ in range(3):
        with opened().writer(*MAKER):
            tokens.append(int(client.hget(keys.writer, "number") or 0))
    assert [1, 2, 3] == tokens


def test_a_lock_whose_answer_was_lost_is_asked_for_again(
    redis_store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taking the lock twice in one attempt, as the client does when an answer does not come, gives the same token."""
    attempt = uuid.uuid4()
    monkeypatch.setattr("segue.core.redis_catalogue.lock.uuid.uuid4", lambda: attempt)
    assert redis_store._lock._try(b"") == redis_store._lock._try(b"")


def test_an_answer_that_was_lost_is_asked_for_again(redis_store: RedisStore) -> None:
    """A transaction that is sent twice, as the client does when an answer does not come, is done once."""
    with redis_store.writer(*MAKER) as writer:
        plan = writer._plan([f"{1:032x}"], ["/1"])
        plan.put(addition(1), addition(1).embedding.tobytes())
        assert [1, 1] == [writer._commit(plan), writer._commit(plan)]
        assert 2 == writer.add([addition(2)])
    assert (2, 2) == (redis_store.count(), redis_store.revision())


def test_a_catalogue_that_went_back_in_time_is_not_written(
    redis_store: RedisStore, client: Redis, keys: RedisKeys
) -> None:
    """Where the stream is not where the writer saw it, as after a restored backup, nothing is mixed."""
    with redis_store.writer(*MAKER) as writer:
        plan = writer._plan([f"{1:032x}"], ["/1"])
        plan.put(addition(1), addition(1).embedding.tobytes())
        client.xadd(keys.events, {"kind": "add", "track": "x"}, id="5-0")
        with pytest.raises(CatalogueLocked, match="not at revision 0 any more"):
            writer._commit(plan)
    assert 0 == redis_store.count()


def test_a_trimmed_stream_says_where_it_begins(redis_store: RedisStore, client: Redis, keys: RedisKeys) -> None:
    """The revision outlives the events that it counted."""
    with redis_store.writer(*MAKER) as writer:
        writer.add([addition(number) for number in range(5)])
        client.xtrim(keys.events, minid="4-0", approximate=False)
        assert (4, 5) == (redis_store.oldest_revision(), redis_store.revision())
        client.xtrim(keys.events, maxlen=0, approximate=False)
        assert (6, 5) == (redis_store.oldest_revision(), redis_store.revision())
        assert 6 == writer.add([addition(9)])


def test_every_key_of_a_catalogue_has_its_tag(redis_store: RedisStore, client: Redis, keys: RedisKeys) -> None:
    """Redis Cluster keeps a catalogue's partition on one node by its tag, and removal leaves no key of a track."""
    tag = keys.identity.split(b":identity")[0]
    before = set(client.keys("*"))
    with redis_store.writer(*MAKER) as writer:
        writer.add([addition(1), addition(2)])
        made = set(client.keys("*")) - before
        writer.remove([f"{1:032x}", f"{2:032x}"])
    assert 11 == len(made)
    assert {tag} == {key[: len(tag)] for key in made}
    assert {keys.identity, keys.writer, keys.events} == set(client.keys("*")) - before


def test_a_redis_that_is_not_there_is_named() -> None:
    """The sentence names the address without the password, and what to do."""
    store = RedisStore("redis://someone:secret@127.0.0.1:1/0?password=secret")
    with pytest.raises(StoreUnavailable, match=r"redis://127\.0\.0\.1:1/0 does not answer .*Start it") as error:
        store.count()
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("url", ["localhost:6379", "http://localhost", "redis://localhost:port/0"])
def test_what_is_no_address_is_refused(url: str) -> None:
    """An address that redis-py cannot read is answered with how one looks."""
    with pytest.raises(StoreUnavailable, match="Write redis://HOST:PORT/DB"):
        RedisStore(url)


def test_a_wrong_password_is_said_to_be_one(local_redis: PrivateRedis) -> None:
    """A refused user learns that it is the name or the password."""
    store = RedisStore(f"{local_redis.url}?username=nobody&password=secret")
    with pytest.raises(StoreUnavailable, match="refuses this user") as error:
        store.ping()
    assert "secret" not in str(error.value)


def test_keys_of_another_program_are_said_to_be_in_the_way(
    redis_store: RedisStore, client: Redis, keys: RedisKeys
) -> None:
    """A key of another kind under the catalogue's name is a sentence, not a traceback."""
    client.set(keys.identity, "something else")
    with pytest.raises(StoreUnavailable, match=r"refuses a command .*WRONGTYPE"):
        redis_store.identity()


def test_a_full_redis_takes_nothing_by_halves(
    local_redis: PrivateRedis, redis_store: RedisStore, client: Redis
) -> None:
    """A transaction that does not fit into memory is refused whole, and the next one works."""
    with redis_store.writer(*MAKER) as writer:
        client.config_set("maxmemory", 1)
        try:
            with pytest.raises(StoreUnavailable, match="is full"):
                writer.add([addition(1)])
        finally:
            client.config_set("maxmemory", 0)
        assert (0, 0) == (redis_store.count(), redis_store.revision())
        assert 1 == writer.add([addition(1)])


@pytest.mark.parametrize("damage", ["", "many"])
def test_a_damaged_identity_is_told(redis_store: RedisStore, client: Redis, keys: RedisKeys, damage: str) -> None:
    """A catalogue that does not say any more how wide its embeddings are is neither read nor written."""
    with redis_store.writer("model", "front-end", 4):
        pass
    client.hset(keys.identity, "width", damage) if damage else client.hdel(keys.identity, "width")
    with pytest.raises(CatalogueMismatch, match="its identity is damaged"):
        redis_store.identity()
