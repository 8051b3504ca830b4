"""Tracks as messages, and encoded once for many responses of Recommend."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence

from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct

from segue.core.catalogue.display_path import raw_path
from segue.core.catalogue.records import Attribute, Track
from segue.core.catalogue.tag_scores import MIN_TRACK_TAG, unpack_tag_scores
from segue.core.index.vector_index import Neighbour
from segue.v1 import tag_pb2, track_pb2
from segue.v1.recommendation_service_pb2 import Recommendation, RecommendResponse

MAX_TRACK_TAGS = 10
# A fixed32 of the wire format, the last field of a recommendation. It differs in each response.
_SIMILARITY = struct.Struct("<f")
_ANY_SIMILARITY = 1.0


def tag_scores(scores: Mapping[str, float]) -> list[tag_pb2.TagScore]:
    """Returns tags with their scores, the best first; equal scores are ordered by name."""
    pairs = sorted(scores.items(), key=lambda pair: (-pair[1], pair[0]))
    return [tag_pb2.TagScore(tag=name, score=score) for name, score in pairs]


def _track_tags(track: Track, tag_names: tuple[str, ...]) -> list[tag_pb2.TagScore]:
    return tag_scores(unpack_tag_scores(track.tag_scores, tag_names, MIN_TRACK_TAG))[:MAX_TRACK_TAGS]


def duration(seconds: float) -> Duration:
    """Converts seconds to a duration, to the millisecond."""
    value = Duration()
    value.FromMilliseconds(round(seconds * 1000))
    return value


def track_message(track: Track, tag_names: tuple[str, ...]) -> track_pb2.Track:
    """Converts a track.

    Args:
        track: the track.
        tag_names: the tags of the model; a track of a model with other tags has none.
    """
    named = track.named()
    return track_pb2.Track(
        track_id=track.track_id,
        title=named.title,
        artist=named.artist,
        album=named.album,
        genre=track.genre,
        duration=duration(track.seconds),
        tagged_genre=track.tagged_genre,
        path=track.path,
        year=int(track.year or 0),
        artists=named.artists,
        tagged_genres=track.tagged_genres,
        album_artist=track.album_artist,
        track_number=track.track_number,
        disc_number=track.disc_number,
        isrc=track.isrc,
        musicbrainz_recording_id=track.musicbrainz_recording_id,
        musicbrainz_release_id=track.musicbrainz_release_id,
        musicbrainz_artist_ids=track.musicbrainz_artist_ids,
        raw_path=raw_path(track.path),
        tags=_track_tags(track, tag_names),
        external_id=track.own.external_id,
        attributes=_attributes(track.own.attributes) if track.own.attributes else None,
    )


def _attributes(attributes: Mapping[str, Attribute]) -> Struct:
    message = Struct()
    message.update({name: list(value) if isinstance(value, tuple) else value for name, value in attributes.items()})
    return message


def encode_track(track: Track, tag_names: tuple[str, ...]) -> bytes:
    """Returns a response that recommends one track, encoded up to its similarity; see ``track_message``."""
    recommendation = Recommendation(track=track_message(track, tag_names), similarity=_ANY_SIMILARITY)
    encoded = RecommendResponse(recommendations=[recommendation]).SerializeToString()
    return encoded[: -_SIMILARITY.size]


def response_of(tracks: Sequence[tuple[Neighbour, bytes]], copies_of: Callable[[str], int]) -> RecommendResponse:
    """Returns a response that recommends tracks.

    Encoded messages of one type that follow each other are one message with all their repeated fields.

    Args:
        tracks: the tracks, each as ``encode_track`` has encoded it.
        copies_of: returns the number of other tracks that are copies of a track.
    """
    parts = [part for neighbour, encoded in tracks for part in (encoded, _SIMILARITY.pack(neighbour.similarity))]
    response = RecommendResponse.FromString(b"".join(parts))
    for (neighbour, _), recommendation in zip(tracks, response.recommendations, strict=True):
        if copies := copies_of(neighbour.track_id):
            recommendation.copies = copies
    return response
