"""Reads the tags of audio files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tinytag import TinyTag

# Longer than any real title; a tag may have megabytes.
_MAX_LETTERS = 500
_YEAR = re.compile(r"(?<![0-9])(?!0000)[0-9]{4}(?![0-9])")


@dataclass(frozen=True)
class Tags:
    """Tags of a track; a missing one is empty.

    Attributes:
        title: title of the track.
        artist: its artist.
        album: its album.
        genre: its genre as the file names it.
        year: four digits.
    """

    title: str = ""
    artist: str = ""
    album: str = ""
    genre: str = ""
    year: str = ""


def read_tags(path: Path) -> Tags:
    """Returns the tags of an audio file, whatever its ending; they are empty if they cannot be read."""
    try:
        with path.open("rb") as file:
            tags = TinyTag.get(file_obj=file, duration=False)
    except Exception:  # noqa: BLE001 - any program may have written the tags, and bad ones must not cost the track
        return Tags()
    title, artist, album, genre = map(_clean, (tags.title, tags.artist, tags.album, tags.genre))
    return Tags(title, artist, album, genre, _year(tags.year))


def _year(date: object) -> str:
    """Returns the year of a date such as 1959, 1959-08-17 or 17.08.1959; empty if there is none."""
    match = _YEAR.search(_clean(date))
    return match[0] if match else ""


def _clean(text: object) -> str:
    """Returns text as one line of valid Unicode."""
    if not isinstance(text, str):
        return ""
    valid = text[:_MAX_LETTERS].replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
    return " ".join(valid.split())
