"""The result of every reader of tags: texts by the names of their fields."""

from __future__ import annotations

TagFields = dict[str, str]
"""Tags by field: title, artist, album, genre or year. A missing one has no key, and texts are as the file has them."""

FIELDS = ("title", "artist", "album", "genre", "year")
"""The fields that are read."""


def decode_text(text: bytes) -> str:
    """Returns text whose encoding is not stated: UTF-8 if it is valid UTF-8, else Latin-1 as Windows writes it."""
    text = text.partition(b"\0")[0]
    try:
        return text.decode("utf-8")
    except UnicodeDecodeError:
        return text.decode("cp1252", "replace")
