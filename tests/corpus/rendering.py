"""Writes the renditions of a clip with ffmpeg and SoX."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

from tests.corpus.recipes import Recipe

TITLE = "Köln, 24. Januar"
_CUT_BYTES = 300
# Noise does not compress: as PNG, the cover has 10 MB.
_COVER_SIDE = 1_830
_TAGS = {"title": TITLE, "artist": "Keith", "album": "Duration: 99:99", "genre": "Jazz", "track": "3/4"}


def write_cover(path: Path, side: int = _COVER_SIDE) -> Path:
    """Writes a square cover of noise, by default one of 10 MB, and returns its path."""
    form = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{side}x{side}"]
    pixels = random.Random(0).randbytes(3 * side**2)
    _run(["ffmpeg", "-v", "error", "-y", *form, "-i", "pipe:0", "-frames:v", "1", str(path)], pixels)
    return path


def write_rendition(recipe: Recipe, clip: Path, cover: Path, folder: Path) -> Path:
    """Writes a rendition of a clip.

    Args:
        recipe: the way to write it.
        clip: the clip, in a format that ffmpeg and SoX read.
        cover: picture for the recipes that have one.
        folder: an empty folder.

    Raises:
        RuntimeError: the encoder failed; the message is its last line.
    """
    path = folder / f"clip.{recipe.suffix}"
    target = "pipe:1" if recipe.piped else str(path)
    written = _run(_sox(recipe, clip, path) if recipe.by_sox else _ffmpeg(recipe, clip, cover, target))
    content = written if recipe.piped else path.read_bytes()
    path.write_bytes(_cut(content, recipe.extra))
    return path


def _cut(content: bytes, extra: str) -> bytes:
    return {"front cut": content[_CUT_BYTES:], "back cut": content[:-_CUT_BYTES]}.get(extra, content)


def _sox(recipe: Recipe, clip: Path, path: Path) -> list[str]:
    form = ["-r", str(recipe.rate), "-c", str(recipe.channels), *recipe.options.split()]
    return ["sox", "-V1", str(clip), *form, str(path)]


def _ffmpeg(recipe: Recipe, clip: Path, cover: Path, target: str) -> list[str]:
    form = ["-ar", str(recipe.rate), "-ac", str(recipe.channels), *recipe.options.split()]
    tags = [f"{key}={value}" for key, value in _TAGS.items()] if recipe.extra in {"tags", "cover"} else []
    metadata = ["-map_metadata", "-1", *(option for tag in tags for option in ("-metadata", tag))]
    picture = ["-i", str(cover), "-map", "0:a", "-map", "1:v"] if recipe.extra == "cover" else ["-map", "0:a"]
    disposition = ["-c:v", "copy", "-disposition:v", "attached_pic"] if recipe.extra == "cover" else []
    container = ["-f", _CONTAINERS.get(recipe.suffix, recipe.suffix)] if "-f " not in recipe.options else []
    start = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(clip)]
    return [*start, *picture, *form, *metadata, *disposition, *container, target]


# The containers whose name is not the ending.
_CONTAINERS = {"m4a": "ipod", "mka": "matroska", "wma": "asf"}


def _run(command: list[str], content: bytes = b"") -> bytes:
    finished = subprocess.run(command, input=content, capture_output=True, check=False)
    if finished.returncode:
        raise RuntimeError(finished.stderr.decode(errors="replace").strip().rpartition("\n")[2])
    return finished.stdout
