"""The result of every reader of tags: texts by the names of their fields."""

from __future__ import annotations

import re

TagFields = dict[str, list[str]]
"""Values by field, in their order. A missing field has no key, and texts are as the file has them."""

_FIELD_OF_KEY = {
    "title": "title",
    "artist": "artists",
    "artists": "artists",
    "album": "album",
    "genre": "genres",
    "year": "year",
    "date": "year",
    "albumartist": "album_artist",
    "track": "track_number",
    "tracknumber": "track_number",
    "disc": "disc_number",
    "discnumber": "disc_number",
    "isrc": "isrc",
    "musicbrainztrackid": "musicbrainz_recording_id",
    "musicbrainzalbumid": "musicbrainz_release_id",
    "musicbrainzartistid": "musicbrainz_artist_ids",
}
FIELDS = frozenset(_FIELD_OF_KEY.values())
"""The fields that are read."""

_NO_LETTER = re.compile("[^a-z0-9]")


def add_value(fields: TagFields, key: str, value: str) -> None:
    """Adds a value to the field of a key, if the key is one that is read.

    Args:
        fields: the fields to change.
        key: the key in the file, as programs spell it, such as ALBUMARTIST, "Album Artist" or album_artist.
        value: the text.
    """
    name = _FIELD_OF_KEY.get(_NO_LETTER.sub("", key.lower()))
    if name and value:
        fields.setdefault(name, []).append(value)


def decode_text(text: bytes) -> str:
    """Returns text whose encoding is not stated: UTF-8 if it is valid UTF-8, else Latin-1 as Windows writes it."""
    text = text.partition(b"\0")[0]
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("cp1252", "replace")
