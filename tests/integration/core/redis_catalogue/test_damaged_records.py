"""A damaged record in Redis costs that record only: it is left out, remembered and logged once."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from redis import Redis

from segue.core.catalogue.damaged_records import MAX_RECORDS
from segue.core.catalogue.records import FailureRecord
from segue.core.catalogue.store import all_track_ids
from segue.core.errors import CatalogueLost
from segue.core.index.publishing import publish
from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.store import RedisStore
from tests.helpers.catalogue.damage import EMBEDDING, METADATA, Damage, replace_by_list
from tests.helpers.catalogue.tracks import MODEL, addition, additions, track_id

BAD = track_id(3)
FILE_DAMAGES = {
    "text": b"?",
    "no bytes": b"",
    "not UTF-8": b"\xff 1 " + BAD.encode(),
    "no track": b"1 1 x",
    "huge size": b"1" * 5_000 + b" 1 " + BAD.encode(),
    "negative size": b"-7 1 " + BAD.encode(),
}
FAILURE_DAMAGES = {
    "text": b"?",
    "an object": b"{}",
    "too few values": b"[1,2]",
    "too many values": b'[1,2,"R","d",1,1]',
    "wrong types": b'["1",2,"R","d",1]',
    "a time of no calendar": b'[1,2,"R","d",1e300]',
    "deep": b"[" * 200_000,
}


@pytest.fixture
def store(redis_store: RedisStore) -> RedisStore:
    """A catalogue of five tracks and a failed file."""
    with redis_store.writer(*MODEL) as writer:
        writer.add(additions(*range(1, 6)))
        writer.record_failures([FailureRecord(path, 1, 1, "R", "Why.", 1) for path in ("/bad", "/worse")])
    return redis_store


def numbers(values: list[object]) -> list[int]:
    """Returns the places of the values that are missing."""
    return [number for number, value in enumerate(values) if value is None]


@pytest.mark.parametrize("damage", METADATA.values(), ids=METADATA)
def test_damaged_metadata(
    store: RedisStore, client: Redis, keys: RedisKeys, damage: Damage, caplog: pytest.LogCaptureFixture
) -> None:
    """The other tracks are read; the damaged one is named once in the log, and forgotten when it was written again."""
    damage(client, keys, BAD)
    ids = list(all_track_ids(store))

    assert [2] == numbers(list(store.get(ids))) == numbers(list(store.get(ids)))
    assert (1, [BAD]) == (len(store.damaged), store.damaged.names("track"))
    (line,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert line.startswith(f"The track '{BAD}' cannot be read and is left out. Its ")
    assert line.endswith(" Run `segue-indexer verify --repair`.")

    with store.writer(*MODEL) as writer:
        writer.add([addition(3)])
    store.recheck_damaged()
    assert (0, addition(3).track) == (len(store.damaged), store.get([BAD])[0])


@pytest.mark.parametrize("damage", EMBEDDING.values(), ids=EMBEDDING)
def test_a_damaged_embedding(store: RedisStore, client: Redis, keys: RedisKeys, damage: Damage, tmp_path: Path) -> None:
    """The other embeddings are read and published; the track can be written again."""
    damage(client, keys, BAD)
    ids = list(all_track_ids(store))

    assert [2] == numbers(list(store.embeddings(ids)))
    assert [BAD] == store.damaged.names("embedding")
    assert 4 == publish(tmp_path, store).tracks
    with store.writer(*MODEL) as writer:
        writer.add([addition(3)])
    assert [] == numbers(list(store.embeddings(ids)))
    assert 0 == len(store.damaged)


@pytest.mark.parametrize("raw", FILE_DAMAGES.values(), ids=FILE_DAMAGES)
def test_a_damaged_record_of_a_file(store: RedisStore, client: Redis, keys: RedisKeys, raw: bytes) -> None:
    """The records of other files are read; the file can be indexed again, and forgotten."""
    path = addition(3).file.path
    client.hset(keys.files, path, raw)

    assert [1] == numbers(list(store.files([addition(1).file.path, path])))
    assert 4 == len(list(store.all_files()))
    assert [path] == store.damaged.names("file")
    with store.writer(*MODEL) as writer:
        writer.add([addition(3)])
        assert [addition(3).file] == store.files([path])
        client.hset(keys.files, path, raw)
        writer.forget([path])
    assert 0 == client.hexists(keys.files, path)
    store.recheck_damaged()
    assert 0 == len(store.damaged)


@pytest.mark.parametrize("raw", FAILURE_DAMAGES.values(), ids=FAILURE_DAMAGES)
def test_a_damaged_record_of_a_failure(store: RedisStore, client: Redis, keys: RedisKeys, raw: bytes) -> None:
    """The failures of other files are read."""
    client.hset(keys.failures, "/bad", raw)

    assert [0] == numbers(list(store.failures(["/bad", "/worse"])))
    assert ["/worse"] == [failure.path for failure in store.all_failures()]
    assert ["/bad"] == store.damaged.names("failure of the file")


def test_a_damaged_event(store: RedisStore, client: Redis, keys: RedisKeys) -> None:
    """The events before and after it are read."""
    client.xadd(keys.events, {"colour": "red"}, id="6-0")
    client.xadd(keys.events, {"kind": "add", "track": track_id(1)}, id="7-0")
    assert [4, 5, 7] == [event.revision for event in store.events(3, 10)]
    assert ["6-0"] == store.damaged.names("event")


@pytest.mark.parametrize("name", ["track", "embedding", "paths"])
@pytest.mark.parametrize("action", ["add", "remove", "forget", "move"])
def test_a_key_of_another_type_is_replaced(
    store: RedisStore, client: Redis, keys: RedisKeys, name: str, action: str
) -> None:
    """Whatever is written, the transaction is complete, and no key of another type is left where the track was."""
    replace_by_list(name)(client, keys, BAD)
    path = addition(3).file.path
    with store.writer(*MODEL) as writer:
        match action:
            case "add":
                writer.add([addition(3)])
            case "remove":
                writer.remove([BAD])
            case "forget":
                writer.forget([path])
            case _:
                writer.add([addition(4, path)])
    gone = action != "add"
    assert gone == (client.exists(keys.track(BAD), keys.embedding(BAD), keys.paths(BAD)) == 0)
    assert (4 if gone else 5, [[]] if gone else [[path]]) == (store.count(), store.paths([BAD]))
    assert [gone, gone] == [store.get([BAD])[0] is None, store.embeddings([BAD])[0] is None]


@pytest.mark.parametrize("name", ["files", "failures", "track_ids", "events"])
def test_a_main_key_of_another_type(store: RedisStore, client: Redis, keys: RedisKeys, name: str) -> None:
    """Nothing is written, not even the half of a transaction, and the error says what to do."""
    key = getattr(keys, name)
    client.delete(key)
    client.rpush(key, "x")
    with store.writer(*MODEL) as writer:
        with pytest.raises(CatalogueLost, match="verify --repair"):
            writer.add([addition(9)])
        with pytest.raises(CatalogueLost, match="verify --repair"):
            writer.remove([BAD])
    assert 0 == client.exists(keys.track(track_id(9)), keys.embedding(track_id(9)), keys.paths(track_id(9)))
    assert 3 == client.exists(keys.track(BAD), keys.embedding(BAD), keys.paths(BAD))


def test_only_so_many_are_remembered(store: RedisStore, client: Redis, keys: RedisKeys) -> None:
    """A catalogue of damage alone does not fill the memory or the log."""
    client.hset(keys.files, mapping={f"/{number}": "?" for number in range(MAX_RECORDS + 50)})
    assert 5 == len(list(store.all_files()))
    assert MAX_RECORDS == len(store.damaged)
