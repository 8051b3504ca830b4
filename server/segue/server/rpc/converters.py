"""Conversion of core types to and from protobuf messages.

``catalogue_requests`` checks the requests to the catalogue service; no other module does either.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np

from segue.core.audio.limits import MAX_CHANNELS, MAX_RATE, MIN_RATE
from segue.core.audio.pcm import PcmForm
from segue.core.audio.quality import Quality
from segue.core.errors import AudioTooLong, MalformedRequest
from segue.core.index.vector_index import Vectors
from segue.core.model.artifact import Manifest
from segue.core.model.network import Floats
from segue.core.model.trained_model import Prediction
from segue.server.inference.analyzed_clip import AnalyzedClip
from segue.server.rpc.track_messages import duration
from segue.v1 import (
    audio_pb2,
    catalog_service_pb2,
    classification_service_pb2,
    recommendation_service_pb2,
    revision_pb2,
)

DEFAULT_LIMIT, MAX_LIMIT = 10, 100
# hnswlib's search takes time and memory in proportion to the number of neighbours, above the ef of 256.
MAX_NEIGHBOURS = 1_000
MAX_ITEM_ID = 128
_SHOWN_LETTERS = 64
_ENCODINGS = {audio_pb2.SAMPLE_ENCODING_INT16: False, audio_pb2.SAMPLE_ENCODING_FLOAT32: True}


def audio_bytes(
    audio: audio_pb2.Audio,
    field: str,
    max_bytes: int,
    advice: str = "Send it in chunks, by StreamingClassify or RecommendUpload.",
) -> bytes:
    """Returns the bytes of an uploaded clip, unchecked.

    Args:
        audio: the clip.
        field: its field in the request.
        max_bytes: largest size.
        advice: what to do with a larger clip.

    Raises:
        MalformedRequest: the clip has no byte.
        AudioTooLong: the clip has more than ``max_bytes``.
    """
    if not audio.content:
        raise MalformedRequest(f"{field}.content", f"{field}.content is empty; send the bytes of a whole audio file.")
    if len(audio.content) > max_bytes:
        raise AudioTooLong(
            f"{field}.content has {len(audio.content):,} bytes, more than the limit of {max_bytes:,}. {advice}",
            limit_bytes=max_bytes,
            actual_bytes=len(audio.content),
        )
    return audio.content


def limit(
    request: classification_service_pb2.ClassifyRequest
    | classification_service_pb2.StreamingClassifyConfig
    | recommendation_service_pb2.RecommendRequest,
) -> int:
    """Returns the requested number of results, [1, 100].

    Raises:
        MalformedRequest: the number is 0 or negative.
    """
    field = "limit" if isinstance(request, recommendation_service_pb2.RecommendRequest) else "top_k"
    if not request.HasField(field):  # type: ignore[arg-type]  # the two requests name it differently
        return DEFAULT_LIMIT
    value: int = getattr(request, field)
    if value <= 0:
        raise MalformedRequest(field, f"{field} is {value}; use 1 to {MAX_LIMIT}, or omit it for {DEFAULT_LIMIT}.")
    return min(value, MAX_LIMIT)


def offset(request: recommendation_service_pb2.RecommendRequest) -> int:
    """Returns the number of nearest tracks to skip, [0, 999].

    Raises:
        MalformedRequest: the number is negative, or the last track would be too far down.
    """
    value: int = request.offset
    if value < 0 or value + limit(request) > MAX_NEIGHBOURS:
        raise MalformedRequest(
            "offset",
            f"offset is {value}; use 0 or more, and at most {MAX_NEIGHBOURS:,} for offset + limit.",
        )
    return value


ClipStreamRequest: TypeAlias = (
    classification_service_pb2.StreamingClassifyRequest | recommendation_service_pb2.RecommendUploadRequest
)
"""A message of a stream that carries a clip."""


def check_config(request: ClipStreamRequest) -> None:
    """Checks that the first message of a stream is its configuration.

    Raises:
        MalformedRequest: it is not.
    """
    if request.WhichOneof("part") != "config":
        raise MalformedRequest("config", "The first message of a stream is its config; send it before any chunk.")


def upload_request(
    config: recommendation_service_pb2.RecommendUploadConfig,
) -> recommendation_service_pb2.RecommendRequest:
    """Returns the request that an upload completes.

    Raises:
        MalformedRequest: it has a seed.
    """
    if config.request.WhichOneof("seed") or config.request.seeds:
        raise MalformedRequest("config.request", "The request has a seed. Send the seed in chunks, or call Recommend.")
    return config.request


def pcm_form(
    config: classification_service_pb2.StreamingClassifyConfig | recommendation_service_pb2.RecommendUploadConfig,
) -> PcmForm | None:
    """Returns the sample format of a stream of raw PCM, or None for a stream that is a file.

    Raises:
        MalformedRequest: a value is out of its range.
    """
    if not config.HasField("pcm"):
        return None
    pcm = config.pcm
    for name, minimum, maximum in (("sample_rate", MIN_RATE, MAX_RATE), ("channels", 1, MAX_CHANNELS)):
        if not minimum <= (value := getattr(pcm, name)) <= maximum:
            raise MalformedRequest(f"config.pcm.{name}", f"{name} is {value}; use {minimum:,} to {maximum:,}.")
    if pcm.sample_encoding not in _ENCODINGS:
        raise MalformedRequest("config.pcm.sample_encoding", "sample_encoding must be INT16 or FLOAT32.")
    return PcmForm(pcm.sample_rate, pcm.channels, _ENCODINGS[pcm.sample_encoding])


def chunk(request: ClipStreamRequest, max_bytes: int) -> bytes:
    """Returns the chunk in a later message of a stream.

    Raises:
        MalformedRequest: the message has no chunk, an empty one, or one of more than ``max_bytes``.
    """
    if request.WhichOneof("part") != "chunk":
        raise MalformedRequest("config", "Every message after the first one, the config, must be a chunk.")
    if not request.chunk:
        raise MalformedRequest("chunk", "A chunk is empty; send at least one byte, or end the stream.")
    if len(request.chunk) > max_bytes:
        raise MalformedRequest("chunk", f"A chunk has {len(request.chunk):,} bytes; send at most {max_bytes:,}.")
    return request.chunk


def item_id(
    item: classification_service_pb2.BatchClassifyRequest | recommendation_service_pb2.StreamingRecommendRequest,
) -> str:
    """Returns the id that the caller gave one request of a stream.

    Raises:
        MalformedRequest: it is too long.
    """
    if len(item.item_id) > MAX_ITEM_ID:
        raise MalformedRequest("item_id", f"item_id has {len(item.item_id):,} characters; use at most {MAX_ITEM_ID}.")
    return item.item_id


def seed_kind(request: recommendation_service_pb2.RecommendRequest) -> Literal["audio", "track_id"]:
    """Returns the kind of the seed.

    Raises:
        MalformedRequest: the request has no seed.
    """
    kind = request.WhichOneof("seed")
    if kind is None:
        raise MalformedRequest("seed", "The request has no seed; send audio, a track_id or seeds.")
    return kind


def check_no_seed(request: recommendation_service_pb2.RecommendRequest) -> None:
    """Checks that a request with seeds has no further one.

    Raises:
        MalformedRequest: it has.
    """
    if request.WhichOneof("seed"):
        raise MalformedRequest("seeds", "The request has a seed and seeds; send one of them.")


def genre_scores(posterior: Floats, labels: Sequence[str], top_k: int) -> list[classification_service_pb2.GenreScore]:
    """Returns the ``top_k`` best genres, the best first; equal scores are ordered by name."""
    pairs = sorted(zip(posterior.tolist(), labels, strict=True), key=lambda pair: (-pair[0], pair[1]))
    return [classification_service_pb2.GenreScore(genre=genre, score=score) for score, genre in pairs[:top_k]]


def genre_unknown(prediction: Prediction, manifest: Manifest) -> bool:
    """Returns True if a clip sounds unlike all genres of the model; False if the model does not measure it."""
    limit, novelty = manifest.novelty_limit, prediction.novelty
    return limit is not None and novelty is not None and novelty > limit


def timeline(analyzed: AnalyzedClip, manifest: Manifest, top_k: int) -> list[classification_service_pb2.ScoredWindow]:
    """Returns the windows of a clip in the order of time, each with its ``top_k`` best genres."""
    pairs = zip(analyzed.clip.windows.starts.tolist(), analyzed.prediction.window_posterior, strict=True)
    return [scored_window(start, posterior, manifest, top_k) for start, posterior in pairs]


def scored_window(
    start: float, posterior: Floats | None, manifest: Manifest, top_k: int
) -> classification_service_pb2.ScoredWindow:
    """Returns a window with its ``top_k`` best genres, or without genres if it is silent.

    Args:
        start: start of the window in seconds.
        posterior: probability [genres] of each genre, or None for a silent window.
        manifest: manifest of the model.
        top_k: largest number of genres.
    """
    return classification_service_pb2.ScoredWindow(
        start=duration(start),
        end=duration(start + manifest.features.window_seconds),
        scores=() if posterior is None else genre_scores(posterior, manifest.labels, top_k),
    )


def quality_flags(quality: Quality) -> list[audio_pb2.QualityFlag.ValueType]:
    """Returns the flags for the sound quality of a clip."""
    return [audio_pb2.QualityFlag.Value(f"QUALITY_FLAG_{flag}") for flag in quality.flags]


def revision(model_id: str, catalogue_revision: int, stale: bool) -> revision_pb2.Revision:
    """Returns the model and the catalogue revision of a response; it is stale if the store did not answer."""
    return revision_pb2.Revision(model_id=model_id, catalogue_revision=catalogue_revision, stale=stale)


def embedding(
    sent: recommendation_service_pb2.Embedding | catalog_service_pb2.TrackEmbedding, field: str, manifest: Manifest
) -> Vectors:
    """Returns an embedding [e] that was sent, with the length 1.

    Raises:
        MalformedRequest: it is that of another model, or has another width, or no direction.
    """
    if sent.model_id not in ("", manifest.model_id):
        maker = sent.model_id[:_SHOWN_LETTERS]
        message = f"{field} was made by {maker!r}, and the server's model is {manifest.model_id}."
        raise MalformedRequest(f"{field}.model_id", message)
    width = manifest.embedding_width
    values = np.array(sent.values, np.float64)
    if len(values) != width:
        message = f"{field} has {len(values):,} values; those of the model have {width}."
        raise MalformedRequest(f"{field}.values", message)
    if not np.isfinite(values).all() or not values.any():
        raise MalformedRequest(f"{field}.values", f"{field} has values that are not finite numbers, or only zeros.")
    values /= np.abs(values).max()  # so that no square is too large or too small
    unit: Vectors = (values / np.linalg.norm(values)).astype(np.float32)
    return unit


def named_embedding(sent: catalog_service_pb2.TrackEmbedding, field: str, manifest: Manifest) -> Vectors:
    """Returns an embedding that has to name its model; see ``embedding``."""
    if not sent.model_id:
        message = f"{field}.model_id is empty; send the model_id of the response that had the embedding."
        raise MalformedRequest(f"{field}.model_id", message)
    return embedding(sent, field, manifest)
