"""The only bridge between the core's types and the wire's."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence
from typing import Literal, NamedTuple

from google.protobuf.duration_pb2 import Duration

from segue.core.audio.decode import MAX_CHANNELS, MAX_RATE, MAX_UPLOAD_BYTES, MIN_RATE
from segue.core.audio.pcm import PcmForm
from segue.core.audio.quality import Quality
from segue.core.catalogue.records import Track
from segue.core.errors import AudioTooLong, MalformedRequest
from segue.core.index.vector_index import Neighbour
from segue.core.model.artifact import Manifest
from segue.core.model.saved_model import Floats
from segue.server.inference.engine import AnalyzedClip
from segue.v1 import (
    audio_pb2,
    catalog_service_pb2,
    classification_service_pb2,
    recommendation_service_pb2,
    revision_pb2,
    track_pb2,
)

DEFAULT_LIMIT, MAX_LIMIT = 10, 100
MAX_ITEM_ID = 128
DEFAULT_PAGE, MAX_PAGE = 100, 1_000
_TRACK_ID = re.compile("([0-9a-f]{32})?")
_ENCODINGS = {audio_pb2.SAMPLE_ENCODING_INT16: False, audio_pb2.SAMPLE_ENCODING_FLOAT32: True}


class Page(NamedTuple):
    """Which page of the catalogue: the ids behind ``after``, at most ``size`` of them."""

    after: str
    size: int


def audio_bytes(audio: audio_pb2.Audio, field: str) -> bytes:
    """The bytes of a piece of music, not yet looked at.

    Raises:
        MalformedRequest: there are none.
        AudioTooLong: there are more than 16 MiB.
    """
    if not audio.content:
        raise MalformedRequest(f"{field}.content", f"{field}.content is empty; send the bytes of a whole audio file.")
    if len(audio.content) > MAX_UPLOAD_BYTES:
        raise AudioTooLong(
            f"{field}.content has {len(audio.content):,} bytes; at most {MAX_UPLOAD_BYTES:,} are taken. "
            "Send a part of the piece, or a compressed file.",
            limit_bytes=MAX_UPLOAD_BYTES,
            actual_bytes=len(audio.content),
        )
    return audio.content


def limit(
    request: classification_service_pb2.ClassifyRequest
    | classification_service_pb2.StreamingClassifyConfig
    | recommendation_service_pb2.RecommendRequest,
) -> int:
    """How many answers are asked for, [1, 100].

    Raises:
        MalformedRequest: 0 or below.
    """
    field = "limit" if isinstance(request, recommendation_service_pb2.RecommendRequest) else "top_k"
    if not request.HasField(field):  # type: ignore[arg-type]  # the two requests name it differently
        return DEFAULT_LIMIT
    value: int = getattr(request, field)
    if value <= 0:
        raise MalformedRequest(
            field, f"{field} is {value}; ask for 1 to {MAX_LIMIT}, or leave it out for {DEFAULT_LIMIT}."
        )
    return min(value, MAX_LIMIT)


def stream_config(
    request: classification_service_pb2.StreamingClassifyRequest,
) -> classification_service_pb2.StreamingClassifyConfig:
    """The configuration that opens a stream.

    Raises:
        MalformedRequest: it is something else, or asks for what there is not.
    """
    if request.WhichOneof("part") != "config":
        raise MalformedRequest("config", "The first message of a stream is its config; send it before any chunk.")
    return request.config


def pcm_form(config: classification_service_pb2.StreamingClassifyConfig) -> PcmForm | None:
    """How the samples of a stream are written, or None where it is a file.

    Raises:
        MalformedRequest: a value is out of its range.
    """
    if not config.HasField("pcm"):
        return None
    pcm = config.pcm
    for name, least, most in (("sample_rate", MIN_RATE, MAX_RATE), ("channels", 1, MAX_CHANNELS)):
        if not least <= (value := getattr(pcm, name)) <= most:
            raise MalformedRequest(f"config.pcm.{name}", f"{name} is {value}; it is {least:,} to {most:,}.")
    if pcm.sample_encoding not in _ENCODINGS:
        raise MalformedRequest("config.pcm.sample_encoding", "sample_encoding is to be INT16 or FLOAT32.")
    return PcmForm(pcm.sample_rate, pcm.channels, _ENCODINGS[pcm.sample_encoding])


def chunk(request: classification_service_pb2.StreamingClassifyRequest) -> bytes:
    """The next bytes of a stream.

    Raises:
        MalformedRequest: there are none.
    """
    if request.WhichOneof("part") != "chunk":
        raise MalformedRequest("config", "Behind the first message of a stream, which is its config, come chunks only.")
    if not request.chunk:
        raise MalformedRequest("chunk", "A chunk is empty; send at least one byte, or end the stream.")
    return request.chunk


def item_id(item: recommendation_service_pb2.StreamingRecommendRequest) -> str:
    """What one request of many is known by.

    Raises:
        MalformedRequest: it is too long.
    """
    if len(item.item_id) > MAX_ITEM_ID:
        raise MalformedRequest(
            "item_id", f"item_id has {len(item.item_id):,} characters; at most {MAX_ITEM_ID} are taken."
        )
    return item.item_id


def seed_kind(request: recommendation_service_pb2.RecommendRequest) -> Literal["audio", "track_id"]:
    """Which seed was sent.

    Raises:
        MalformedRequest: none.
    """
    kind = request.WhichOneof("seed")
    if kind is None:
        raise MalformedRequest("seed", "There is no seed; send audio or a track_id.")
    return kind


def track_id(value: str) -> str:
    """The id of a track that is asked for.

    Raises:
        MalformedRequest: it is empty.
    """
    if not value:
        raise MalformedRequest("track_id", "track_id is empty; send the id of a track, as ListTracks gives it.")
    return value


def page(request: catalog_service_pb2.ListTracksRequest) -> Page:
    """Which page is asked for.

    Raises:
        MalformedRequest: a size below 0, or a token that ``page_token`` did not make.
    """
    if request.page_size < 0:
        raise MalformedRequest(
            "page_size", f"page_size is {request.page_size}; ask for 1 to {MAX_PAGE}, or 0 for {DEFAULT_PAGE}."
        )
    after = _id_in(request.page_token)
    if after is None:
        raise MalformedRequest(
            "page_token",
            "page_token is not one of ours; send next_page_token as it came, or nothing for the first page.",
        )
    return Page(after, min(request.page_size or DEFAULT_PAGE, MAX_PAGE))


def page_token(last_id: str) -> str:
    """What leads to the page behind ``last_id``."""
    return base64.urlsafe_b64encode(last_id.encode()).decode()


def _id_in(token: str) -> str | None:
    """What ``page_token`` has made a token of, empty for none, or None where it did not make it."""
    try:
        last_id = base64.urlsafe_b64decode(token.encode()).decode("ascii")
    except (binascii.Error, UnicodeError):
        return None
    return last_id if token == page_token(last_id) and _TRACK_ID.fullmatch(last_id) else None


def genre_scores(posterior: Floats, labels: Sequence[str], most: int) -> list[classification_service_pb2.GenreScore]:
    """The best genres [genres] first; equal scores in the order of their names."""
    pairs = sorted(zip(posterior.tolist(), labels, strict=True), key=lambda pair: (-pair[0], pair[1]))
    return [classification_service_pb2.GenreScore(genre=genre, score=score) for score, genre in pairs[:most]]


def timeline(hearing: AnalyzedClip, manifest: Manifest, most: int) -> list[classification_service_pb2.ScoredWindow]:
    """The windows that were heard, in the order of time, with their ``most`` best genres each."""
    pairs = zip(hearing.clip.windows.starts.tolist(), hearing.prediction.window_posterior, strict=True)
    return [scored_window(start, posterior, manifest, most) for start, posterior in pairs]


def scored_window(
    start: float, posterior: Floats | None, manifest: Manifest, most: int
) -> classification_service_pb2.ScoredWindow:
    """A window that begins at ``start`` seconds, with its ``most`` best genres, or none where it is silent."""
    return classification_service_pb2.ScoredWindow(
        start=duration(start),
        end=duration(start + manifest.features.window_seconds),
        scores=() if posterior is None else genre_scores(posterior, manifest.labels, most),
    )


def quality_flags(quality: Quality) -> list[audio_pb2.QualityFlag.ValueType]:
    """What is wrong with the sound of a piece."""
    return [audio_pb2.QualityFlag.Value(f"QUALITY_FLAG_{flag}") for flag in quality.flags]


def duration(seconds: float) -> Duration:
    """A length or a place in time, to the millisecond."""
    answer = Duration()
    answer.FromMilliseconds(round(seconds * 1000))
    return answer


def track(track: Track) -> track_pb2.Track:
    """A track as the wire has it."""
    return track_pb2.Track(
        track_id=track.track_id,
        title=track.title,
        artist=track.artist,
        album=track.album,
        genre=track.genre,
        duration=duration(track.seconds),
        tagged_genre=track.tagged_genre,
        path=track.path,
        year=int(track.year or 0),
    )


def recommendation(neighbour: Neighbour, found: Track) -> recommendation_service_pb2.Recommendation:
    """A recommended track as the wire has it."""
    return recommendation_service_pb2.Recommendation(track=track(found), similarity=neighbour.similarity)


def revision(model_id: str, catalogue_revision: int, stale: bool) -> revision_pb2.Revision:
    """What produced an answer; it is stale where the catalogue could not be asked."""
    return revision_pb2.Revision(model_id=model_id, catalogue_revision=catalogue_revision, stale=stale)
