"""The catalogue's keys on a real Redis."""

from __future__ import annotations

import pytest
from redis import Redis

from segue.core.errors import CatalogueMismatch
from segue.core.redis_catalogue.keys import RedisKeys
from segue.core.redis_catalogue.store import RedisStore
from tests.helpers.catalogue.tracks import MODEL, addition, additions, track_id


def test_a_stream_that_another_program_trimmed(redis_store: RedisStore, client: Redis, keys: RedisKeys) -> None:
    """The revision outlives the events that it counted."""
    with redis_store.writer(*MODEL) as writer:
        writer.add(additions(0, 1, 2, 3, 4))
        client.xtrim(keys.events, minid="4-0", approximate=False)
        assert (4, 5) == (redis_store.state().oldest_revision, redis_store.revision())
        client.xtrim(keys.events, maxlen=0, approximate=False)
        assert (6, 5) == (redis_store.state().oldest_revision, redis_store.revision())
        assert 6 == writer.add([addition(9)])


def test_every_key_of_a_catalogue_has_its_tag(redis_store: RedisStore, client: Redis, keys: RedisKeys) -> None:
    """By its tag, Redis Cluster keeps a partition on one node; removing tracks removes all of their keys."""
    tag = keys.identity.split(b":identity")[0]
    before = set(client.keys("*"))
    with redis_store.writer(*MODEL) as writer:
        writer.add(additions(1, 2))
        added = set(client.keys("*")) - before
        writer.remove([track_id(1), track_id(2)])
    assert 11 == len(added)
    assert {tag} == {key[: len(tag)] for key in added}
    assert {keys.identity, keys.writer, keys.events} == set(client.keys("*")) - before


@pytest.mark.parametrize("damage", ["", "many"])
def test_a_damaged_identity(redis_store: RedisStore, client: Redis, keys: RedisKeys, damage: str) -> None:
    """A catalogue whose embeddings have no known width is neither read nor written."""
    with redis_store.writer(*MODEL):
        pass
    client.hset(keys.identity, "width", damage) if damage else client.hdel(keys.identity, "width")
    with pytest.raises(CatalogueMismatch, match="its identity is damaged"):
        redis_store.identity()
    with pytest.raises(CatalogueMismatch, match="its identity is damaged"), redis_store.writer(*MODEL):
        pass
