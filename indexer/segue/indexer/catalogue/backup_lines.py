"""Reads and writes the lines of a backup: JSON documents with a track or a failure."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from segue.core.catalogue.identity import Identity
from segue.core.catalogue.own_metadata import metadata_to_json, parse_metadata
from segue.core.catalogue.records import Addition, FailureRecord, PathRecord, Track, Vector
from segue.core.catalogue.validity import check_failure, check_file, check_identity, check_track
from segue.core.catalogue.window_embeddings import unpack_windows
from segue.core.errors import BackupUnwritable
from segue.core.redis_catalogue.codec import embedding_from_bytes, parse_json

MAX_LINE_BYTES = 4 * 2**20
"""Longest line: room for a track with 20,000 files of the same audio."""

# Path, size and mtime of a file, then its ctime, which earlier versions did not write, and the owner's metadata if any.
_FILE_VALUES = (3, 4, 5)
_NO_VALUES: tuple[Any, ...] = (None, None, None, 0, {})


@dataclass(frozen=True)
class Entry:
    """A track with all its data.

    Attributes:
        track: metadata and posterior.
        embedding: unit vector.
        files: records of its files, at least one.
        windows: the embeddings of its windows, as ``pack_windows`` returns them, or empty.
    """

    track: Track
    embedding: Vector
    files: list[PathRecord]
    windows: bytes = b""

    def additions(self) -> list[Addition]:
        """Returns the additions that write the track and its files to a catalogue."""
        return [Addition(self.track, self.embedding, file, self.windows) for file in self.files]


def to_line(entry: Entry | FailureRecord) -> bytes:
    """Encodes a track or a failure.

    Raises:
        BackupUnwritable: the line is so long that ``read_line`` would refuse it.
    """
    line = json.dumps(_to_json(entry), separators=(",", ":")).encode("ascii") + b"\n"
    if len(line) > MAX_LINE_BYTES and isinstance(entry, Entry):
        raise BackupUnwritable(
            f"The track {entry.track.track_id} has {len(entry.files):,} files, which are too many for a backup. Remove "
            "some of these files, and run segue-indexer sync."
        )
    return line


def _to_json(entry: Entry | FailureRecord) -> dict[str, Any]:
    if isinstance(entry, FailureRecord):
        return {"failure": asdict(entry)}
    embedding = base64.b64encode(entry.embedding.astype("<f4").tobytes()).decode("ascii")
    windows = {"windows": base64.b64encode(entry.windows).decode("ascii")} if entry.windows else {}
    # The owner's metadata of a track are those of its files.
    track = {name: value for name, value in asdict(entry.track).items() if name != "own"}
    return {"track": track, "embedding": embedding, **windows, "files": list(map(_file_values, entry.files))}


def _file_values(file: PathRecord) -> list[Any]:
    own = [json.loads(metadata_to_json(file.own))] if file.own else []
    return [file.path, file.size, file.mtime_ns, file.ctime_ns, *own]


def identity_from_line(line: bytes) -> Identity:
    """Decodes the first line.

    Raises:
        ValueError: it has no valid identity; the message is a sentence.
    """
    values = _only(_object(line, "The first line").get("identity"), Identity, "The identity of the catalogue")
    try:
        return check_identity(Identity(**values))
    except (TypeError, ValueError) as error:
        raise ValueError(f"The identity of the catalogue is not valid. {_detail(error)}".strip()) from error


def read_line(line: bytes, width: int, after: str) -> Entry | FailureRecord:
    """Decodes a track or a failure.

    Args:
        line: the line.
        width: the width of the catalogue's embeddings.
        after: the id of the track before, or empty; a track that comes twice would cost another one.

    Raises:
        ValueError: it is no valid one; the message names the track or the file, in a sentence.
    """
    document = _object(line, "A line")
    if "failure" in document:
        return _failure(document["failure"])
    values = _only(document.get("track"), Track, "A track")
    name = f"The track {_shown(values.get('track_id'))}"
    try:
        track = check_track(Track.from_json(values))
        _check_order(track.track_id, after)
        embedding = embedding_from_bytes(_bytes(document.get("embedding"), "embedding"), width)
        return Entry(track, embedding, _files(document.get("files"), track), _windows(document.get("windows"), width))
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} is not valid. {_detail(error)}".strip()) from error


def _check_order(track_id: str, after: str) -> None:
    if track_id <= after:
        raise ValueError("It comes twice, or not in the order of the ids.")


def _failure(document: object) -> FailureRecord:
    values = _only(document, FailureRecord, "A failure")
    try:
        return check_failure(FailureRecord(**values))
    except (TypeError, ValueError) as error:
        name = _shown(values.get("path"))
        raise ValueError(f"The failure of the file {name} is not valid. {_detail(error)}".strip()) from error


def _bytes(text: object, name: str) -> bytes:
    if not isinstance(text, str):
        raise TypeError
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise ValueError(f"Its {name} cannot be read.") from None


def _windows(text: object, width: int) -> bytes:
    """Returns the windows of a track, checked; backups of earlier versions have none."""
    if text is None:
        return b""
    packed = _bytes(text, "windows")
    unpack_windows(packed, width)
    return packed


def _files(values: object, track: Track) -> list[PathRecord]:
    if not isinstance(values, list) or not values:
        raise ValueError("It has no list of files.")
    files = [_file(each, track) for each in values]
    if len({file.path for file in files}) < len(files):
        raise ValueError("It has one of its files twice.")
    return files


def _file(values: object, track: Track) -> PathRecord:
    if not isinstance(values, list) or len(values) not in _FILE_VALUES:
        raise ValueError("One of its files has no path, size and time.")
    path, size, mtime_ns, ctime_ns, own = [*values, *_NO_VALUES[len(values) :]]
    return check_file(PathRecord(path, size, mtime_ns, track.track_id, ctime_ns, parse_metadata(own)))


def _object(line: bytes, subject: str) -> dict[str, Any]:
    document = parse_json(subject, line)
    if not isinstance(document, dict):
        raise ValueError(f"{subject} is no JSON object.")  # noqa: TRY004 - the data is wrong, not the program
    return document


def _only(values: object, kind: type, subject: str) -> Mapping[str, Any]:
    """Returns the values of a record, which has no field that its kind lacks."""
    if not isinstance(values, dict):
        raise ValueError(f"{subject} is missing, or is no JSON object.")  # noqa: TRY004 - likewise
    unknown = sorted(set(values) - {field.name for field in fields(kind)})
    if unknown:
        raise ValueError(f"{subject} has the field {_shown(unknown[0])}, which this version of Segue does not know.")
    return values


def _shown(value: object) -> str:
    """Returns the beginning of a value, without control characters."""
    return ascii(value)[:100] if isinstance(value, str) else f"without a name ({type(value).__name__})"


def _detail(error: Exception) -> str:
    return "A value is missing, or has the wrong type." if isinstance(error, TypeError) else str(error)
