"""Filters, limits and variety of recommendations."""

from __future__ import annotations

from collections import Counter
from itertools import chain

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from segue.core.catalogue.records import Track
from segue.v1.recommendation_service_pb2 import (
    TrackExclusion,
    TrackFilter,
    Variety,
)
from tests.helpers.catalogue.tracks import track_id
from tests.helpers.server.invented_catalogue import ALL, TRACKS, ids, recommended, respond
from tests.helpers.server.stubs import Stubs


def test_two_tracks_by_one_artist(stubs: Stubs) -> None:
    """By default at most two tracks by one artist are recommended; 0 lifts the limit."""
    artists = Counter(item.track.artist for item in recommended(stubs))
    assert (2, {1}) == (artists.pop("Björk"), set(artists.values()))
    assert TRACKS - 1 == len(recommended(stubs, variety=ALL))
    albums = Counter(
        item.track.album for item in recommended(stubs, variety=Variety(max_per_artist=0, max_per_album=3))
    )
    assert 3 == albums["Debut"]


def test_limits_and_named_artists(stubs: Stubs) -> None:
    """A filter that names artists, albums or tracks lifts the limit; the response says if a limit left out others."""
    by_artist = respond(stubs, filter=TrackFilter(artists=["Björk"]))
    assert (19, False) == (len(by_artist.recommendations), by_artist.limited)
    two = respond(stubs, filter=TrackFilter(artists=["Björk"]), variety=Variety(max_per_artist=2))
    assert (2, True) == (len(two.recommendations), two.limited)
    assert not respond(stubs, limit=10).limited
    assert respond(stubs, read_mask=FieldMask(paths=["recommendations"])).limited


def test_a_shuffled_list(stubs: Stubs) -> None:
    """The same number gives the same order of the same tracks, also of a part of them; other numbers give others."""
    plain, zero = (ids(recommended(stubs, limit=20, variety=Variety(shuffle_seed=seed))) for seed in (None, 0))
    assert (sorted(plain), True) == (sorted(zero), plain != zero)
    assert zero == ids(recommended(stubs, limit=20, variety=Variety(shuffle_seed=0)))
    assert zero != ids(recommended(stubs, limit=20, variety=Variety(shuffle_seed=-(2**63))))
    half = ids(recommended(stubs, limit=10, variety=Variety(shuffle_seed=0)))
    assert half == [track_id for track_id in zero if track_id in plain[:10]]


def test_pages_with_limits(stubs: Stubs) -> None:
    """The pages of a seed together are all recommendations, each once."""
    pages = [ids(recommended(stubs, limit=7, offset=offset)) for offset in range(0, 49, 7)]
    assert ids(recommended(stubs)) == [*chain(*pages)]


@pytest.mark.parametrize(
    ("wanted", "is_met"),
    [
        (TrackFilter(artists=["BJORK"]), lambda t: t.artist == "Björk"),
        (TrackFilter(artists=["guest"]), lambda t: "Guest" in t.artists),
        (TrackFilter(albums=["debut"]), lambda t: t.album == "Debut"),
        (TrackFilter(min_year=1960, max_year=1970), lambda t: t.year and 1960 <= int(t.year) <= 1970),
        (TrackFilter(min_duration=Duration(seconds=100)), lambda t: t.seconds >= 100),
        (TrackFilter(max_duration=Duration(seconds=70)), lambda t: t.seconds <= 70),
        (TrackFilter(folders=["/music/a"]), lambda t: t.path.startswith("/music/a/")),
        (TrackFilter(folders=["/music/"]), lambda _: True),
        (
            TrackFilter(track_ids=[track_id(5), track_id(9), track_id(0)]),
            lambda t: t.track_id in (track_id(5), track_id(9)),
        ),
        (TrackFilter(tags=["TAG 0"]), lambda t: int(t.track_id, 16) >= 0.1 * TRACKS),
        (TrackFilter(tags=["tag 0", "tag 1"]), lambda t: int(t.track_id, 16) >= 6 and int(t.track_id, 16) % 3 == 0),
        (
            TrackFilter(exclude=TrackExclusion(tags=["tag 0", "tag 1"])),
            lambda t: int(t.track_id, 16) < 6 and int(t.track_id, 16) % 3,
        ),
        (TrackFilter(exclude=TrackExclusion(artists=["Björk"])), lambda t: t.artist != "Björk"),
        (TrackFilter(exclude=TrackExclusion(folders=["/music/ab"])), lambda t: not t.path.startswith("/music/ab/")),
        (TrackFilter(exclude=TrackExclusion(track_ids=[track_id(5)])), lambda t: t.track_id != track_id(5)),
    ],
)
def test_filters(stubs: Stubs, tracks: dict[str, Track], wanted: TrackFilter, is_met: object) -> None:
    """A filter leaves exactly the tracks that meet it, in the order without it."""
    assert callable(is_met)
    expected = [key for key in ids(recommended(stubs, variety=ALL)) if is_met(tracks[key])]
    assert expected
    assert expected == ids(recommended(stubs, variety=ALL, filter=wanted))


def test_genre_and_similarity(stubs: Stubs, labels: tuple[str, ...]) -> None:
    """Predicted genres and similarities are conditions as well."""
    everything = recommended(stubs, variety=ALL)
    jazz = recommended(stubs, variety=ALL, filter=TrackFilter(genres=[labels[1]]))
    assert [item for item in everything if item.track.genre == labels[1]] == jazz
    middle = everything[20].similarity
    assert everything[:21] == recommended(stubs, variety=ALL, filter=TrackFilter(min_similarity=middle))


def test_a_filter_that_leaves_no_track(stubs: Stubs) -> None:
    """The response is empty and names the condition, also if read_mask has no such field."""
    wanted = TrackFilter(artists=["Björk"], exclude=TrackExclusion(artists=["Björk"]))
    response = respond(stubs, filter=wanted, read_mask=FieldMask(paths=["recommendations"]))
    assert ([], "filter.exclude.artists") == (list(response.recommendations), response.emptied_by)
    assert "filter.max_year" == respond(stubs, filter=TrackFilter(min_year=1990, max_year=1980)).emptied_by
    assert "" == respond(stubs).emptied_by


def test_diversity(stubs: Stubs) -> None:
    """With diversity, the first track is the most similar one, and the others are less like each other."""
    plain, diverse = (recommended(stubs, limit=10, variety=Variety(diversity=value)) for value in (0, 0.7))
    assert plain[0] == diverse[0]
    assert ids(plain) != ids(diverse)
    page = recommended(stubs, limit=5, offset=5, variety=Variety(diversity=0.7))
    assert ids(diverse)[5:] == ids(page)
