"""Encodes the catalogue's records as bytes for Redis, and decodes them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from typing import Any, cast, get_args

import numpy as np

from segue.core.catalogue.identity import Identity
from segue.core.catalogue.own_metadata import metadata_to_json, parse_metadata
from segue.core.catalogue.records import (
    Event,
    EventKind,
    FailureRecord,
    OwnMetadata,
    PathRecord,
    Track,
    TrackFacts,
    Vector,
    is_unit,
)
from segue.core.catalogue.validity import check_embedding, check_failure, check_file, check_track
from segue.core.errors import CatalogueMismatch, EmbeddingUnusable
from segue.core.redis_catalogue.keys import to_bytes, to_text

DIGEST = b"digest"
"""The field of a track's hash that has its digest."""

OWN = b"own"
"""The field of a track's hash that has the owner's metadata."""

FACTS = [b"title", b"artist", b"album", b"path", b"genre", b"year", b"seconds", b"tags", OWN]
"""The fields of a track's hash that have its facts."""


def track_to_hash(track: Track, embedding: bytes) -> dict[bytes, bytes]:
    """Returns the fields of a track's hash, with a digest of them and the embedding; the id is in the key."""
    more = {name: value for name in _MORE_FIELDS if (value := getattr(track, name))}
    values = {
        **{name: getattr(track, name) for name in _TEXT_FIELDS},
        "seconds": repr(track.seconds),
        "posterior": _to_json(track.posterior),
        # One field of Redis for all of them, as each field takes memory. Even if empty, it replaces an older value.
        "tags": _to_json(more),
    }
    raw = {name.encode(): to_bytes(value) for name, value in values.items()}
    return raw | {DIGEST: track_digest(raw, embedding)}


def _to_json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, separators=(",", ":"))


def track_digest(fields: Mapping[bytes, bytes], embedding: bytes) -> bytes:
    """Returns a digest of 8 bytes that reveals accidental changes of a track's hash or embedding.

    Args:
        fields: the track's hash. ``path`` and ``own`` are left out: they change with the files, whose records have
            them, too.
        embedding: the embedding as ``embedding_to_bytes`` returned it.
    """
    digest = hashlib.blake2b(embedding, digest_size=8)
    for name in sorted(set(fields) - {b"path", OWN, DIGEST}):
        digest.update(b"%b %d %b" % (name, len(fields[name]), fields[name]))
    return digest.digest()


def track_from_hash(track_id: str, raw: Mapping[bytes, bytes]) -> Track:
    """Returns the track of a hash, and ignores fields that this version does not know.

    Raises:
        ValueError: the hash is damaged; the message is a sentence.
    """
    texts = {name: to_text(raw[name.encode()]) for name in _TEXT_FIELDS if name.encode() in raw}
    more = {name: value for name, value in _object("tags", raw).items() if name in _MORE_FIELDS}
    numbers = {"seconds": _seconds(raw.get(b"seconds", b"0")), "posterior": _object("posterior", raw)}
    own = own_from_bytes(raw.get(OWN, b""))
    return check_track(Track.from_json({"track_id": track_id, "title": "", **texts, **more, **numbers, "own": own}))


def own_to_bytes(own: OwnMetadata) -> bytes:
    """Encodes the owner's metadata; none is no bytes."""
    return metadata_to_json(own).encode() if own else b""


def own_from_bytes(raw: bytes) -> OwnMetadata:
    """Decodes what ``own_to_bytes`` returned, and ignores fields that this version does not know.

    Raises:
        ValueError: the bytes are damaged; the message is a sentence.
    """
    values = parse_json("Its own metadata", raw or b"{}")
    if isinstance(values, dict):
        known = {field.name for field in fields(OwnMetadata)}
        values = {name: value for name, value in values.items() if name in known}
    return parse_metadata(values)


def _seconds(raw: bytes) -> float:
    try:
        return float(raw)
    except ValueError:
        raise ValueError("Its seconds are not a number.") from None


def _object(name: str, raw: Mapping[bytes, bytes]) -> dict[str, Any]:
    """Returns the JSON object in a field of a track's hash."""
    value = parse_json(f"Its {name}", raw.get(name.encode(), b"{}"))
    if not isinstance(value, dict):
        raise ValueError(f"Its {name} are no JSON object.")  # noqa: TRY004 - the data is wrong, not the program
    return value


