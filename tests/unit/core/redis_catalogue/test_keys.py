from __future__ import annotations

from redis.crc import key_slot

from segue.core.redis_catalogue.keys import RedisKeys


def names(keys: RedisKeys) -> list[bytes]:
    """Returns one key of each kind."""
    singletons = [keys.identity, keys.writer, keys.events, keys.track_ids, keys.files, keys.failures]
    return [*singletons, keys.track("a"), keys.embedding("a"), keys.paths("a")]


def test_a_partition_is_on_one_node() -> None:
    """All keys of a partition have one hash slot, so that one transaction can use them in a cluster."""
    assert 1 == len({key_slot(name) for name in names(RedisKeys())})


def test_names_are_unique() -> None:
    """Kinds, tracks, partitions, catalogues and staged catalogues never share a key."""
    catalogues = [RedisKeys(), RedisKeys("other"), RedisKeys(partition=1), RedisKeys().staging()]
    all_names = [name for keys in catalogues for name in names(keys)]
    assert len(all_names) == len(set(all_names))


def test_names_never_change() -> None:
    """Catalogues of earlier versions have the same names."""
    expected = [
        b"identity",
        b"writer",
        b"events",
        b"tracks",
        b"files",
        b"failures",
        b"track:a",
        b"embedding:a",
        b"paths:a",
    ]
    assert [b"{segue:0}:" + name for name in expected] == names(RedisKeys())
