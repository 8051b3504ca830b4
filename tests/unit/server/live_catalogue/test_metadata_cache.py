"""Cached metadata is fresh until something is written, or the store was not looked at for a second."""

from __future__ import annotations

from segue.server.live_catalogue.metadata_cache import FRESH_SECONDS, MetadataCache


class Clock:
    """A clock that is set by hand.

    Attributes:
        now: the time in seconds.
    """

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """Returns the time."""
        return self.now


def test_the_oldest_is_evicted() -> None:
    """A full cache evicts the track that was read longest ago, and never takes more memory than it may."""
    cache = MetadataCache(max_bytes=600)
    for track_id in ("a", "b", "a", "c"):
        cache.put(cache.epoch, {track_id: track_id.encode() * 50})
        assert cache.used_bytes <= 600
    assert [None, b"a" * 50, b"c" * 50] == cache.get(["b", "a", "c"])
    assert 2 == len(cache)


def test_a_track_that_does_not_fit() -> None:
    """One track above the limit is not cached, and takes no memory."""
    cache = MetadataCache(max_bytes=100)
    cache.put(cache.epoch, {"a": b"a"})
    assert (0, 0) == (len(cache), cache.used_bytes)


def test_tracks_that_left_the_catalogue_make_room() -> None:
    """Tracks outside the catalogue are evicted, and as many missing ones are returned as then fit."""
    cache = MetadataCache(max_bytes=402)
    cache.put(cache.epoch, {"a": b"a", "b": b"b"})
    assert [] == cache.retain(["a", "b", "c"])
    assert ["c"] == cache.retain(["b", "c"])
    assert [None] == cache.get(["a"])


def test_a_write_outdates_all_tracks() -> None:
    """After a write a track is not fresh until it is read again, and is still there for an outage."""
    clock = Clock()
    cache = MetadataCache(10_000, clock=clock)
    assert cache.confirm("1", clock.now)
    cache.put(cache.epoch, {"a": b"old", "b": b"old"})
    assert not cache.confirm("1", clock.now)
    assert [b"old", None] == cache.get_fresh(["a", "c"])
    assert cache.confirm("2", clock.now)
    assert [None, None] == cache.get_fresh(["a", "b"])
    assert ([b"old", b"old"], ["a", "b"]) == (cache.get(["a", "b"]), cache.outdated())
    cache.put(cache.epoch, {"a": b"new"})
    assert [b"new", None] == cache.get_fresh(["a", "b"])


def test_a_track_that_was_read_before_a_write() -> None:
    """A track that was read in an earlier epoch is not fresh, even if it is stored later."""
    clock = Clock()
    cache = MetadataCache(10_000, clock=clock)
    cache.confirm("1", clock.now)
    epoch = cache.epoch
    cache.confirm("2", clock.now)
    cache.put(epoch, {"a": b"old"})
    assert [None] == cache.get_fresh(["a"])


def test_an_unknown_write_outdates_all_tracks() -> None:
    """A store that does not know what was written last makes everything outdated, every time."""
    clock = Clock()
    cache = MetadataCache(10_000, clock=clock)
    for _ in range(3):
        assert cache.confirm(None, clock.now)
    assert cache.confirm("1", clock.now)


def test_without_a_look_at_the_store_nothing_is_fresh() -> None:
    """A second after the store was last asked, a track may have changed; the time counts from the question."""
    clock = Clock()
    cache = MetadataCache(10_000, clock=clock)
    cache.put(cache.epoch, {"a": b"a"})
    assert [None] == cache.get_fresh(["a"])
    asked, clock.now = clock.now, clock.now + FRESH_SECONDS - 0.1
    cache.confirm("1", asked)
    cache.put(cache.epoch, {"a": b"a"})
    assert [b"a"] == cache.get_fresh(["a"])
    clock.now += 0.2
    assert [None] == cache.get_fresh(["a"])


def test_a_lost_track_is_dropped() -> None:
    """A track that the store no longer has leaves the cache."""
    cache = MetadataCache(10_000)
    cache.put(cache.epoch, {"a": b"a", "b": b"b"})
    cache.put(cache.epoch, {"a": None, "c": None})
    assert [None, b"b"] == cache.get(["a", "b"])
    assert 201 == cache.used_bytes
