"""What a file's tags say of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from tinytag import TinyTag

# Longer than any title in earnest: a tag may hold megabytes.
_LONGEST = 500
_YEAR = re.compile(r"(?<![0-9])(?!0000)[0-9]{4}(?![0-9])")


@dataclass(frozen=True)
class Tags:
    """The words on a track; each is empty where the file does not say, and the year else has four digits."""

    title: str = ""
    artist: str = ""
    album: str = ""
    genre: str = ""
    year: str = ""


def read_tags(path: Path) -> Tags:
    """The tags of an audio file, told by its bytes and not by its ending; empty ones where they cannot be read."""
    try:
        with path.open("rb") as file:
            tags = TinyTag.get(file_obj=file, duration=False)
    except Exception:  # noqa: BLE001 - tags are written by anyone's program, and none of them is worth a track
        return Tags()
    title, artist, album, genre = map(_clean, (tags.title, tags.artist, tags.album, tags.genre))
    return Tags(title, artist, album, genre, _year(tags.year))


def _year(text: object) -> str:
    """The year of a date however it is written: 1959, 1959-08-17, 17.08.1959; empty where there is none."""
    found = _YEAR.search(_clean(text))
    return found[0] if found else ""


def _clean(text: object) -> str:
    """One line of text that every encoding takes."""
    if not isinstance(text, str):
        return ""
    valid = text[:_LONGEST].replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
    return " ".join(valid.split())
