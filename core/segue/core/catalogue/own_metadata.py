"""Reads and writes the metadata that the owner of a library gives to a file, within their bounds."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, fields
from typing import Any

from segue.core.catalogue.records import NO_METADATA, Attribute, OwnMetadata, PathRecord

MAX_EXTERNAL_ID, MAX_TEXT = 256, 1_024
"""Most characters of an external id, and of a title, an artist, an album or a text of an attribute."""
MAX_ATTRIBUTES, MAX_LIST = 32, 32
"""Most attributes of a file, and most texts of one attribute."""
MAX_ATTRIBUTE_BYTES = 8_192
"""Most bytes of all attributes of a file as JSON in UTF-8."""

_NAME = re.compile(r"[^\W\d][\w.-]{0,63}", re.ASCII)
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_SHOWN_LETTERS = 50


def parse_metadata(values: object) -> OwnMetadata:
    """Returns the metadata of a JSON object; null is the same as a missing value.

    Raises:
        ValueError: a field is unknown, or its value cannot be used; the message is a sentence that names the field.
    """
    if not isinstance(values, Mapping):
        raise ValueError("The metadata are no JSON object.")  # noqa: TRY004 - the data is wrong, not the program
    unknown = sorted(set(values) - set(_FIELDS))
    if unknown:
        raise ValueError(f"The field {_shown(unknown[0])} is unknown; the fields are {', '.join(_FIELDS)}.")
    given = {name: value for name, value in values.items() if value is not None}
    attributes = _attributes(given.pop("attributes", {}))
    texts = {name: _text(name, value, _MAX_LENGTHS[name]) for name, value in given.items()}
    return OwnMetadata(**texts, attributes=attributes)


def metadata_to_json(own: OwnMetadata) -> str:
    """Returns metadata as a JSON object on one line, without empty values."""
    values = {name: value for name, value in asdict(own).items() if value}
    return json.dumps(values, separators=(",", ":"), sort_keys=True)


def own_of(files: Iterable[PathRecord]) -> OwnMetadata:
    """Returns the owner's metadata of a track: of the first of its files that has some, in the order of the paths."""
    described = [file for file in files if file.own]
    return min(described, key=lambda file: file.path).own if described else NO_METADATA


_FIELDS = tuple(field.name for field in fields(OwnMetadata))
_MAX_LENGTHS = {"external_id": MAX_EXTERNAL_ID, "title": MAX_TEXT, "artist": MAX_TEXT, "album": MAX_TEXT}


def _attributes(values: object) -> dict[str, Attribute]:
    if not isinstance(values, Mapping):
        raise ValueError("attributes is no JSON object.")  # noqa: TRY004 - likewise
    given = {name: value for name, value in values.items() if value is not None}
    if len(given) > MAX_ATTRIBUTES:
        raise ValueError(f"attributes has {len(given):,} names; give at most {MAX_ATTRIBUTES}.")
    found = {_attribute_name(name): _attribute(name, value) for name, value in given.items()}
    size = len(json.dumps(found, ensure_ascii=False).encode())
    if size > MAX_ATTRIBUTE_BYTES:
        raise ValueError(f"attributes has {size:,} bytes; give at most {MAX_ATTRIBUTE_BYTES:,}.")
    return found


def _attribute_name(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ValueError(
            f"attributes has the name {_shown(name)}; use at most 64 letters, digits, dots, hyphens and underscores, "
            "and a letter or an underscore first."
        )
    return name


def _attribute(name: str, value: Any) -> Attribute:  # noqa: ANN401 - any JSON value
    field_name = f"attributes.{name}"
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, float)):
        return _number(field_name, value)
    if isinstance(value, (list, tuple)):
        if len(value) > MAX_LIST:
            raise ValueError(f"{field_name} has {len(value):,} texts; give at most {MAX_LIST}.")
        return tuple(_text(field_name, text, MAX_TEXT) for text in value)
    return _text(field_name, value, MAX_TEXT)


def _number(name: str, value: float) -> float:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError(f"{name} is not a finite number.")
    return number


def _text(name: str, value: object, most: int) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} is {_shown(value)}, not a text.")  # noqa: TRY004 - likewise
    if len(value) > most:
        raise ValueError(f"{name} has {len(value):,} characters; use at most {most:,}.")
    if _CONTROL_CHARACTERS.search(value) or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ValueError(f"{name} has a control character, or half of a character.")
    return value


def _shown(value: object) -> str:
    """Returns the beginning of a value, or its type."""
    return ascii(value)[:_SHOWN_LETTERS] if isinstance(value, (str, int, float)) else type(value).__name__
