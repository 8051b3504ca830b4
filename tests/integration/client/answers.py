"""The fixed responses of the peer."""

from __future__ import annotations

from typing import Any

from google.protobuf.duration_pb2 import Duration

from segue.v1.audio_pb2 import QUALITY_FLAG_LOW_RATE
from segue.v1.classification_service_pb2 import GenreScore, ScoredWindow
from segue.v1.revision_pb2 import Revision
from segue.v1.tag_pb2 import TagScore
from segue.v1.track_pb2 import Track

REVISION = Revision(model_id="segue-fast-1a2b3c4d", catalogue_revision=12)
SCORES = [GenreScore(genre="blues", score=0.75), GenreScore(genre="jazz", score=0.25)]
DETAILS: dict[str, Any] = {
    "quality_flags": [QUALITY_FLAG_LOW_RATE],
    "missing_seconds": 2.5,
    "timeline": [
        ScoredWindow(start=Duration(seconds=3), end=Duration(seconds=6), scores=[GenreScore(genre="jazz", score=0.5)])
    ],
    "embedding": [0.75, -0.5],
    "tags": [TagScore(tag=f"tag {number}", score=(11 - number) / 16) for number in range(12)],
}
SHARED: dict[str, Any] = {"artist": "An Artist", "album": "An Album", "track_number": 3, "year": 1959, "genre": "blues"}
OWN: dict[str, Any] = {"attributes": {"mood": "calm", "bpm": 90, "live": True, "lists": ["x", "y"]}}
TRACKS = [
    Track(
        track_id=f"{number:032x}",
        title=f"Song {number}",
        artists=["An Artist", "Another"],
        duration=Duration(seconds=180 + number),
        path=f"music/song-{number}.flac",
        tags=[TagScore(tag="sad", score=0.5), TagScore(tag="80s", score=0.125)],
        external_id=f"a/{number}",
        **SHARED,
        **OWN,
    )
    for number in range(5)
]
