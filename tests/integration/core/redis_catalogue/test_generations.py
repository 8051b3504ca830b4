"""The switch from one generation of a catalogue to the next, and the removal of the replaced one."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import numpy as np
import pytest
from redis import Redis

from segue.core.errors import CatalogueLocked, CatalogueMismatch, StoreUnavailable
from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.private.server import PrivateRedis
from segue.core.redis_catalogue.store import RedisStore
from segue.core.redis_catalogue.writer import GRACE_SECONDS, RedisWriter
from tests.helpers.catalogue.tracks import MODEL, additions, embedding, track_id


@pytest.fixture
def reader(private_redis: PrivateRedis, keys: RedisKeys) -> Iterator[RedisStore]:
    """The same catalogue in another process."""
    with closing(RedisStore(private_redis.url, keys)) as store:
        yield store


@contextmanager
def switched(store: RedisStore, *numbers: int) -> Iterator[RedisWriter]:
    """Replaces the catalogue by one of these tracks, and yields its writer."""
    with store.writer(*MODEL) as writer:
        with store.staging() as staging, staging.writer(*MODEL) as staging_writer:
            staging_writer.add(additions(*numbers))
        writer.switch(staging_writer)
        yield writer


def fill(store: RedisStore, *numbers: int) -> None:
    """Writes a catalogue of these tracks."""
    with store.writer(*MODEL) as writer:
        writer.add(additions(*numbers))


def age(client: Redis, keys: RedisKeys) -> None:
    """Lets the grace of all replaced generations pass."""
    for number in client.hkeys(keys.replaced):
        client.hset(keys.replaced, number, "1")


def keys_of(client: Redis, keys: RedisKeys) -> set[bytes]:
    """Returns all keys of a catalogue, of every generation."""
    found: Any = client.keys(keys.identity.split(b":identity")[0] + b"*")
    return set(found)


def commands_of_switch(client: Redis, store: RedisStore, numbers: range) -> dict[str, int]:
    """Returns how often each command runs in a switch from and to a catalogue of these tracks."""
    fill(store, *numbers)
    with store.writer(*MODEL) as writer, store.staging() as staging, staging.writer(*MODEL) as staging_writer:
        staging_writer.add(additions(*numbers))
        client.config_resetstat()
        writer.switch(staging_writer)
        stats: Any = client.info("commandstats")
    ignored = {"cmdstat_info", "cmdstat_config|resetstat", "cmdstat_script|load"}
    return {name: counts["calls"] for name, counts in stats.items() if name not in ignored}


def test_the_switch_has_the_same_commands_at_any_size(private_redis: PrivateRedis, client: Redis) -> None:
    """Redis runs as many commands for 3,000 tracks as for one."""
    counts = []
    for tracks in (1, 1, 3_000):  # the first one also loads the script
        with closing(RedisStore(private_redis.url, RedisKeys(f"size-{time.monotonic_ns()}"), lease=600)) as store:
            counts.append(commands_of_switch(client, store, range(tracks)))
    assert counts[1] == counts[2]
    assert 20 > sum(counts[2].values())


def test_a_reader_keeps_whole_records_until_it_polls(redis_store: RedisStore, reader: RedisStore) -> None:
    """After a switch it reads the replaced generation as before; its next poll gives the new one."""
    fill(redis_store, 1, 2)
    before = reader.state()
    with switched(redis_store, 2, 3, 4):
        assert [track_id(1), track_id(2)] == reader.track_ids("", 10)
        tracks = reader.get([track_id(1), track_id(2), track_id(3)])
        assert ["Track 1", "Track 2", None] == [track and track.title for track in tracks]
        (vector,) = reader.embeddings([track_id(1)])
        np.testing.assert_array_equal(embedding(1), vector)
        assert (2, 2) == (len(list(reader.all_files())), reader.revision())

        after = reader.state()
        assert (2, 3) == (before.tracks, after.tracks)
        assert before.identity != after.identity
        assert redis_store.state() == after
        assert [None, "Track 3"] == [track and track.title for track in reader.get([track_id(1), track_id(3)])]


def test_a_reader_that_starts_after_a_switch(redis_store: RedisStore, reader: RedisStore) -> None:
    """Its first read, whichever it is, is of the new generation."""
    fill(redis_store, 1)
    with switched(redis_store, 2):
        pass
    assert [track_id(2)] == reader.track_ids("", 10)


def test_the_identity_follows_a_switch(redis_store: RedisStore, reader: RedisStore) -> None:
    """It is a poll as well."""
    fill(redis_store, 1)
    before = reader.identity()
    with switched(redis_store, 2):
        pass
    assert before != reader.identity()
    assert [track_id(2)] == reader.track_ids("", 10)


def test_the_writer_goes_on_after_a_switch(
    redis_store: RedisStore, reader: RedisStore, client: Redis, keys: RedisKeys
) -> None:
    """It writes to the new generation, under the same token, which is counted on."""
    fill(redis_store, 1)
    with switched(redis_store, 2) as writer:
        assert 2 == writer.add(additions(3))
        assert b"2" == client.hget(keys.writer, "number")
    with redis_store.writer(*MODEL):
        assert b"3" == client.hget(keys.writer, "number")
    assert [track_id(2), track_id(3)] == reader.track_ids("", 10)


def test_the_trimmed_revision_goes_with_its_generation(redis_store: RedisStore, client: Redis, keys: RedisKeys) -> None:
    """The new generation has events that were never trimmed, so an audit finds no gap in them."""
    with redis_store.writer(*MODEL) as writer:
        writer.add(additions(1, 2, 3))
        writer.trim(2)
    with switched(redis_store, 4):
        assert [[]] * 7 == [part() for part in redis_store.audit(MODEL.width).parts]
    assert not client.hexists(keys.writer, "trimmed")


def test_the_replaced_generation_is_removed(redis_store: RedisStore, client: Redis, keys: RedisKeys) -> None:
    """All of its keys go once readers had time to poll, also those of tracks that are not among the ids."""
    fill(redis_store, 1)
    client.set(keys.embedding("stray"), "x")
    with switched(redis_store, 2) as writer:
        writer.remove_replaced()
        assert client.exists(keys.identity)
        start = time.monotonic()
        writer.remove_replaced(wait=True)
        assert GRACE_SECONDS - 1 < time.monotonic() - start < GRACE_SECONDS + 5
    new = keys.at(1)
    track = [new.track(track_id(2)), new.embedding(track_id(2)), new.paths(track_id(2))]
    main = [new.identity, new.events, new.track_ids, new.files]
    assert {keys.writer, keys.live, *main, *track} == keys_of(client, keys)


def test_the_next_writer_removes_what_a_killed_one_left(
    redis_store: RedisStore, client: Redis, keys: RedisKeys
) -> None:
    """It leaves the live and the staged generation, and one that was live until a moment ago."""
    fill(redis_store, 1)
    with switched(redis_store, 2):
        pass
    with redis_store.staging() as staging, staging.writer(*MODEL) as staging_writer:
        staging_writer.add(additions(3))
    with redis_store.writer(*MODEL):
        assert client.exists(keys.identity)
    age(client, keys)
    for named in ("1", "2", "x"):  # of a Redis that was restored from older data, or damaged
        client.hset(keys.replaced, named, "1")
    with redis_store.writer(*MODEL), redis_store.staging() as staging:
        assert (1, 1) == (redis_store.count(), staging.count())
    assert not client.exists(keys.replaced, keys.identity, keys.track_ids, keys.track(track_id(1)))


def test_a_writer_that_lost_its_lock_removes_nothing(
    private_redis: PrivateRedis, redis_store: RedisStore, client: Redis, keys: RedisKeys
) -> None:
    """Neither a replaced nor a staged generation, which belong to the next writer by then."""
    fill(redis_store, 1)
    with closing(RedisStore(private_redis.url, keys, lease=600)) as other, other.writer(*MODEL) as stale:
        client.hset(keys.writer, "until", "0")
        with switched(redis_store, 2), redis_store.staging() as staging, staging.writer(*MODEL) as staging_writer:
            staging_writer.add(additions(3))
            age(client, keys)
            with pytest.raises(CatalogueLocked, match="taken over"):
                stale.clear_staging()
            other.identity()
            with pytest.raises(CatalogueLocked, match="taken over"):
                stale.remove_replaced()
            with pytest.raises(CatalogueLocked, match="taken over"):
                stale.clear_staging()
            assert client.exists(keys.identity)
            assert (1, 1) == (redis_store.count(), staging.count())


def test_a_staged_catalogue_is_used_once(redis_store: RedisStore) -> None:
    """After the switch its writer has lost its lock: only the writer of the live catalogue may write it."""
    fill(redis_store, 1)
    with redis_store.writer(*MODEL) as writer, redis_store.staging() as staging:
        with staging.writer(*MODEL) as staging_writer:
            staging_writer.add(additions(2))
            writer.switch(staging_writer)
            with pytest.raises(CatalogueLocked):
                staging_writer.add(additions(3))
        with pytest.raises(CatalogueLocked):
            writer.switch(staging_writer)
    assert [track_id(2)] == redis_store.track_ids("", 10)


def test_another_program_replaced_the_list(redis_store: RedisStore, client: Redis, keys: RedisKeys) -> None:
    """A list of replaced generations that is of another type stops neither a writer nor a switch."""
    fill(redis_store, 1)
    client.set(keys.replaced, "x")
    with switched(redis_store, 2):
        assert [b"0"] == client.hkeys(keys.replaced)


def test_a_damaged_number(redis_store: RedisStore, reader: RedisStore, client: Redis, keys: RedisKeys) -> None:
    """The error names the key."""
    fill(redis_store, 1)
    client.set(keys.live, "x")
    for read in (reader.state, reader.identity, reader.count):
        with pytest.raises(StoreUnavailable, match=r"The key {.*}:live of the catalogue"):
            read()


def test_a_lost_number(redis_store: RedisStore, reader: RedisStore, client: Redis, keys: RedisKeys) -> None:
    """A writer starts no other catalogue in place of the one that cannot be found, and says how to get it back."""
    fill(redis_store, 1)
    with switched(redis_store, 2):
        pass
    client.delete(keys.live)
    with pytest.raises(CatalogueMismatch, match=r"SET {.*}:live 1`") as raised:
        fill(reader, 3)
    client.set(keys.live, str(raised.value).partition(":live ")[2].partition("`")[0])
    fill(reader, 3)
    assert [track_id(2), track_id(3)] == reader.track_ids("", 10)
