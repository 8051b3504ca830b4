from __future__ import annotations

from segue.core.catalogue.records import Track
from segue.server.live_catalogue.metadata_cache import MetadataCache


def test_the_oldest_is_evicted() -> None:
    """A full cache evicts the track that was read longest ago, and stores no posteriors."""
    cache = MetadataCache(max_tracks=2)
    for track_id in ("a", "b", "a", "c"):
        cache.put([Track(track_id, title=track_id.upper(), posterior={"jazz": 1.0})])
    tracks = cache.get(["b", "a", "c"])
    assert [None, "A", "C"] == [track and track.title for track in tracks]
    assert [{}, {}] == [track.posterior for track in tracks if track]


def test_tracks_that_left_the_catalogue_make_room() -> None:
    """Tracks outside the catalogue are evicted, and as many missing ones are returned as then fit."""
    cache = MetadataCache(max_tracks=2)
    cache.put([Track(track_id, title="") for track_id in ("a", "b")])
    assert [] == cache.retain(["a", "b", "c"])
    assert ["c"] == cache.retain(["b", "c"])
    assert [None] == cache.get(["a"])