def parse_json(subject: str, raw: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Returns a JSON value.

    Args:
        subject: the beginning of a sentence about the value.
        raw: the bytes.

    Raises:
        ValueError: they are not JSON, or nested too deeply to be read; the message is a sentence.
    """
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        raise ValueError(f"{subject} cannot be read as JSON.") from None


def facts_from_values(track_id: str, values: object) -> TrackFacts | None:
    """Returns the facts of a track from the values of its ``FACTS``, or None if it does not exist or is damaged."""
    if not isinstance(values, list):  # its key has another type
        return None
    raw = {name: value for name, value in zip(FACTS, values, strict=True) if value is not None}
    try:
        return TrackFacts.of(track_from_hash(track_id, raw)) if raw else None
    except ValueError:
        return None


def embedding_to_bytes(embedding: Vector, width: int) -> bytes:
    """Encodes an embedding [width] of length 1 as little-endian float32.

    Raises:
        EmbeddingUnusable: it has another width, or its length is not 1, for example because it has NaN or infinity.
            One such vector would spoil every search.
    """
    if embedding.shape != (width,):
        raise EmbeddingUnusable(
            f"An embedding has the shape {embedding.shape}, but the catalogue has width {width}. Give --model the one "
            "that built the catalogue."
        )
    if not is_unit(embedding):
        raise EmbeddingUnusable(
            f"An embedding has the length {np.linalg.norm(embedding):g}, not 1. The model cannot process this track; "
            "leave it out."
        )
    return embedding.astype("<f4").tobytes()


def embedding_from_bytes(raw: bytes, width: int | None = None) -> Vector:
    """Decodes an embedding [e] that ``embedding_to_bytes`` returned.

    Args:
        raw: the bytes.
        width: the width of the catalogue, or None if it is unknown.

    Raises:
        ValueError: they are damaged; the message is a sentence.
    """
    if len(raw) % 4 or (width is not None and len(raw) != 4 * width):
        raise ValueError(f"Its embedding has {len(raw)} bytes" + (f", not {4 * width}." if width else "."))
    return check_embedding(np.frombuffer(raw, dtype="<f4").astype(np.float32, copy=False), width)


def file_to_bytes(file: PathRecord) -> bytes:
    """Encodes a file's size in bytes, its times in nanoseconds, its track and the owner's metadata.

    The path is the name of the field.
    """
    own = b" " + own_to_bytes(file.own) if file.own else b""
    return f"{file.size} {file.mtime_ns} {file.track_id} {file.ctime_ns}".encode() + own


def file_from_bytes(path: str, raw: bytes) -> PathRecord:
    """Decodes what ``file_to_bytes`` returned, also in earlier versions.

    Raises:
        ValueError: the bytes are damaged.
    """
    file, own = split_file(raw)
    try:
        size, mtime_ns, track_id, *more = file.decode().split(" ")
        record = PathRecord(path, int(size), int(mtime_ns), track_id, int(more[0]) if more else 0)
    except ValueError:
        raise ValueError("Its size, times and track cannot be read.") from None
    return check_file(replace(record, own=own_from_bytes(own)))


def split_file(raw: bytes) -> tuple[bytes, bytes]:
    """Returns the part of a file's record without the owner's metadata, and the metadata."""
    file, brace, rest = raw.partition(b" {")
    return file, brace.strip() + rest


def failure_to_bytes(failure: FailureRecord) -> bytes:
    """Encodes the failure of a file; the path is the name of the field."""
    values = [failure.size, failure.mtime_ns, failure.reason, failure.detail, failure.time]
    return json.dumps(values, separators=(",", ":")).encode("ascii")


def failure_from_bytes(path: str, raw: bytes) -> FailureRecord:
    """Decodes what ``failure_to_bytes`` returned.

    Raises:
        ValueError: the bytes are damaged.
    """
    values = parse_json("It", raw)
    if not isinstance(values, list) or len(values) != _FAILURE_VALUES:
        raise ValueError("It is no list of the values of a failure.")
    return check_failure(FailureRecord(path, *values))


def event_from_entry(entry_id: str, entry: Mapping[bytes, bytes]) -> Event:
    """Decodes an entry of the stream of events, whose id is REVISION-MARK.

    Raises:
        ValueError: it is damaged.
    """
    kind, track_id = to_text(entry.get(b"kind", b"")), to_text(entry.get(b"track", b""))
    if kind not in get_args(EventKind):
        raise ValueError(f"Its kind is {kind!a}.")
    revision, mark = map(int, entry_id.split("-"))
    return Event(revision, cast("EventKind", kind), track_id, mark)


def identity_from_hash(raw: Mapping[bytes, bytes]) -> Identity:
    """Decodes the identity of a catalogue.

    Raises:
        CatalogueMismatch: the identity is damaged; another program wrote to it.
    """
    try:
        return Identity(
            uuid=to_text(raw[b"uuid"]),
            model_id=to_text(raw[b"model_id"]),
            fingerprint=to_text(raw[b"fingerprint"]),
            width=int(raw[b"width"]),
        )
    except (KeyError, ValueError) as error:
        raise CatalogueMismatch(
            f"The catalogue cannot be used: its identity is damaged ({error}). Give --data a new folder, and restore a "
            "backup there or add the music again."
        ) from error


# Those of a FailureRecord without its path.
_FAILURE_VALUES = 5
_TEXT_FIELDS = ("title", "artist", "album", "genre", "tagged_genre", "year", "path")
# Those that came later. Catalogues of earlier versions have none of them.
_MORE_FIELDS = tuple(
    field.name
    for field in fields(Track)
    if field.name not in {"track_id", "seconds", "posterior", "own", *_TEXT_FIELDS}
)


def vector_from_bytes(width: int | None, _track_id: str, raw: bytes) -> Vector:
    """Decodes an embedding as ``DamagedRecords`` wants it; see ``embedding_from_bytes``."""
    return embedding_from_bytes(raw, width)


def sorted_texts(_track_id: str, paths: Iterable[bytes]) -> list[str]:
    """Decodes the set of the paths of a track."""
    return sorted(map(to_text, paths))
