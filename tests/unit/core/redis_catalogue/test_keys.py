"""The names of what the catalogue keeps in Redis."""

from __future__ import annotations

from redis.crc import key_slot

from segue.core.redis_catalogue.keys import RedisKeys


def names(keys: RedisKeys) -> list[bytes]:
    """One of each kind."""
    fixed = [keys.identity, keys.writer, keys.events, keys.track_ids, keys.files]
    return [*fixed, keys.track("a"), keys.embedding("a"), keys.paths("a")]


def test_a_partition_lies_on_one_node() -> None:
    """All keys of a partition have one hash slot, so that one transaction reaches them in a cluster."""
    assert 1 == len({key_slot(name) for name in names(RedisKeys())})


def test_no_two_names_are_the_same() -> None:
    """Kinds, tracks, partitions and catalogues never share a key."""
    catalogues = [RedisKeys(), RedisKeys("other"), RedisKeys(partition=1)]
    every = [name for keys in catalogues for name in names(keys)]
    assert len(every) == len(set(every))


def test_the_names_stay() -> None:
    """Catalogues that were made before are found under the same names."""
    expected = [b"identity", b"writer", b"events", b"tracks", b"files", b"track:a", b"embedding:a", b"paths:a"]
    assert [b"{segue:0}:" + name for name in expected] == names(RedisKeys())
