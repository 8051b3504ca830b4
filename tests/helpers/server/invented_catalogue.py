"""An invented catalogue, and recommendations from it."""

from __future__ import annotations

import numpy as np

from segue.core.catalogue.records import NO_METADATA, Attribute, OwnMetadata, Track, Vector
from segue.core.catalogue.tag_scores import pack_tag_scores
from segue.core.model.artifact import Manifest
from segue.v1.recommendation_service_pb2 import (
    Recommendation,
    RecommendRequest,
    RecommendResponse,
    Variety,
)
from tests.helpers.catalogue.tracks import track_id
from tests.helpers.server.stubs import Stubs

TRACKS = 60
ALL = Variety(max_per_artist=0)


def vector(number: int, width: int) -> Vector:
    """A direction of its own for each number."""
    values = np.random.default_rng(number).standard_normal(width).astype(np.float32)
    unit: Vector = values / np.linalg.norm(values)
    return unit


def track(number: int, manifest: Manifest) -> Track:
    """An invented track; every third one is by the same artist, and has the second of the model's tags."""
    scores = np.array([number / TRACKS, number % 3 == 0, *[0.0] * (len(manifest.tags) - 2)], np.float32)
    artist = "Björk" if number % 3 == 0 else f"Artist {number}"
    return Track(
        track_id(number),
        title=f"Song {number}",
        artist=artist,
        artists=(artist, "Guest") if number % 10 == 1 else (),
        album="Debut" if number % 6 == 0 else "",
        genre=manifest.labels[number % 2],
        year="" if number % 7 == 0 else str(1950 + number),
        seconds=60.0 + number,
        path=f"/music/{'a' if number % 4 else 'ab'}/{number}.flac",
        tag_scores=pack_tag_scores(scores, manifest.tags),
    )


def own(number: int) -> OwnMetadata:
    """The owner's metadata of an invented track; every fourth has none."""
    if number % 4 == 0:
        return NO_METADATA
    lists: dict[str, Attribute] = {"lists": ("morning", f"list {number % 3}")} if number % 2 else {}
    given: dict[str, Attribute] = {"mood": "calm" if number % 3 else "wild", "bpm": 60.0 + number, "live": number > 30}
    return OwnMetadata(f"id/{number}", album="Own album" if number % 6 == 1 else "", attributes={**given, **lists})


def tags_of(known: Track) -> set[str]:
    """The tags of an invented track."""
    number = int(known.track_id, 16)
    return {tag for tag, has_it in (("tag 0", number >= TRACKS / 10), ("tag 1", number % 3 == 0)) if has_it}


def respond(stubs: Stubs, **fields: object) -> RecommendResponse:
    """Sends a request; without a seed, that of the first track."""
    if "seeds" not in fields and "audio" not in fields:
        fields = {"track_id": track_id(0), **fields}
    return stubs.send_recommend(RecommendRequest(**{"limit": 100, **fields}))  # type: ignore[arg-type] # its fields


def recommended(stubs: Stubs, **fields: object) -> list[Recommendation]:
    """The recommendations of a request."""
    return list(respond(stubs, **fields).recommendations)


def ids(found: list[Recommendation]) -> list[str]:
    """Their ids."""
    return [item.track.track_id for item in found]
