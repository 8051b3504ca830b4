"""Checks that records have values that the rest of Segue can use: Redis and backups may hold anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields

from segue.core.catalogue.identity import Identity
from segue.core.catalogue.records import FailureRecord, OwnMetadata, PathRecord, Track, Vector, is_unit
from segue.core.catalogue.tag_scores import is_packed

MAX_WIDTH = 65_536
"""The largest width of an embedding; those of networks have some hundreds."""

_MAX_INT64 = 2**63 - 1
_MAX_INT32 = 2**31 - 1
# Some 30 years, in seconds.
_MAX_DURATION = 10**9
# A probability is rounded.
_MAX_PROBABILITY = 1.001
# The last second of the year 9999, in seconds since 1970.
_MAX_TIME = 253_402_300_799
_TRACK_ID = re.compile("[0-9a-f]{32}")
_YEAR = re.compile("(?:[0-9]{4})?")
_REASON = re.compile("[A-Z][A-Z0-9_]{0,99}")
_NAME = re.compile("[!-~][ -~]{0,499}")
_SHOWN_LETTERS = 50


def check_track(track: Track) -> Track:
    """Returns a track whose values are valid.

    Raises:
        ValueError: a value has the wrong type or is out of range; the message is a sentence about the track.
    """
    check_track_id(track.track_id)
    for field in fields(Track):
        _TRACK_CHECKS.get(field.name, _TYPE_CHECKS[str(field.type)])(field.name, getattr(track, field.name))
    return track


def check_track_id(track_id: object) -> None:
    """Checks that an id is 32 lower-case hexadecimal digits.

    Raises:
        ValueError: it is not.
    """
    _match(_TRACK_ID, "track id", track_id)


def check_file(file: PathRecord) -> PathRecord:
    """Returns the record of a file whose values are valid.

    Raises:
        ValueError: a value has the wrong type or is out of range; the message is a sentence about the file.
    """
    _path("path", file.path)
    check_track_id(file.track_id)
    _integer("size", file.size, -1, _MAX_INT64)  # a repaired record has no size
    for name, value in (("mtime", file.mtime_ns), ("ctime", file.ctime_ns)):
        _integer(name, value, -_MAX_INT64, _MAX_INT64)
    _own("own", file.own)
    return file


def check_failure(failure: FailureRecord) -> FailureRecord:
    """Returns the failure of a file whose values are valid.

    Raises:
        ValueError: a value has the wrong type or is out of range; the message is a sentence about the failure.
    """
    _path("path", failure.path)
    _integer("size", failure.size, -1, _MAX_INT64)
    _integer("mtime", failure.mtime_ns, -_MAX_INT64, _MAX_INT64)
    _match(_REASON, "reason", failure.reason)
    if not isinstance(failure.detail, str):  # it may quote a path that is not UTF-8
        raise _wrong("detail", failure.detail, "text")
    _integer("time", failure.time, 0, _MAX_TIME)
    return failure


def check_identity(identity: Identity) -> Identity:
    """Returns the identity of a catalogue whose values are valid.

    Raises:
        ValueError: a value has the wrong type or is out of range; the message is a sentence about the identity.
    """
    for name in ("uuid", "model_id", "fingerprint"):
        _match(_NAME, name, getattr(identity, name))
    _integer("width", identity.width, 1, MAX_WIDTH)
    return identity


def check_embedding(embedding: Vector, width: int | None) -> Vector:
    """Returns an embedding [width] of length 1.

    Args:
        embedding: the vector.
        width: the width of the catalogue, or None if it is unknown.

    Raises:
        ValueError: it has another width, or another length, for example because it has NaN.
    """
    if width is not None and embedding.shape != (width,):
        raise ValueError(f"Its embedding has the width {embedding.size}, not {width}.")
    if not is_unit(embedding):
        raise ValueError("Its embedding does not have the length 1.")
    return embedding


def _text(name: str, value: object) -> str:
    """Checks that a value is text that can be sent: ``str`` may hold halves of characters."""
    if not isinstance(value, str) or not _is_encodable(value, "strict"):
        raise _wrong(name, value, "text")
    return value


def _path(name: str, value: object) -> str:
    """Checks that a value is a path, which may have bytes that are not UTF-8."""
    if not isinstance(value, str) or not value or "\0" in value or not _is_encodable(value, "surrogateescape"):
        raise _wrong(name, value, "a path")
    return value


def _is_encodable(text: str, errors: str) -> bool:
    try:
        return bool(text.encode("utf-8", errors)) or not text
    except UnicodeEncodeError:
        return False


def _packed(name: str, value: object) -> None:
    if not isinstance(value, str) or not is_packed(value):
        raise _wrong(name, value, "valid")


def _own(name: str, value: object) -> None:
    if not isinstance(value, OwnMetadata):
        raise _wrong(name, value, "valid")


def _match(pattern: re.Pattern[str], name: str, value: object) -> None:
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise _wrong(name, value, "valid")


def _texts(name: str, value: object) -> None:
    if not isinstance(value, tuple):
        raise _wrong(name, value, "a list of texts")
    for each in value:
        _text(name, each)


def _integer(name: str, value: object, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise _wrong(name, value, f"a whole number from {least} to {most}")


def _number(name: str, value: object, most: float) -> None:
    """Checks that a value is a number from 0 on; NaN and infinity are not."""
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= most:
        raise _wrong(name, value, f"a number from 0 to {most}")


def _posterior(name: str, value: object) -> None:
    if not isinstance(value, Mapping):
        raise _wrong(name, value, "a probability for each genre")
    for genre, probability in value.items():
        _text(name, genre)
        _number(name, probability, _MAX_PROBABILITY)


def _wrong(name: str, value: object, expected: str) -> ValueError:
    """Returns the error for a value; it quotes only the beginning."""
    shown = ascii(value) if isinstance(value, (str, float, bool)) else type(value).__name__
    return ValueError(f"Its field {name} is {shown[:_SHOWN_LETTERS]}, not {expected}.")


_TYPE_CHECKS: dict[str, Callable[[str, object], object]] = {
    "str": _text,
    "int": lambda name, value: _integer(name, value, 0, _MAX_INT32),
    "float": lambda name, value: _number(name, value, _MAX_DURATION),
    "tuple[str, ...]": _texts,
    "dict[str, float]": _posterior,
    "OwnMetadata": _own,
}
_TRACK_CHECKS: dict[str, Callable[[str, object], object]] = {
    "year": lambda name, value: _match(_YEAR, name, value),
    # Empty for a track whose metadata lacks it; then it is repaired from its files.
    "path": lambda name, value: value == "" or _path(name, _text(name, value)),
    "tag_scores": _packed,
}
