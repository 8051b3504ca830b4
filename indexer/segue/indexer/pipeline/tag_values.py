"""Cleans the values of tags: any program may have written them, and some mean harm."""

from __future__ import annotations

import re
from collections.abc import Callable

from segue.indexer.pipeline.records import Tags
from segue.indexer.pipeline.tag_formats.fields import TagFields

# More than any real track has, and longer than any real title or list of ids; a tag may have megabytes.
_MAX_VALUES = 32
_MAX_LETTERS = 500
_MAX_ID_LETTERS = 2_000
_YEAR = re.compile(r"(?<![0-9])(?!0000)[0-9]{4}(?![0-9])")
# "3" and "3/12"; 0 means unknown.
_NUMBER = re.compile(r"\s*0*([1-9][0-9]{0,4})(?![0-9])")
_ISRC = re.compile(r"(?<![A-Z0-9])[A-Z]{2}[A-Z0-9]{3}[0-9]{7}(?![A-Z0-9])")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def clean(fields: TagFields) -> TagFields:
    """Returns the fields with valid values only, each once, in their order; a field without any has no key."""
    cleaned = {name: _CLEANERS.get(name, _lines)(values) for name, values in fields.items()}
    return {name: list(dict.fromkeys(values))[:_MAX_VALUES] for name, values in cleaned.items() if values}


def to_tags(fields: TagFields) -> Tags:
    """Returns the tags for clean fields."""
    artists, genres = fields.get("artists", []), fields.get("genres", [])
    return Tags(
        title=_first(fields, "title"),
        artist=_first(fields, "artists"),
        album=_first(fields, "album"),
        genre=_first(fields, "genres"),
        year=_first(fields, "year"),
        artists=tuple(_without_joined(artists)),
        genres=tuple(genres),
        album_artist=_first(fields, "album_artist"),
        track_number=int(_first(fields, "track_number") or 0),
        disc_number=int(_first(fields, "disc_number") or 0),
        isrc=_first(fields, "isrc"),
        musicbrainz_recording_id=_first(fields, "musicbrainz_recording_id"),
        musicbrainz_release_id=_first(fields, "musicbrainz_release_id"),
        musicbrainz_artist_ids=tuple(fields.get("musicbrainz_artist_ids", [])),
    )


def _first(fields: TagFields, name: str) -> str:
    return fields.get(name, [""])[0]


def _without_joined(artists: list[str]) -> list[str]:
    """Returns the artists without the text that names all of them, as in "A feat. B", "A", "B"."""
    for joined in artists:
        others = [artist for artist in artists if artist != joined]
        if len(others) > 1 and all(artist in joined for artist in others):
            return others
    return artists


def _lines(values: list[str]) -> list[str]:
    """Returns the texts that NUL separates, each as one line of valid Unicode; empty ones are left out."""
    texts = (text for value in values[:_MAX_VALUES] for text in value.split("\0", _MAX_VALUES)[:_MAX_VALUES])
    return [line for text in texts if (line := _line(text))]


def _line(text: str) -> str:
    valid = text[:_MAX_LETTERS].encode("utf-8", "replace").decode("utf-8")
    # A byte order mark comes with each text of UTF-16.
    return " ".join(valid.replace("\ufeff", "").split())


def _years(values: list[str]) -> list[str]:
    """Returns the years of dates such as 1959, 1959-08-17 or 17.08.1959."""
    return [match[0] for line in _lines(values) if (match := _YEAR.search(line))]


def _numbers(values: list[str]) -> list[str]:
    return [match[1] for line in _lines(values) if (match := _NUMBER.match(line))]


def _isrcs(values: list[str]) -> list[str]:
    """Returns the codes without hyphens, which programs write or leave out."""
    return [code for line in _lines(values) for code in _ISRC.findall(line.upper().replace("-", ""))]


def _uuids(values: list[str]) -> list[str]:
    """Returns the ids, whatever separates them: slashes in ID3v2.3, semicolons by other programs."""
    texts = (value[:_MAX_ID_LETTERS].lower() for value in values[:_MAX_VALUES])
    return [uuid for text in texts for uuid in _UUID.findall(text)]


_CLEANERS: dict[str, Callable[[list[str]], list[str]]] = {
    "year": _years,
    "track_number": _numbers,
    "disc_number": _numbers,
    "isrc": _isrcs,
    "musicbrainz_recording_id": _uuids,
    "musicbrainz_release_id": _uuids,
    "musicbrainz_artist_ids": _uuids,
}
