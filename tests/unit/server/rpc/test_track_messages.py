"""Tracks as messages: the client gets everything that the catalogue knows, and a path that can be opened."""

from __future__ import annotations

import os
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from google.protobuf.json_format import MessageToDict
from numpy.typing import NDArray

from segue.client import path_of
from segue.core.catalogue.display_path import display_path
from segue.core.catalogue.records import OwnMetadata, Track
from segue.core.catalogue.tag_scores import pack_tag_scores
from segue.core.index.vector_index import Neighbour
from segue.server.rpc.track_messages import encode_track, response_of, tag_scores, track_message
from segue.v1.recommendation_service_pb2 import RecommendResponse


def test_every_field_of_a_track_is_sent() -> None:
    """Only the posterior and the fingerprint stay in the catalogue; the duration and the tags have other types."""
    values = {field.name: _value(field.name) for field in fields(Track) if field.name != "own"}
    message = track_message(
        Track.from_json({**values, "tag_scores": pack_tag_scores(np.array([0.5], np.float32), ("sad",))}), ("sad",)
    )

    for name in values.keys() - {"posterior", "seconds", "tag_scores", "fingerprint", "year"}:
        sent = getattr(message, name)
        assert values[name] == (sent if isinstance(sent, str | int) else list(sent)), name
    assert (1959, 2, ["sad"]) == (message.year, message.duration.seconds, [tag.tag for tag in message.tags])


def test_the_owners_metadata_are_sent() -> None:
    """A title, an artist or an album of the owner replaces that in the tags."""
    own = OwnMetadata("42", artist="Own", attributes={"mood": "calm", "bpm": 90.0, "live": False, "lists": ("a", "b")})
    message = track_message(
        Track("0" * 32, "Title", artist="Tag", artists=("Tag", "Guest"), album="Album", own=own), ()
    )
    assert ("42", "Title", "Own", ["Own"], "Album") == (
        message.external_id,
        message.title,
        message.artist,
        list(message.artists),
        message.album,
    )
    assert {"mood": "calm", "bpm": 90.0, "live": False, "lists": ["a", "b"]} == MessageToDict(message.attributes)
    assert not track_message(Track("0" * 32, ""), ()).HasField("attributes")


def _value(name: str) -> object:
    others = {"posterior": {}, "seconds": 2.0, "track_number": 3, "disc_number": 2, "year": "1959"}
    return [name, "more"] if name in {"artists", "tagged_genres", "musicbrainz_artist_ids"} else others.get(name, name)


def test_tags_are_sorted() -> None:
    """The best tags come first, equally good ones in the order of their names."""
    tags = tag_scores({"sad": 0.25, "happy": 0.5, "80s": 0.25})
    assert [("happy", 0.5), ("80s", 0.25), ("sad", 0.25)] == [(tag.tag, tag.score) for tag in tags]


def test_the_best_tags_of_a_track() -> None:
    """At most ten are sent, and none with a score below 0.1; a track of a model with other tags has none."""
    names = tuple(f"tag {number:02}" for number in range(12))
    few, many = np.full(12, 0.09, np.float32), np.linspace(1, 0.5, 12, dtype=np.float32)
    few[[3, 7]] = 0.11, 0.6

    assert ["tag 07", "tag 03"] == best(few, names)
    assert [*names[:10]] == best(many, names)
    assert [] == [*track_message(Track("0" * 32, "", tag_scores=pack_tag_scores(many, names)), names[::-1]).tags]


def best(scores: NDArray[np.float32], names: tuple[str, ...]) -> list[str]:
    """Returns the tags that are sent of a track with scores."""
    message = track_message(Track("0" * 32, "", tag_scores=pack_tag_scores(scores, names)), names)
    return [tag.tag for tag in message.tags]


@pytest.mark.parametrize("raw", [b"/caf\xc3\xa9.mp3", b"/caf\xe9.mp3", b"/caf\\xe9.mp3"])
def test_the_file_of_a_track_can_be_opened(raw: bytes) -> None:
    """The path that the client returns has the bytes of the file's name, be they UTF-8 or not."""
    path = Path(os.fsdecode(raw))
    message = track_message(Track("0" * 32, "", path=display_path(path)), ())

    assert path == path_of(message)
    assert (b"" if raw == message.path.encode() else raw) == message.raw_path


def test_encoded_tracks_make_a_response() -> None:
    """A response of encoded tracks is the one that is made of their messages, whatever the similarities."""
    tracks = [Track(f"{number:032x}", f"Träck {number}" * number, seconds=0.1 * number) for number in range(4)]
    similarities = [1.0, 0.5, 0.0, -0.25]
    neighbours = [Neighbour(track.track_id, value) for track, value in zip(tracks, similarities, strict=True)]
    encoded = [(near, encode_track(track, ())) for near, track in zip(neighbours, tracks, strict=True)]
    response = response_of(encoded, lambda track_id: int(track_id, 16) % 2)

    assert [track_message(track, ()) for track in tracks] == [each.track for each in response.recommendations]
    assert similarities == [each.similarity for each in response.recommendations]
    assert [0, 1, 0, 1] == [each.copies for each in response.recommendations]
    assert RecommendResponse() == response_of([], len)
