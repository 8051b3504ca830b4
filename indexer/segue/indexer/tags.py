"""What a file's tags say of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tinytag import TinyTag

# Longer than any title in earnest: a tag may hold megabytes.
_LONGEST = 500


@dataclass(frozen=True)
class Tags:
    """The words on a track; each is empty where the file does not say."""

    title: str = ""
    artist: str = ""
    album: str = ""
    genre: str = ""


def read_tags(path: Path) -> Tags:
    """The tags of an audio file, told by its bytes and not by its ending; empty ones where they cannot be read."""
    try:
        with path.open("rb") as file:
            tags = TinyTag.get(file_obj=file, duration=False)
    except Exception:  # noqa: BLE001 - tags are written by anyone's program, and none of them is worth a track
        return Tags()
    return Tags(*(_clean(text) for text in (tags.title, tags.artist, tags.album, tags.genre)))


def _clean(text: object) -> str:
    """One line of text that every encoding takes."""
    if not isinstance(text, str):
        return ""
    valid = text[:_LONGEST].replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
    return " ".join(valid.split())
