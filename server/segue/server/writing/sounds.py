"""The sounds that callers send, as tracks to write."""

from __future__ import annotations

import hashlib

from segue.core.catalogue.records import Track, Vector, is_unit
from segue.core.catalogue.uploads import upload_path
from segue.core.errors import EmbeddingUnusable
from segue.core.features.fingerprint import fingerprint
from segue.core.model.artifact import Manifest
from segue.core.model.predicted_track import predicted_track
from segue.server.inference.analyzed_clip import AnalyzedClip
from segue.server.writing.jobs import Content, Sound

_TRACK_ID_LETTERS = 32


def sound_of_clip(external_id: str, content: Content, clip: AnalyzedClip, manifest: Manifest) -> Sound:
    """Returns the sound of a clip that was analyzed with its track id.

    Raises:
        EmbeddingUnusable: its embedding has not the length 1; in a turn it would fail the writes of other callers, too.
    """
    if not is_unit(clip.prediction.embedding):
        raise EmbeddingUnusable(f"The embedding of the track {external_id!r} has not the length 1.")
    extracted, path = clip.clip, upload_path(external_id)
    found = fingerprint(extracted.windows, manifest.features)
    track = predicted_track(
        str(clip.track_id), path, extracted.seconds, clip.prediction, found, manifest.labels, manifest.tags
    )
    return Sound(track, clip.prediction.embedding, content)


def sound_of_embedding(external_id: str, embedding: Vector) -> Sound:
    """Returns a sound of unknown audio with an embedding [e]; its track id is a digest of that."""
    values = embedding.tobytes()
    track_id = hashlib.sha256(b"embedding " + values).hexdigest()[:_TRACK_ID_LETTERS]
    return Sound(Track(track_id, "", path=upload_path(external_id)), embedding, Content.of(values))
